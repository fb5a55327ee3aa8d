"""OPS: will it hold, can it be watched, can the model be changed: serving code and its gateway."""
