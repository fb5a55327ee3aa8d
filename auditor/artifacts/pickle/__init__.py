"""The abstract pickle machine, the verdict over what it sees, and the facts it leaves."""
