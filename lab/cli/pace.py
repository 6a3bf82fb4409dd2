"""`lab show --step` and `--speed`: a run that was recorded a moment ago, shown at the reader's pace."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.cli.keys import Keys
from lab.report.terminal import Screen
from lab.report.text import Line, seconds, wrapped
from lab.scenario.errors import UsageError

if TYPE_CHECKING:
    from lab.explore.film import Film

TOLD = 1.0
"""Seconds: of a longer wait a reader at a terminal is told."""
_MOST_AT_ONCE = 3600.0
"""Seconds that are slept without a look at the clock."""
RECORDED = (
    "What follows was recorded a moment ago and is shown at your pace: while a run waited for its reader, the server's "
    "timers would go on running."
)
_HELP = (
    ("Enter, Space, right", "the next entry"),
    ("left, b", "back one"),
    ("g, G", "the first, the last"),
    ("p", "what stands below the ladder: on, off"),
    ("q", "the end: what came of it"),
    ("?", "this"),
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run is to be shown. Raises UsageError where that cannot be."""

    step: bool = False
    """At a key each."""
    speed: float | None = None
    """How many times faster than it happened."""

    def __post_init__(self) -> None:
        if self.step and self.speed is not None:
            raise UsageError("--step waits for a key and --speed for the clock: say one of them")
        if self.speed is not None and not (self.speed > 0 and math.isfinite(self.speed)):
            raise UsageError(
                f"--speed: {self.speed:g} is no pace: 1 is as it happened, 0.1 ten times slower, 10 ten times faster"
            )
        if self.step and not (_is_terminal(sys.stdin) and _is_terminal(sys.stdout)):
            raise UsageError("--step waits for the keys of a terminal, and this is none: --speed NUMBER needs none")

    def __bool__(self) -> bool:
        return self.step or self.speed is not None


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):  # None, or closed
        return False


def show(film: Film, screen: Screen, pace: Pace, *, seed: int) -> None:
    """Show the film at that pace, and what came of the run at the end."""
    screen.show([*wrapped(RECORDED, min(screen.width, 100), style="dim"), []])
    screen.show(film.head(screen.width))
    if film.shots and pace.step:
        with Keys() as keys:
            step(film, screen, keys.read)
    elif pace.speed is not None:
        play(film, screen, pace.speed)
    screen.show(film.close(screen.width, seed=seed))


def play(
    film: Film,
    screen: Screen,
    speed: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show each entry when it is due: as long after the first as it happened after it, divided by `speed`."""
    began = clock()
    for number in range(len(film)):
        due = began + (film.time(number) - film.time(0)) / speed
        left = due - clock()
        told = [[(f"the next entry in {seconds(left)}, Ctrl-C ends", "dim")]] if left >= TOLD else []
        with _below(screen, told):
            while (left := due - clock()) > 0:
                sleep(min(left, _MOST_AT_ONCE))
        _print(screen, film.shot(number, screen.width))


def step(film: Film, screen: Screen, key: Callable[[], str]) -> None:
    """Show the first entry, and then what each key asks for, until "quit" or "next" behind the last.

    `key` waits for a key and tells it as `lab.cli.keys` does. There is one entry at least.
    """
    at, last, below, helped = 0, len(film) - 1, True, False
    _print(screen, _shot(film, screen, 0, below))
    while True:
        with _below(screen, [*(_help(screen) if helped else []), _status(film, at)]):
            pressed = key()
        if pressed == "quit" or (pressed == "next" and at == last):
            return
        helped = pressed == "help"
        was, at = at, {"next": at + 1, "back": max(at - 1, 0), "first": 0, "last": last}.get(pressed, at)
        if pressed == "panel":
            below = not below
        if at > was:
            skipped = [line for i in range(was + 1, at) for line in film.rows(i, screen.width)]
            _print(screen, [*skipped, *_shot(film, screen, at, below)])
        elif at < was or pressed in ("panel", "resize"):
            _redraw(film, screen, at, below)


def _redraw(film: Film, screen: Screen, number: int, below: bool) -> None:
    """The whole ladder until this entry on an empty screen, as much of its end as there is room for."""
    before = film.anew(number, screen.width)
    lines = _shot(film, screen, number, below)
    if not screen.console.is_dumb_terminal:
        screen.console.file.write("\x1b[H\x1b[2J")
        before = before[max(len(before) - max(_room(screen) - len(lines), 0), 0) :]
    _print(screen, [*before, *lines])


def _shot(film: Film, screen: Screen, number: int, below: bool) -> list[Line]:
    return film.shot(number, screen.width, below=below, room=_room(screen))


def _room(screen: Screen) -> int:
    """Rows of the terminal above the line that waits for a key."""
    return screen.console.height - 1


def _print(screen: Screen, lines: list[Line]) -> None:
    screen.show(lines)
    screen.console.file.flush()


def _status(film: Film, at: int) -> Line:
    text = f"{at + 1}/{len(film)}"
    ends = "Enter ends" if at == len(film) - 1 else "Enter next"
    words = f"  {ends}  b back  p panel  q end  ? help"
    return [(text, "head"), (words, "dim")]


def _help(screen: Screen) -> list[Line]:
    lines: list[Line] = [[(f"  {keys:21}", "head"), (words, "")] for keys, words in _HELP]
    about = "The moves below are named as the commands of `lab explore` are, where you may make them."
    return [*lines, *wrapped(about, min(screen.width, 100), style="dim", first="  ")]


@contextmanager
def _below(screen: Screen, lines: list[Line]) -> Iterator[None]:
    """Lines that stand below all else, on a terminal, until the block ends."""
    if not lines or not screen.console.is_terminal:
        yield
        return
    console = screen.console
    room = console.width - 1
    cut_short = [_cut(line, room) for line in lines]
    screen.show(cut_short[:-1])
    console.print(screen.text(cut_short[-1]), end="", soft_wrap=True)
    console.file.flush()
    try:
        yield
    finally:
        if console.is_dumb_terminal:
            console.file.write("\n")
        else:
            up = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
            console.file.write(f"\r{up}\x1b[J")
        console.file.flush()


def _cut(line: Line, room: int) -> Line:
    """As much of the line as fits."""
    kept: Line = []
    for text, style in line:
        kept.append((text[:room], style))
        room -= len(text[:room])
    return kept
