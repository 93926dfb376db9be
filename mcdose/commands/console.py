"""What the user sees on stderr while a command runs: messages of the log and a progress bar."""

from __future__ import annotations

import logging
import shutil
import sys
import time

BAR_WIDTH = 30
REDRAW_S = 0.1


class Console(logging.Handler):
    """Shows the log of mcdose: warnings once `show_held` is called, everything at once when verbose.

    Warnings are held back while the input is checked, so that bad input ends in its one line of error.

    Attributes
    ----------
    warnings : all warnings so far
    """

    def __init__(self, *, verbose: bool, silent: bool) -> None:
        super().__init__(logging.INFO)
        self.warnings: list[str] = []
        self._verbose = verbose
        self._silent = silent and not verbose
        self._held: list[str] | None = []
        self._bar_shown = False
        self._bar_drawn = -1.0
        self._started = 0.0

    def __enter__(self) -> Console:
        log = logging.getLogger("mcdose")
        self._level = log.level
        log.setLevel(logging.INFO)
        log.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
        log = logging.getLogger("mcdose")
        log.removeHandler(self)
        log.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        """Show, hold or drop a message of the log."""
        message = record.getMessage()
        is_warning = record.levelno >= logging.WARNING
        if is_warning:
            self.warnings.append(message)
        if self._verbose:
            self.say(f"{record.levelname.lower()}: {message}")
        elif is_warning and self._held is not None:
            self._held.append(message)
        elif is_warning:
            self.say(f"warning: {message}")
        elif message.startswith(("compiling", "simulating")):  # what takes long
            self.say(message)

    def show_held(self) -> None:
        """Show the warnings that were held back, and hold no more."""
        held, self._held = self._held or [], None
        for message in held:
            self.say(f"warning: {message}")

    def say(self, message: str) -> None:
        """Write a line to stderr."""
        if not self._silent:
            self.clear()
            print(f"mcdose: {message}", file=sys.stderr, flush=True)

    def progress(self, done: int, total: int | None) -> None:
        """Draw how many histories are done, if stderr is a terminal."""
        self._draw(done, total, f"{done / 1e6:.2f} M histories")

    def reading(self, done: int, total: int) -> None:
        """Draw how much of an image is read, likewise."""
        self._draw(done, total, "reading images")
        if done == total:
            self.clear()

    def _draw(self, done: int, total: int | None, what: str) -> None:
        now = time.monotonic()
        if not self._bar_shown:
            self._started = now
        if self._silent or not sys.stderr.isatty() or (now - self._bar_drawn < REDRAW_S and done != total):
            return
        self._bar_drawn = now
        line = bar(done, total, now - self._started, what)
        sys.stderr.write("\r" + line[: shutil.get_terminal_size().columns - 1].ljust(len(line)))
        sys.stderr.flush()
        self._bar_shown = True

    def clear(self) -> None:
        """Wipe the bar off its line."""
        if self._bar_shown:
            sys.stderr.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            sys.stderr.flush()
            self._bar_shown = False


def bar(done: int, total: int | None, seconds: float, what: str) -> str:
    """Format progress as one line: a bar, the share, what is done, the time still to go."""
    if not total:
        return f"{what}, {seconds:.0f} s"
    share = min(done / total, 1.0)
    filled = round(BAR_WIDTH * share)
    rest = f", {seconds * (1.0 / share - 1.0):.0f} s to go" if share > 0.0 and seconds > 0.0 else ""
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {share:4.0%}  {what}{rest}"
