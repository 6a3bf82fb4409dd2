"""`lab run`: from the words of the command line to a run, its report, its files and its exit code."""

from __future__ import annotations

import secrets
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from lab import __version__
from lab.cli import uninterrupted
from lab.cli.ends import Ended, end_on_sigterm
from lab.cli.ground import Ground
from lab.report.captures import write_capture
from lab.report.files import folder_for, write_whole
from lab.report.json_report import document, dumps
from lab.report.junit import junit
from lab.report.terminal import Progress, Screen, report
from lab.report.text import FAMILIES, count, seconds
from lab.scenario.catalogue import load
from lab.scenario.declare import Scenario
from lab.scenario.errors import UsageError
from lab.scenario.needs import offered, why_not
from lab.scenario.record import Result, Run


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for."""

    names: tuple[str, ...]
    ground: Ground
    families: tuple[str, ...] = ("ipv4", "ipv6")
    slow: bool | None = None
    """None: a slow scenario is run when it is named itself."""
    seed: int | None = None
    jobs: int | None = None
    fail_fast: bool = False
    verbose: bool = False
    as_json: bool = False
    junit: Path | None = None
    out: Path = Path("lab-out")


@dataclass(slots=True)
class Choice:
    """The scenarios to run, and what to say of those left out."""

    scenarios: list[Scenario]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What was still to be done when a run was interrupted."""

    total: int
    """Runs that were meant."""
    running: list[tuple[str, str]]
    """Name and family of those under way, the longest first."""

    def sentences(self, done: int) -> list[str]:
        """For the notes below a report."""
        told = [f"interrupted: {done} of {count(self.total, 'run')} done"]
        if self.running:
            some = [f"{name} over {FAMILIES[family]}" for name, family in self.running[:8]]
            more = [f"{len(self.running) - 8} more"] if len(self.running) > 8 else []
            told.append(f"still running: {', '.join([*some, *more])}")
        return told


def run_and_report(order: Order) -> int:
    """Run what is ordered, report it, write its files; the exit code.

    Raises UsageError, CannotRun, CannotWrite; KeyboardInterrupt and Ended after reporting what was done until then.
    """
    with uninterrupted():
        from lab.scenario.runner import Plan, run  # and Scapy with it

    end_on_sigterm()
    choice = choose(load(order.names), order)
    folder_for(order.out, option="--out")
    if order.junit is not None and order.junit.is_dir():
        raise UsageError(f"--junit: {order.junit} is a folder: name a file in it")
    seed = secrets.randbelow(2**32) if order.seed is None else order.seed
    plan = Plan(
        scenarios=choice.scenarios,
        families=order.families,  # type: ignore[arg-type]
        testbed=order.ground.testbed,
        testbed_options=order.ground.options,
        seed=seed,
        jobs=order.jobs,
        fail_fast=order.fail_fast,
    )
    began = time.monotonic()
    so_far: list[Result] = []
    progress = Progress(Screen(stderr=True), len(choice.scenarios) * len(order.families))

    def on_result(result: Result) -> None:
        write_capture(result, order.out)
        so_far.append(result)
        progress.on_result(result)

    interruption: BaseException | None = None
    try:
        with progress:
            done = run(plan, on_start=progress.on_start, on_result=on_result, on_tick=progress.on_tick)
    except (KeyboardInterrupt, Ended) as caught:
        # What was done is worth telling; a second Ctrl-C ends that as well.
        interruption = caught
        done = Run(__version__, plan.testbed, "", seed, so_far, time.monotonic() - began)
    _publish(done, order, choice.notes, Interrupted(progress.total, list(progress.running)) if interruption else None)
    if interruption is not None:
        raise interruption
    return done.exit_code


def choose(scenarios: Sequence[Scenario], order: Order) -> Choice:
    """Leave out what nobody asked for by name: slow scenarios, and those that a target cannot play.

    Raises UsageError where nothing is left.
    """
    kept = [s for s in scenarios if order.slow or not s.slow or (order.slow is None and _named(s, order.names))]
    slow = [s for s in scenarios if s not in kept]
    there = offered(order.ground.testbed, order.ground.options)
    mute = [s for s in kept if s.needs not in there and not _named(s, order.names)]
    kept = [s for s in kept if s not in mute]
    notes = []
    if slow:
        longest = max(s.takes for s in slow)
        takes = f" (up to {seconds(longest)})" if longest else ""
        notes.append(f"{count(len(slow), 'slow scenario')}{takes} left out: --slow runs them too")
    for needs, out in Counter(s.needs for s in mute).items():
        notes.append(f"{count(out, 'scenario')} left out: {why_not(needs, many=out > 1)}")
    if not kept:
        raise UsageError("nothing to run: " + "; ".join(notes) if notes else "nothing to run")
    return Choice(kept, notes)


def _named(scenario: Scenario, words: Sequence[str]) -> bool:
    """Whether one of the words means this scenario and no other."""
    own = {scenario.name, scenario.name.rpartition("/")[2]}
    return any(word in own or Path(word).resolve() == scenario.path.resolve() for word in words)


def _publish(run: Run, order: Order, notes: Sequence[str], interrupted: Interrupted | None) -> None:
    """Print the report and write JUnit."""
    if order.junit is not None:
        write_whole(order.junit, junit(run), option="--junit")
    if order.as_json:
        told = document(run, timeline=order.verbose)
        if interrupted is not None:
            told["interrupted"] = True
            told["still_running"] = [{"name": name, "family": family} for name, family in interrupted.running]
        encoding = cast(str | None, getattr(sys.stdout, "encoding", None)) or "ascii"
        sys.stdout.write(dumps(told, ascii_only=not encoding.lower().startswith("utf")))
        sys.stdout.flush()
        return
    screen = Screen()
    said = [*run.notes, *notes]
    if any(result.capture for result in run.results):
        said.insert(0, f"captures in {order.out}/, one for each run, for Wireshark")
    if order.junit is not None:
        said.append(f"JUnit in {order.junit}")
    if interrupted is not None:
        said = [*interrupted.sentences(len(run.results)), *said]
    screen.show(report(run, width=screen.width, glyphs=screen.glyphs, verbose=order.verbose, notes=said))
    sys.stdout.flush()
