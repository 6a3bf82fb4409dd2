"""`lab layers`: the packets of a capture, or of a scenario run now, by their layers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.cli.ends import CANNOT
from lab.cli.sources import capture_of, is_capture, refuse_a_run, run_now
from lab.layers.dissect import dissect
from lab.report.json_report import dumps
from lab.report.layers import Capture, capture_as_json, headed, overview, page
from lab.report.terminal import Screen
from lab.report.text import FAMILIES, Line, count, mark, wrapped
from lab.scenario.errors import UsageError


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    what: str
    """The path of a capture, or a scenario's name."""
    packets: tuple[int, ...] = ()
    """The packets to draw as pages, from 1; from the end, from -1."""
    every: bool = False
    """Each as a page."""
    as_json: bool = False
    family: str = "ipv4"
    seed: int | None = None


def show_layers(asked: Asked) -> int:
    """Print the packets by layers; the exit code. Raises UsageError, CannotRun, OSError."""
    screen = Screen()
    head: list[Line] = []
    path = Path(asked.what)
    if asked.every and asked.packets:
        raise UsageError("--all shows each packet, --packet some: say one of them")
    if is_capture(path):
        refuse_a_run(asked.what, ipv6=asked.family == "ipv6", seed=asked.seed)
        capture, code, facts = _of_file(path)
        head = [[(asked.what, "head"), (f"  {count(len(capture.packets), 'packet')}", "dim")], []]
    else:
        capture, code, facts, head = _of_scenario(asked, screen)
    chosen = _chosen(asked, len(capture.packets))
    if asked.as_json:
        told = {**facts, **capture_as_json(capture, chosen), "notes": capture.notes}
        sys.stdout.write(dumps(told, ascii_only=not screen.unicode))
        return code
    screen.show(head)
    for i, number in enumerate(chosen):
        if i:
            screen.show([[], [(screen.glyphs.dash * min(screen.width, 120), "dim")]])
        screen.show(page(capture, number, width=screen.width, glyphs=screen.glyphs))
    if not chosen:
        screen.show(overview(capture, width=screen.width, glyphs=screen.glyphs))
        if capture.packets:
            screen.show([[], *_next_step(asked, screen.width)])
    for note in capture.notes:
        screen.show(wrapped(note, screen.width, style="warn", whole=True))
    sys.stdout.flush()
    return code


def _chosen(asked: Asked, there: int) -> list[int]:
    """The numbers of the packets to draw as pages. Raises UsageError for one that there is not."""
    if asked.every:
        return list(range(1, there + 1))
    for number in asked.packets:
        if not 1 <= abs(number) <= there:
            has = count(there, "packet")
            raise UsageError(f"--packet {number}: there is no such packet, {asked.what} has {has} that can be shown")
    return list(dict.fromkeys(n if n > 0 else there + 1 + n for n in asked.packets))


def _of_file(path: Path) -> tuple[Capture, int, dict[str, Any]]:
    found, notes = capture_of(path)
    capture = Capture(dissect(found.frames), found.times)
    capture.notes += notes
    return capture, CANNOT if found.damage else 0, {"capture": str(path)}


def _of_scenario(asked: Asked, screen: Screen) -> tuple[Capture, int, dict[str, Any], list[Line]]:
    done = run_now(asked.what, family=asked.family, seed=asked.seed)
    result = done.results[0]
    packets = result.packets
    first = packets[0].timestamp if packets else 0.0
    capture = Capture(dissect([p.frame for p in packets]), [round(p.timestamp - first, 6) for p in packets])
    capture.notes += [f"{p.message}{f': {p.next_step}' if p.next_step else ''}" for p in result.problems]
    sign, style = mark(result.verdict, screen.glyphs)
    told = [
        (f"{result.name} over {FAMILIES[result.family]}", "head"),
        (count(len(packets), "packet"), "dim"),
        (f"{sign} {result.verdict}", style),
        (f"seed {done.seed}", "dim"),
    ]
    head = [*headed(told, screen.width), []]
    facts = {"scenario": result.name, "family": result.family, "verdict": str(result.verdict), "seed": done.seed}
    return capture, done.exit_code, facts, head


def _next_step(asked: Asked, width: int) -> Sequence[Line]:
    """How to see more of one packet."""
    text = f"`lab layers {asked.what} --packet N` shows one packet octet by octet, `--all` each of them."
    return wrapped(text, width, style="dim", whole=True)
