"""One module per text format; each returns typed facts with exact locations and knows no rules."""
