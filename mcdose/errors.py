"""Exceptions that a caller may want to catch by name."""

LONGEST_MESSAGE = 2000


class InputError(ValueError):
    """A file or folder cannot be used; the message names it, the rule and the value found.

    What a hostile file puts in a message stays one line of printable text: line breaks become spaces, other control
    characters are escaped, the middle of a long message is left out.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.splitlines())
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        if len(line) > LONGEST_MESSAGE:
            line = f"{line[: LONGEST_MESSAGE // 2]} ... {line[-LONGEST_MESSAGE // 2 :]}"
        super().__init__(line)


class Cancelled(RuntimeError):
    """A run was cancelled before its first batch ended, or while images were read, so there is no result to give."""
