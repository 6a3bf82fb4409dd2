"""What a person who plays by hand is told when a command cannot be done."""

from __future__ import annotations

from lab.scenario.errors import LabError


class CommandError(LabError):
    """A command makes no sense, or not now. Nothing was sent. The sentence says what to do instead."""

    def __init__(self, sentence: str, instead: str = "", *, text: str = "", at: int | None = None) -> None:
        """`at` is the place in `text` where it went wrong, a column from 0; None: no single one is to blame."""
        super().__init__(f"{sentence}: {instead}" if instead else sentence)
        self.text = text
        self.at = at


class Over(LabError):
    """The server, its agent or the link is gone: the session keeps what it has, and `restart` begins anew."""


class Quit(Exception):
    """The person has seen enough."""
