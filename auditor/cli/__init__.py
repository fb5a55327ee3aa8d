"""Command-line front ends: arguments in, exit status out."""
