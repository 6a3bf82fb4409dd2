"""`lab ladder`: a scenario run now, or a capture, as a ladder: in text, as a Mermaid diagram, as an SVG picture."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from lab.cli.ends import CANNOT, complain
from lab.cli.sources import capture_of, is_capture, refuse_a_run, run_now
from lab.report.files import write_whole
from lab.report.ladder import ladder
from lab.report.mermaid import fenced, mermaid
from lab.report.svg import svg
from lab.report.terminal import Screen
from lab.report.text import ascii_text, plain, wrapped
from lab.scenario.errors import UsageError
from lab.scenario.record import Result
from lab.scenario.retold import alone, retold

BARE = (".mmd", ".mermaid")
"""Files of this kind hold a Mermaid diagram without Markdown's fence."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    what: str
    """The path of a capture, or a scenario's name."""
    form: str = "text"
    """"text", "mermaid" or "svg"."""
    scaled: bool = False
    connection: str = ""
    """The one connection to draw, "" for all."""
    frames: bool = False
    width: int | None = None
    out: Path | None = None
    family: str = "ipv4"
    seed: int | None = None


def show_ladder(asked: Asked) -> int:
    """Print the ladder; the exit code. Raises UsageError, CannotRun, CannotWrite, OSError."""
    _refuse_what_means_nothing(asked)
    path = Path(asked.what)
    notes: list[str] = []
    if is_capture(path):
        refuse_a_run(asked.what, ipv6=asked.family == "ipv6", seed=asked.seed)
        found, notes = capture_of(path)
        result = retold(found.frames, found.times, name=asked.what, comments=found.comments)
        code = CANNOT if found.damage else 0
        if not result.isns:
            raise UsageError(f"{asked.what} holds no TCP segment: `lab layers {asked.what}` shows what it holds")
    else:
        done = run_now(asked.what, family=asked.family, seed=asked.seed)
        result, code = done.results[0], done.exit_code
    if asked.connection:
        result = _one_connection(result, asked)
    _print(result, asked, notes)
    return code


def _refuse_what_means_nothing(asked: Asked) -> None:
    if asked.what == "-":
        raise UsageError("lab ladder reads no packets from standard input: name a capture's file, or a scenario")
    if asked.scaled and asked.form != "svg":
        raise UsageError("--to-scale is for a picture: say --svg too")
    if asked.width is not None and asked.form != "text":
        raise UsageError(f"--width is for the ladder in text, and --{asked.form} has a width of its own: leave it out")


def _one_connection(result: Result, asked: Asked) -> Result:
    try:
        return alone(result, asked.connection)
    except LookupError:
        names = list(result.isns)
        some = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
        there = f"there is {some}" if len(names) == 1 else f"there are {some}" if names else "there is none at all"
        raise UsageError(f"--connection {asked.connection}: {asked.what} has no such connection, {there}") from None


def _print(result: Result, asked: Asked, notes: list[str]) -> None:
    screen = Screen(width=asked.width)
    if asked.form == "text":
        lines = ladder(result, width=screen.width, glyphs=screen.glyphs, frames=asked.frames)
        lines += [line for note in notes for line in wrapped(note, screen.width, style="warn", whole=True)]
        if asked.out is not None:
            write_whole(asked.out, plain(lines) + "\n", option="--out")
        else:
            screen.show(lines)
            sys.stdout.flush()
        return
    for problem in result.problems if not result.packets else []:
        notes.append(f"{problem.message}{f': {problem.next_step}' if problem.next_step else ''}")
    if asked.form == "svg":
        text = svg(result, scaled=asked.scaled, frames=asked.frames)
    else:
        text = mermaid(result, frames=asked.frames)
        if asked.out is None or asked.out.suffix.lower() not in BARE:
            text = fenced(text)
    if asked.out is not None:
        write_whole(asked.out, text, option="--out")
    elif screen.unicode:
        sys.stdout.write(text)
    elif asked.form == "svg":
        sys.stdout.write(text.encode("ascii", "xmlcharrefreplace").decode("ascii"))
    else:
        sys.stdout.write(ascii_text(text))
    sys.stdout.flush()
    for note in notes:
        complain(note)
