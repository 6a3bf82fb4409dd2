"""`lab explore`: a session at a prompt, from a script, or led by a lesson."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lab import __version__
from lab.cli.ends import end_on_sigterm
from lab.cli.ground import Ground as Where
from lab.explore.ground import Ground
from lab.report.files import folder_for
from lab.report.json_report import document, dumps
from lab.report.terminal import Screen
from lab.report.text import wrapped
from lab.scenario.errors import UsageError

if TYPE_CHECKING:
    from lab.explore.lessons.lesson import Lesson
    from lab.explore.lessons.tutor import Tutor
    from lab.explore.session import Session


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    where: Where
    family: str = "ipv4"
    seed: int | None = None
    script: Path | None = None
    brief: bool = False
    """The ladder alone, without what stands below it."""
    as_json: bool = False
    out: Path = Path("lab-out")
    lesson: str | None = None
    """Who leads: a lesson's name, or "list"."""
    lang: str | None = None


def explore(wanted: Wanted) -> int:
    """Play a session; the exit code of `lab run` for what was seen. Raises UsageError, CannotRun, CannotWrite."""
    screen = Screen(stderr=wanted.as_json)
    lesson = _lesson(wanted, screen)
    if wanted.lesson == "list":
        return 0
    lines, name = _script(wanted)
    end_on_sigterm()
    with Ground(wanted.where.testbed, wanted.where.options, wanted.family) as ground:  # type: ignore[arg-type]
        from lab.explore.lessons.tutor import Tutor
        from lab.explore.session import Session  # and Scapy with it, while the sandbox's helper starts
        from lab.explore.shell import Shell, play_script

        folder_for(wanted.out, option="--out")
        seed = secrets.randbelow(2**32) if wanted.seed is None else wanted.seed

        def begin(name: str) -> Session:
            return Session(ground.fresh(), ground.family, seed=seed, name=name, echoing=ground.echoing)

        panel = lesson is None and not wanted.brief
        led = partial(Tutor, lesson) if lesson else None
        shell = Shell(begin, screen, panel=panel, out=wanted.out, guide=led)
        stopped = ""
        try:
            if lines is None:
                from lab.explore.prompt import converse

                converse(shell, wanted.out)
            else:
                stopped = play_script(shell, lines, name)
        except BaseException:  # a signal, say: what was seen is worth its capture
            with suppress(OSError):
                shell.end()
            raise
        shell.end()
        if stopped:
            screen.show(wrapped(stopped, screen.width, style="warn", first=f"{screen.glyphs.warn} "))
        run = shell.run(__version__, wanted.where.testbed)
    code = run.exit_code
    if stopped and code != 1:  # a violation weighs more than a line that could not be done
        code = 2
    elif isinstance(shell.guide, Tutor):
        screen.show(shell.guide.ends())
        code = _of_lesson(code, shell.guide)
    elif lines is None and not any(result.packets for result in run.results):
        code = 0  # somebody has had a look, and left
    if wanted.as_json:
        told = {**document(run, timeline=True), "exit_code": code}
        encoding = cast(str | None, getattr(sys.stdout, "encoding", None)) or "ascii"
        sys.stdout.write(dumps(told, ascii_only=not encoding.lower().startswith("utf")))
    return code


def _of_lesson(code: int, tutor: Tutor) -> int:
    """The verdict's exit code where the lesson was finished; else 3, unless the server broke a rule."""
    return 1 if code == 1 or tutor.walk.violated else code if tutor.walk.finished else 3


def _lesson(wanted: Wanted, screen: Screen) -> Lesson | None:
    """The lesson that is to lead. Raises UsageError."""
    if wanted.lesson is None:
        if wanted.lang is not None:
            raise UsageError("--lang is for lessons: `lab explore --lesson three-way --lang zh`")
        return None
    from lab.explore.lessons.language import language
    from lab.explore.lessons.lesson import known, load, titles

    spoken, instead = language(wanted.lang, os.environ, screen.console.encoding)
    if instead:
        screen.show(wrapped(instead, screen.width, style="warn", first=f"{screen.glyphs.warn} "))
    if wanted.lesson == "list":
        screen.show([[(name.ljust(15), "peer"), (title, "")] for name, title in titles(spoken).items()])
        return None
    name = known(wanted.lesson)
    if wanted.where.testbed == "target":
        raise UsageError("--lesson tells the server's program what to do: use the sandbox, or --testbed host")
    return load(name, spoken)


Commands = list[tuple[int, str]]
"""The commands of a script, each with the number of its line."""


def _script(wanted: Wanted) -> tuple[Commands | None, str]:
    """The commands of the script, and what it is called; None where a person types. Raises UsageError."""
    if wanted.script is None and sys.stdin.isatty():
        if wanted.as_json:
            raise UsageError("--json is for scripts: `lab explore --json < script`, or --script FILE")
        return None, ""
    if wanted.script is None or str(wanted.script) == "-":
        try:
            commands = _commands(sys.stdin.buffer.read())
        except (OSError, ValueError):
            raise UsageError("standard input is no text in UTF-8: a script has a command a line") from None
        if not commands:
            raise UsageError(
                "standard input has no command: write one a line, as in `echo syn | lab explore`, or use a terminal"
            )
        return commands, "standard input"
    try:
        commands = _commands(wanted.script.read_bytes())
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is no text").lower()
        raise UsageError(f"--script: cannot read {wanted.script}: {reason}") from None
    if not commands:
        raise UsageError(f"--script: {wanted.script} has no command: write one a line, `syn` first")
    return commands, str(wanted.script)


def _commands(script: bytes) -> Commands:
    """The lines that are commands, however they end, behind a byte order mark or none. Raises ValueError: no text."""
    if b"\0" in script:
        raise ValueError("no text")
    lines = enumerate(script.decode("utf-8-sig").replace("\r\n", "\n").split("\n"), 1)
    stripped = ((number, line.strip()) for number, line in lines)
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]
