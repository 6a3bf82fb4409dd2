"""The shell of a session: takes lines one after another, does them, and shows what came of them.

A prompt and a script feed it alike, so that what is shown and how it ends do not depend on who types.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from lab.explore.commands.help import told
from lab.explore.commands.looks import Page
from lab.explore.commands.table import find
from lab.explore.errors import CommandError, Over, Quit
from lab.explore.guide import Guide
from lab.explore.session import NAME, Session, Step
from lab.explore.view import View
from lab.report.captures import write_capture
from lab.report.files import CannotWrite
from lab.report.rungs import beside_the_point
from lab.report.terminal import Screen
from lab.report.text import Line, count, mark, wrapped
from lab.scenario.record import Result, Run, Verdict


class Shell:
    """Does what is typed."""

    def __init__(
        self,
        begin: Callable[[str], Session],
        screen: Screen,
        *,
        panel: bool = True,
        out: Path,
        guide: Callable[[Shell], Guide] | None = None,
    ) -> None:
        """`guide` makes the one who leads the person, where somebody shall."""
        self._begin = begin
        self.screen = screen
        self.out = out
        self.view = View(screen.glyphs, panel=panel)
        self.ended: list[Result] = []
        """What earlier sessions came to: `restart` ends one."""
        self.steps: list[Step] = []
        self._drawn = 0
        self._waits = False
        """Whether the person was told that the step takes its time."""
        self.guide = guide(self) if guide is not None else None
        self.session = self._start()

    def _start(self) -> Session:
        session = self._begin(f"{NAME}-{len(self.ended) + 1}" if self.ended else NAME)
        session.on_wait = self._draw_meanwhile
        self._drawn = 0
        self.view = View(self.screen.glyphs, panel=self.view.panel, patient=self.guide is not None)
        self.show(self.view.head(session, self.screen.width))
        self.session = session
        self._show_step(session.begin())
        if self.guide is not None:
            self.guide.starts(session)
            self._show_told()
        return session

    # Lines

    def do(self, line: str) -> Step | None:
        """Do one line; the step that came of it, where it was one. Raises CommandError, Over, Quit, CannotWrite."""
        line = line.strip()
        if not line or line.startswith("#"):
            return None
        try:
            command, rest = find(line)
        except CommandError:
            if self.guide is None or not self.guide.asks:
                raise
            command, rest = find(f"answer {line}")  # nothing else can be meant while a question is open
        looks = command.act is None or command.name == "quit"
        if rest.strip() and not command.usage and looks:
            raise CommandError(f"`{command.name}` stands alone, and {rest.strip()!r} stands behind it")
        if command.name == "restart":
            self.end()
            self._start()
            return None
        if command.name == "help":
            self.show(told(rest, min(self.screen.width, 100), lesson=self.guide is not None))
            return None
        if command.look is not None:
            page = Page(self.session, self.screen.width, self.screen.glyphs, self.guide)
            self.show([*command.look(page, rest), []])
            if self.guide is not None:
                self.guide.looked(command, rest)
                self._show_told()
            return None
        if command.name == "quit":
            raise Quit
        if self.guide is None:
            return self.act(line)
        self.guide.allows(command, rest)
        step: Step | None = None
        try:
            step = self.act(line)
        except CommandError as error:
            if not self.guide.refused(command, rest):
                raise
            self.complain(error)
        if step is not None:
            self.guide.happened(command, step)
        self._show_told()
        return step

    def act(self, line: str) -> Step:
        """Do a line that is a step, and show what came of it. Raises CommandError, Over."""
        command, rest = find(line)
        act = command.act
        if act is None:
            raise CommandError(f"`{command.name}` is no step", "only what sends, calls or waits is")
        return self.does(line, lambda: act(self.session, rest))

    def does(self, line: str, act: Callable[[], None]) -> Step:
        """Do something as a step, and show what came of it. Raises CommandError, Over."""
        self._waits = False
        with self._interruptible():
            step = self.session.step(line, act)
        if self.session.interrupted and self._rows is not None:
            self.show([[]])  # behind the ^C that the terminal has echoed
        self.steps.append(step)
        self._show_step(step)
        if self.session.notice:
            self.show([[(self.session.notice, "dim")], []])
            self.session.notice = ""
        return step

    def overhear(self) -> list[Line]:
        """What came while nobody typed, drawn; nothing where nothing did."""
        step = self.session.overhear()
        if step is None:
            return []
        lines = self.view.step(step, self.session, self.screen.width, rows=self._rows)
        if self.guide is not None:
            self.guide.overheard(step)
            lines += self.guide.told(self.screen.width)
        return lines

    def complain(self, error: Exception) -> None:
        """Say what cannot be done, and where in the line it went wrong."""
        lines = wrapped(str(error), min(self.screen.width, 100), style="warn", first=f"{self.screen.glyphs.warn} ")
        if isinstance(error, CommandError) and error.at is not None and len(error.text) < self.screen.width - 4:
            lines = [[("    " + error.text, "")], [("    " + " " * error.at + "^", "warn")], *lines]
        self.show(lines)

    def show(self, lines: list[Line]) -> None:
        """Print."""
        self.screen.show(lines)
        self.screen.console.file.flush()

    def _show_step(self, step: Step) -> None:
        if lines := self.view.step(step, self.session, self.screen.width, drawn=self._drawn, rows=self._rows):
            self.show([*lines, []])
        self._drawn = 0

    @property
    def _rows(self) -> int | None:
        """The rows of the terminal, None where there is none."""
        return self.screen.console.height if self.screen.console.is_terminal else None

    def _show_told(self) -> None:
        assert self.guide is not None
        if lines := self.guide.told(self.screen.width):
            self.show([*lines, []])

    def _draw_meanwhile(self) -> None:
        """Inside a step that takes its time: draw what has come since."""
        if not self._waits and self._rows is not None:
            self._waits = True
            self.show([[("waiting; Ctrl-C ends it", "dim")]])
        fresh = self.session.untold()[self._drawn :]
        if fresh:
            self._drawn += len(fresh)
            self.show(self.view.entries(self.session, self.screen.width, fresh))

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let a Ctrl-C end what waits, and nothing else: half a step would be in nobody's record."""

        def interrupt(number: int, frame: FrameType | None) -> None:
            self.session.interrupted = True

        self.session.interrupted = False
        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    # The end

    def end(self) -> Result:
        """End this session: its verdict, its capture. One in which nothing was sent has none of them."""
        session = self.session
        result = session.finish()
        session.testbed.close()
        self.ended.append(result)
        unwritten = self._keep(result)  # first of all: a terminal that was closed takes no line any more
        fresh = session.untold()
        if fresh:
            self.show(self.view.entries(session, self.screen.width, fresh))
        if not result.packets and not session.over:
            self.show([[("nothing was sent, so there is no verdict", "dim")]])
            return result
        if unwritten is not None:
            self.complain(unwritten)
        self.show(_verdict(result, session, self.screen))
        return result

    def _keep(self, result: Result) -> CannotWrite | None:
        """Write the capture of a session in which something was seen; why it cannot be, where it cannot."""
        if result.packets:
            try:
                write_capture(result, self.out)
            except CannotWrite as error:
                return error
        return None

    def run(self, version: str, testbed: str) -> Run:
        """All sessions of this shell, as a run of `lab run`: its exit code is that of their verdicts."""
        seconds = sum(result.seconds for result in self.ended)
        return Run(
            version, testbed, self.session.testbed.kernel, self.session.seed, results=self.ended, seconds=seconds
        )


def _verdict(result: Result, session: Session, screen: Screen) -> list[Line]:
    sign, style = mark(result.verdict, screen.glyphs)
    shown = [packet for packet in result.packets if not beside_the_point(packet, result)]
    steps, packets = count(len(session.lines), "step"), count(len(shown), "packet")
    if len(shown) < len(result.packets):
        packets += f" (and {len(result.packets) - len(shown)} of the lab's own probes and address resolution)"
    lines: list[Line] = [
        [(f"{sign} {result.verdict}", style), (f"  {steps}, {packets}, {count(result.checks, 'check')}", "")]
    ]
    violated = [p for p in result.problems if p.verdict is Verdict.VIOLATES]
    if violated:
        lines += wrapped(violated[0].message, screen.width, style="bad", first="  ")
    elif result.verdict is Verdict.INCONCLUSIVE and result.problems:
        lines += wrapped(result.problems[0].message, screen.width, style="warn", first="  ")
    for remark in result.remarks:
        lines += wrapped(f"{remark.verdict}: {remark.says}", screen.width, style="dim", first="  ", then="    ")
    if result.capture:
        lines += wrapped(f"capture in {result.capture}", screen.width, style="dim", first="  ", whole=True)
    lines.append([(f"  seed {session.seed}", "dim")])
    return lines


def play_script(shell: Shell, commands: list[tuple[int, str]], name: str) -> str:
    """Do each command of a script, whose line has that number; "", or where it stopped since one could not be done."""
    for i, (number, line) in enumerate(commands, 1):
        shell.show([[("> ", "dim"), (line, "head")]])
        try:
            shell.do(line)
        except Quit:
            return ""
        except CommandError as error:
            sys.stdout.flush()
            shell.complain(CommandError(f"{name}:{number}: {error}"))
            rest = count(len(commands) - i, "line")
            return f"stopped at line {number} of {name}" + (f": {rest} behind it not done" * (i < len(commands)))
        except (Over, CannotWrite) as error:
            shell.complain(error)
            return ""
    return ""
