"""Leads a person through a lesson at the shell: what the walk says becomes lines, and its own commands are typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.explore.commands.table import Command
from lab.explore.lessons.lesson import Lesson
from lab.explore.lessons.walk import Kind, Walk
from lab.explore.session import Session, Step
from lab.report.text import Glyphs, Line
from lab.report.wide import wrapped
from lab.tcp.state import State

if TYPE_CHECKING:
    from lab.explore.commands.looks import Page
    from lab.explore.shell import Shell

WIDEST = 100
"""Columns of a text that is to be read."""
_STYLES: dict[Kind, str] = {
    "title": "head",
    "text": "",
    "where": "dim",
    "ask": "head",
    "right": "good",
    "wrong": "warn",
    "because": "dim",
    "hint": "call",
    "note": "dim",
    "done": "good",
    "bad": "bad",
}
_CLOSE = frozenset(
    [
        *(("title", "text"), ("where", "where"), ("where", "ask"), ("hint", "note")),
        *(("wrong", "because"), ("because", "because"), ("bad", "bad")),
    ]
)
"""What stands without an empty line between."""
_NO_SOCKET = (State.CLOSED, State.LISTEN)
"""What the kernel and the model say where nothing has come yet: to the kernel a listener is no connection."""
_MARGIN = "  "


class Tutor:
    """The guide of one lesson."""

    def __init__(self, lesson: Lesson, shell: Shell) -> None:
        self.lesson = lesson
        self.shell = shell
        self.walk = Walk(lesson, self)
        self._lines: list[tuple[Kind, str] | Line] = []
        self._shown: tuple[State, State] | None = None
        """The states that were shown last."""

    # What the shell asks (lab.explore.guide)

    @property
    def mark(self) -> str:
        """Which step it is, for the prompt."""
        walk = self.walk
        return f"{self.lesson.name} {'done' if walk.finished else f'{walk.at + 1}/{len(self.lesson.stages)}'}"

    @property
    def asks(self) -> bool:
        """Whether a question is open."""
        return not self.walk.finished and bool(self.walk.stage.question)

    def starts(self, session: Session) -> None:
        """A session begins."""
        self.walk.starts(session)

    def ends(self) -> list[Line]:
        """What is said to somebody who leaves."""
        self.walk.ends()
        return self.told(self.shell.screen.width)

    def allows(self, command: Command, rest: str) -> None:
        """Raises CommandError for what the lesson cannot let happen."""
        self.walk.allows(command, rest)

    def refused(self, command: Command, rest: str) -> bool:
        """Whether a command that could not be done was what the step wants to show."""
        return self.walk.refused(command)

    def happened(self, command: Command, step: Step) -> None:
        """Judge a step."""
        self.stands(self.shell.session, step)
        self.walk.happened(command, step)

    def overheard(self, step: Step) -> None:
        """Take note of what came by itself."""
        if _states(step) != self._shown or step.problems:  # a repeat changes nothing, and is not drawn either
            self.stands(self.shell.session, step)
        self.walk.overheard(step)

    def looked(self, command: Command, rest: str) -> None:
        """Take note of what was looked at."""
        self.walk.looked(command, rest)

    def asked(self, word: str, rest: str, page: Page) -> None:
        """hint, where, again, answer."""
        if word == "answer":
            self.walk.answer(rest)
            return
        {"hint": self.walk.hint, "where": self.walk.where, "again": self.walk.again}[word]()

    def told(self, width: int) -> list[Line]:
        """What was said since it was asked last."""
        said, self._lines = self._lines, []
        lines: list[Line] = []
        glyphs = self.shell.screen.glyphs
        last: Kind | None = None
        for one in said:
            kind: Kind | None = None
            if isinstance(one, tuple):
                kind = one[0]
                if lines and (last, kind) not in _CLOSE:
                    lines.append([])
                lines += _drawn(*one, width=min(width, WIDEST), glyphs=glyphs)
            else:
                lines.append(one)
            last = kind
        return lines

    # What the walk wants (lab.explore.lessons.walk.Teller)

    def says(self, kind: Kind, text: str) -> None:
        """Keep it until it can be shown."""
        self._lines.append((kind, text))

    def stands(self, session: Session, step: Step) -> None:
        """Both ends' states in a line, and a check where wire, socket and model agree on them."""
        where = step.standing
        if where is None:
            return
        self._shown = _states(step)
        glyphs = self.shell.screen.glyphs
        line: Line = [(f"{_MARGIN}lab ", "dim"), (str(where.lab.state), "peer"), ("  server ", "dim")]
        line.append((str(where.server.state), "server"))
        if where.kernel not in (None, where.server.state) and (where.kernel, where.server.state) != _NO_SOCKET:
            line += [("  kernel ", "dim"), (str(where.kernel), "server")]
        if not where.objection:
            line.append((f"  {glyphs.check}", "good"))
        self._lines.append(line)
        if session.hand.web is not None:
            self._lines.append([(f"{_MARGIN}WebSocket ", "dim"), (str(session.hand.web.state), "")])
        if not where.objection:
            return
        objection = f"{glyphs.cross} {where.objection}"
        self._lines += wrapped(objection, self.shell.screen.width, glyphs=glyphs, style="bad", first=_MARGIN)

    def checks(self, line: str, act: Callable[[], None]) -> Step:
        """Do what no line of a person does, and show it. Raises CommandError, Over."""
        return self.shell.does(line, act)

    def types(self, line: str) -> Step:
        """Do a line of the lesson's own. Raises CommandError, Over."""
        shell = self.shell
        if lines := self.told(shell.screen.width):
            shell.show([*lines, []])
        shell.show([[("> ", "dim"), (line, "dim")]])
        step = shell.act(line)
        self._shown = _states(step)  # what is asked next begins with them
        return step


def _states(step: Step) -> tuple[State, State] | None:
    """Where both ends stand, as far as anybody can say."""
    where = step.standing
    return (where.lab.state, where.server.state) if where is not None else None


def _drawn(kind: Kind, text: str, *, width: int, glyphs: Glyphs) -> list[Line]:
    signs = {"right": glyphs.check, "done": glyphs.check, "bad": glyphs.cross, "wrong": glyphs.warn}
    first = f"{signs[kind]} " if kind in signs else _MARGIN if kind == "because" else ""
    return wrapped(text, width, glyphs=glyphs, style=_STYLES[kind], first=first)
