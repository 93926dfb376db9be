"""The options of every command that prints figures and shows what it does."""

from __future__ import annotations

import argparse


def add_console_options(command: argparse.ArgumentParser) -> None:
    """Add --json, --verbose and --debug."""
    command.add_argument("--json", action="store_true", help="print the figures as JSON and nothing else")
    command.add_argument("-v", "--verbose", action="store_true", help="show what is done and what libraries say")
    command.add_argument("--debug", action="store_true", help="show the traceback of an error")
