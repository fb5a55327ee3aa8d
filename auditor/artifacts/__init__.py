"""One module per binary artifact format; nothing here ever deserialises."""
