"""What keeps a testbed from standing."""

from __future__ import annotations


class CannotRun(Exception):
    """The system, or what is missing on it, forbids this testbed: one sentence, and what the reader can do."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(f"{message} {next_step}".strip())
        self.message = message
        self.next_step = next_step


class TargetRefused(CannotRun):
    """The target is a public address and nobody has said that it may be tested."""
