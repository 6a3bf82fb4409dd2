"""The `lab` command: parse, call, print. It imports what a command needs when that command runs, and nothing before."""

from __future__ import annotations

from lab.cli.commands import app


def main() -> None:
    """The entry point of the `lab` command. Ends the process with one of the exit codes of `lab.cli.ends`."""
    app(prog_name="lab")
