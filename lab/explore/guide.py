"""What a shell needs of somebody who leads a person: a lesson, as `lab.explore.lessons.tutor` does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lab.report.text import Line

if TYPE_CHECKING:
    from lab.explore.commands.looks import Page
    from lab.explore.commands.table import Command
    from lab.explore.session import Session, Step


class Guide(Protocol):
    """Is told what was done, and says what to do next. Whatever it has to say waits until `told` is asked."""

    @property
    def mark(self) -> str:
        """What stands in the prompt: "three-way 2/7"."""

    @property
    def asks(self) -> bool:
        """Whether a question is open."""

    def starts(self, session: Session) -> None:
        """A session begins: the first one, or another after `restart`."""

    def allows(self, command: Command, rest: str) -> None:
        """Raises CommandError for a command that would take the lesson out of the person's hands."""

    def refused(self, command: Command, rest: str) -> bool:
        """A command could not be done. Whether that was what it takes, so that it is no mistake."""

    def happened(self, command: Command, step: Step) -> None:
        """A command was done, and this came of it."""

    def overheard(self, step: Step) -> None:
        """This came while nobody typed."""

    def looked(self, command: Command, rest: str) -> None:
        """Something was looked at."""

    def asked(self, word: str, rest: str, page: Page) -> None:
        """`hint`, `where`, `again`, or `answer` with what stands behind it. Raises CommandError."""

    def told(self, width: int) -> list[Line]:
        """What it has said since this was asked last, in lines of `width` columns at most."""
