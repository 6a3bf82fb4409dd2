"""What a command looks at: a capture file, or a scenario that is run now."""

from __future__ import annotations

import secrets
from pathlib import Path

from lab.cli.ends import end_on_sigterm
from lab.layers.capture import ReadCapture, read
from lab.scenario.catalogue import load
from lab.scenario.errors import UsageError
from lab.scenario.record import Run
from lab.wire.errors import CaptureError

SUFFIXES = (".pcap", ".pcapng", ".cap", ".dump")


def is_capture(path: Path) -> bool:
    """Whether a word means a file of packets rather than a scenario. Raises UsageError where such a file is missing."""
    if path.suffix == ".py" or path.is_dir():
        return False
    if path.exists():
        return True
    if path.suffix.lower() in SUFFIXES:
        raise UsageError(f"there is no file {path}: name a capture, or a scenario (`lab list` shows them)")
    return False


def refuse_a_run(what: str, *, ipv6: bool, seed: int | None) -> None:
    """Raises UsageError for an option that says how to run a scenario: a capture is read as it is."""
    options = ["--ipv6"] * ipv6 + ["--seed"] * (seed is not None)
    if options:
        says, them = ("say", "them") if len(options) > 1 else ("says", "it")
        raise UsageError(
            f"{' and '.join(options)} {says} how a scenario is run, and {what} is a capture: leave {them} out"
        )


def capture_of(path: Path) -> tuple[ReadCapture, list[str]]:
    """The packets of a file, and what is to be said of how far they could be read. Raises UsageError, OSError."""
    try:
        found = read(path)
    except CaptureError as error:
        raise UsageError(f"{path}: {error}") from None
    notes: list[str] = []
    if found.damage:
        notes.append(f"read only so far: {found.damage}")
    if found.more:
        shown = f"{len(found.frames):,} packet{'s' * (len(found.frames) != 1)}"
        notes.append(f"the capture goes on; the first {shown} are shown: cut out what you want to see")
    return found, notes


def run_now(what: str, *, family: str, seed: int | None) -> Run:
    """Run the one scenario that a word means, in a sandbox.

    Raises UsageError where it means none or several, CannotRun.
    """
    try:
        scenarios = load([what])
    except UsageError:
        if held := _capture_in(Path(what)):
            raise UsageError(f"{what} is a folder: name one of its captures, such as {held}") from None
        raise
    if len(scenarios) != 1:
        some = ", ".join(s.name for s in scenarios[:4]) + (" …" if len(scenarios) > 4 else "")
        raise UsageError(f"{what} means {len(scenarios)} scenarios ({some}): name one")
    from lab.scenario.runner import Plan, run

    end_on_sigterm()
    chosen = secrets.randbelow(2**32) if seed is None else seed
    return run(Plan(scenarios=scenarios, families=(family,), testbed="sandbox", seed=chosen))  # type: ignore[arg-type]


def _capture_in(folder: Path) -> Path | None:
    """The first capture in a folder or below it."""
    if not folder.is_dir():
        return None
    return min((path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES), default=None)
