"""Somebody who takes a lesson: types lines into a real shell, and keeps what was drawn."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.explore.errors import CommandError
from lab.explore.lessons.lesson import load
from lab.explore.lessons.tutor import Tutor
from lab.explore.session import Session
from lab.explore.shell import Shell
from lab.report.terminal import Screen
from lab.report.text import UNICODE
from lab.scenario.record import Result
from lab.testbed.sandbox import Sandboxes


class Pupil:
    """Takes one lesson in a sandbox of its own."""

    def __init__(
        self,
        sandboxes: Sandboxes,
        out: Path,
        name: str,
        language: str = "en",
        *,
        width: int = 80,
        served_by: tuple[str, str] | None = None,
    ) -> None:
        self.screen = Screen(width=width)
        self.screen.unicode, self.screen.glyphs = True, UNICODE
        self.screen.console.file = io.StringIO()
        lesson = load(name, language)

        def begin(session: str) -> Session:
            serve, path = served_by or (None, "")
            testbed = sandboxes.make(serve=serve, path=(path,) if path else ())
            return Session(testbed, "ipv4", seed=7, name=session)

        self.shell = Shell(begin, self.screen, panel=False, out=out, guide=lambda shell: Tutor(lesson, shell))
        assert isinstance(self.shell.guide, Tutor)
        self.walk = self.shell.guide.walk
        self._read = 0

    def types(self, *lines: str) -> str:
        """Type the lines; what was drawn since the last time, each sentence on one line."""
        for line in lines:
            self.screen.show([[("> ", ""), (line, "")]])
            try:
                self.shell.do(line)
            except CommandError as error:
                self.shell.complain(error)
        return self.read()

    def goes_on(self) -> str:
        """Do what the step asks for, as the lesson itself would type it."""
        asked = self.walk.stage.id
        said = self.types(*(line.format(**self.walk.known()) for line in self.walk.stage.types))
        assert self.walk.finished or self.walk.stage.id != asked, f"{asked} goes on\n{said}"
        return said

    def comes_to(self, step: str) -> None:
        """Do all up to the step with that id."""
        while self.walk.stage.id != step:
            assert not self.walk.finished, f"there is no step {step}"
            self.goes_on()
        self.read()

    def finishes(self) -> str:
        """Do all that is left; what was drawn."""
        said = []
        while not self.walk.finished:
            said.append(self.goes_on())
        return "\n".join(said)

    def read(self) -> str:
        """What was drawn since the last time, with the lines of a sentence joined."""
        said = self.drawn[self._read :]
        self._read = len(self.drawn)
        return re.sub(r"\n +(?=\S)", " ", said) if said else ""

    @property
    def drawn(self) -> str:
        """All that was drawn."""
        file = self.screen.console.file
        assert isinstance(file, io.StringIO)
        return file.getvalue()

    def ends(self) -> Result:
        """Leave."""
        return self.shell.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shell.session.testbed.close()
