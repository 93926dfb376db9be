"""Exceptions that a caller may want to catch by name."""


class InputError(ValueError):
    """A file or folder cannot be used; the message names it, the rule and the value found."""


class Cancelled(RuntimeError):
    """A run was cancelled before its first batch ended, so there is no result to give."""
