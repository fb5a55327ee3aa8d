"""The typed model of a deployment and what assembles it from facts."""
