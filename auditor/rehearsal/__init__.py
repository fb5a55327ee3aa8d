"""The only package that runs anything: Docker, sandbox, probe, drills."""
