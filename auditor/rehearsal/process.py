"""``--sandbox process``."""
