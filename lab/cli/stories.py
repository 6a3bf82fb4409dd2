"""`lab list` and `lab show`: the scenarios as stories."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from lab.cli.ends import end_on_sigterm
from lab.cli.ground import Ground
from lab.cli.pace import Pace, show
from lab.report.json_report import dumps
from lab.report.ladder import ladder
from lab.report.problem import problem_lines
from lab.report.terminal import Screen, remark_lines
from lab.report.text import Glyphs, Line, ascii_text, count, cut, printable, seconds, wrapped
from lab.scenario.catalogue import load
from lab.scenario.declare import Scenario
from lab.scenario.errors import UsageError


def list_scenarios(names: Sequence[str], *, as_json: bool) -> None:
    """Print the scenarios by folder, or as a JSON document. Raises UsageError for a name that names nothing."""
    scenarios = sorted(load(names), key=lambda s: s.name.rpartition("/")[::2])
    screen = Screen()
    if as_json:
        sys.stdout.write(dumps({"scenarios": [_told(s) for s in scenarios]}, ascii_only=not screen.unicode))
        return
    screen.show(listing(scenarios, width=min(screen.width, 120), glyphs=screen.glyphs))


def listing(scenarios: Sequence[Scenario], *, width: int, glyphs: Glyphs) -> list[Line]:
    """One line and its documents for each scenario, under its folder's name."""
    lines: list[Line] = []
    column = min(max(len(s.name.rpartition("/")[2]) for s in scenarios), 34)
    for folder, group in groupby(scenarios, key=lambda s: s.name.rpartition("/")[0]):
        lines.append([(f"{folder}/" if folder else "scenarios", "head")])
        for s in group:
            name = cut(s.name.rpartition("/")[2], column, glyphs).ljust(column)
            title, *more = wrapped(s.title, width - column - 4)
            lines.append([("  ", ""), (name, "peer"), ("  ", ""), *title])
            lines += [[(" " * (column + 4), ""), *line] for line in more]
            below = wrapped("; ".join(s.documents), width - column - 4 - 16 * s.slow, style="dim")
            if s.slow:
                below[-1].append((f"  slow, {seconds(s.takes)}" if s.takes else "  slow", "warn"))
            lines += [[(" " * (column + 4), ""), *line] for line in below]
        lines.append([])
    slow = sum(s.slow for s in scenarios)
    total = count(len(scenarios), "scenario") + (f", {slow} of them slow" if slow else "")
    lines.append([(f"{total}. `lab show NAME` tells one, `lab run NAME` runs it.", "dim")])
    return lines


def _told(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "title": scenario.title,
        "documents": list(scenario.documents),
        "evidence_for": list(scenario.evidence_for),
        "slow": scenario.slow,
        "takes": scenario.takes,
        "needs": str(scenario.needs),
        "file": str(scenario.path),
        "line": scenario.line,
    }


def show_scenario(
    name: str,
    *,
    ground: Ground,
    family: str,
    seed: int | None,
    run_now: bool,
    frames: bool = False,
    pace: Pace | None = None,
) -> int:
    """Print a scenario's story and, with `run_now`, the ladder of a run made now; the run's exit code.

    With a `pace` the run is shown entry by entry in place of its ladder. Raises UsageError where the name means none or
    several; CannotRun, the story being told by then.
    """
    if pace and (frames or not run_now):
        other = "--frames" if frames else "--no-run"
        raise UsageError(f"--step and --speed show a run as a session does: leave {other} out")
    scenarios = load([name])
    if len(scenarios) != 1:
        some = ", ".join(s.name for s in scenarios[:4]) + (" …" if len(scenarios) > 4 else "")
        raise UsageError(f"{name} means {len(scenarios)} scenarios ({some}): name one")
    scenario = scenarios[0]
    screen = Screen()
    screen.show(story(scenario, width=min(screen.width, 100)))
    _script(screen, scenario.source)
    if not run_now:
        return 0
    sys.stdout.flush()  # the story stands, whatever becomes of the run
    from lab.scenario.runner import Plan, run

    end_on_sigterm()
    if scenario.takes >= 1 and screen.console.is_terminal:
        screen.show([[(f"running it now, {seconds(scenario.takes)} at least; Ctrl-C ends it", "dim")], []])
    chosen = secrets.randbelow(2**32) if seed is None else seed
    plan = Plan(
        scenarios=[scenario],
        families=(family,),  # type: ignore[arg-type]
        testbed=ground.testbed,
        testbed_options=ground.options,
        seed=chosen,
        watch=bool(pace),
    )
    done = run(plan)
    if pace and done.results[0].moments:
        from lab.explore.film import Film

        show(Film(done.results[0], scenario, screen.glyphs), screen, pace, seed=done.seed)
        return done.exit_code
    for result in done.results:
        screen.show(ladder(result, width=screen.width, glyphs=screen.glyphs, frames=frames))
        screen.show([[], *remark_lines([result], screen.width)])
        for problem in result.problems:
            screen.show([*problem_lines(problem, result, width=min(screen.width, 100), glyphs=screen.glyphs), []])
        witnesses = ", ".join(result.witnesses) or "none"
        facts = (
            f"{count(result.checks, 'check')} in {seconds(result.seconds)}; witnesses: {witnesses}; seed {done.seed}"
        )
        screen.show([[(facts, "dim")]])
    return done.exit_code


def story(scenario: Scenario, *, width: int) -> list[Line]:
    """Title, name, text and documents."""
    lines: list[Line] = [[(scenario.title, "head")], [(scenario.name, "peer")]]
    if scenario.slow:
        takes = f": it takes {seconds(scenario.takes)} at least" if scenario.takes else ""
        lines[-1].append((f"  slow{takes}", "warn"))
    lines.append([])
    for paragraph in scenario.description.split("\n\n"):
        lines += [*wrapped(" ".join(paragraph.split()), width), []]
    for label, texts in (("documents", scenario.documents), ("evidence for", scenario.evidence_for)):
        if texts:
            lines += wrapped("; ".join(texts), width, style="dim", first=f"{label:13}")
    return [*lines, []]


def _script(screen: Screen, source: str) -> None:
    """The script with line numbers, coloured on a terminal."""
    source = source.rstrip("\n")
    if screen.console.is_terminal and screen.console.color_system:
        from rich.syntax import Syntax

        source = "\n".join(printable(line.expandtabs()) for line in source.split("\n"))
        source = source if screen.unicode else ascii_text(source)
        syntax = Syntax(source, "python", theme="ansi_dark", line_numbers=True, background_color="default")
        screen.console.print(syntax, soft_wrap=False)
    else:
        screen.show([[(f"{i:4}  ", "dim"), (line.expandtabs(), "")] for i, line in enumerate(source.splitlines(), 1)])
    screen.show([[]])
