"""`lab layers`: the packets of a capture, or of a scenario run now, by their layers."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.cli.ends import CANNOT, end_on_sigterm
from lab.layers.capture import read
from lab.layers.dissect import dissect
from lab.report.json_report import dumps
from lab.report.layers import Capture, capture_as_json, headed, overview, page
from lab.report.terminal import Screen
from lab.report.text import FAMILIES, Line, count, mark, wrapped
from lab.scenario.catalogue import load
from lab.scenario.errors import UsageError
from lab.wire.errors import CaptureError

SUFFIXES = (".pcap", ".pcapng", ".cap", ".dump")


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
        _refuse_a_run(asked)
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


def _refuse_a_run(asked: Asked) -> None:
    """Raises UsageError for an option that says how to run a scenario: a capture is read as it is."""
    options = ["--ipv6"] * (asked.family == "ipv6") + ["--seed"] * (asked.seed is not None)
    if options:
        says, them = ("say", "them") if len(options) > 1 else ("says", "it")
        raise UsageError(
            f"{' and '.join(options)} {says} how a scenario is run, and {asked.what} is a capture: leave {them} out"
        )


def _chosen(asked: Asked, there: int) -> list[int]:
    """The numbers of the packets to draw as pages. Raises UsageError for one that there is not."""
    if asked.every:
        return list(range(1, there + 1))
    for number in asked.packets:
        if not 1 <= abs(number) <= there:
            has = count(there, "packet")
            raise UsageError(f"--packet {number}: there is no such packet, {asked.what} has {has} that can be shown")
    return list(dict.fromkeys(n if n > 0 else there + 1 + n for n in asked.packets))


def is_capture(path: Path) -> bool:
    """Whether a word means a file of packets rather than a scenario. Raises UsageError where such a file is missing."""
    if path.suffix == ".py" or path.is_dir():
        return False
    if path.exists():
        return True
    if path.suffix.lower() in SUFFIXES:
        raise UsageError(f"there is no file {path}: name a capture, or a scenario (`lab list` shows them)")
    return False


def _of_file(path: Path) -> tuple[Capture, int, dict[str, Any]]:
    try:
        found = read(path)
    except CaptureError as error:
        raise UsageError(f"{path}: {error}") from None
    capture = Capture(dissect(found.frames), found.times)
    if found.damage:
        capture.notes.append(f"read only so far: {found.damage}")
    if found.more:
        shown = count(len(capture.packets), "packet")
        capture.notes.append(f"the capture goes on; the first {shown} are shown: cut out what you want to see")
    return capture, CANNOT if found.damage else 0, {"capture": str(path)}


def _of_scenario(asked: Asked, screen: Screen) -> tuple[Capture, int, dict[str, Any], list[Line]]:
    try:
        scenarios = load([asked.what])
    except UsageError:
        if held := _capture_in(Path(asked.what)):
            raise UsageError(f"{asked.what} is a folder: name one of its captures, such as {held}") from None
        raise
    if len(scenarios) != 1:
        some = ", ".join(s.name for s in scenarios[:4]) + (" …" if len(scenarios) > 4 else "")
        raise UsageError(f"{asked.what} means {len(scenarios)} scenarios ({some}): name one")
    from lab.scenario.runner import Plan, run

    end_on_sigterm()
    seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
    plan = Plan(scenarios=scenarios, families=(asked.family,), testbed="sandbox", seed=seed)  # type: ignore[arg-type]
    done = run(plan)
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
        (f"seed {seed}", "dim"),
    ]
    head = [*headed(told, screen.width), []]
    facts = {"scenario": result.name, "family": result.family, "verdict": str(result.verdict), "seed": seed}
    return capture, done.exit_code, facts, head


def _capture_in(folder: Path) -> Path | None:
    """The first capture in a folder or below it."""
    if not folder.is_dir():
        return None
    return min((path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES), default=None)


def _next_step(asked: Asked, width: int) -> Sequence[Line]:
    """How to see more of one packet."""
    text = f"`lab layers {asked.what} --packet N` shows one packet octet by octet, `--all` each of them."
    return wrapped(text, width, style="dim", whole=True)
