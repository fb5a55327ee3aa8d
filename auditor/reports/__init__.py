"""One module per report format; a report is a pure function of an AuditResult."""
