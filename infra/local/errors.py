"""Errors that end a command of the local stack."""


class Unable(Exception):
    """Explains why a command failed, and what to do."""
