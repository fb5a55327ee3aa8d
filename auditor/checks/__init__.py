"""One module per rule family; each check is a small pure generator over the model."""
