"""The `lab` command: parse, call, print. It imports what a command needs when that command runs, and nothing before."""

from __future__ import annotations

import sys

from lab.cli.commands import app
from lab.cli.ends import told


def main() -> None:
    """The entry point of the `lab` command. Ends the process with one of the exit codes of `lab.cli.ends`."""
    try:
        app(prog_name="lab")
    except OSError as error:  # typer's own help cannot be written
        sys.exit(told(error))
