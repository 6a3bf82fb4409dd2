"""What a benchmark came to, as a table for people and as JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table

from lab.bench.contest import Benchmark, measure
from lab.bench.contestants import Turn
from lab.bench.messages import Spoken
from lab.bench.standing import Standing
from lab.report.json_report import dumps
from lab.report.terminal import Screen
from lab.report.text import FAMILIES, ascii_text
from lab.scenario.bench import Family


def measure_and_report(family: Family, *, seconds: float, rounds: int, as_json: bool) -> None:
    """Hold the contest and print what it came to. Raises CannotRun, BenchError, OSError."""
    with _Progress(rounds) as progress:
        result = measure(family, seconds=seconds, rounds=rounds, on_turn=progress.on_turn)
    if as_json:
        sys.stdout.write(dumps(document(result), ascii_only=True))
    else:
        show(result, Screen())
    sys.stdout.flush()


def document(result: Benchmark) -> dict[str, Any]:
    """The JSON document; keys may be added in later versions, none is taken away.

    `ratios`: how many times as many connections the fast path makes as each of the others, of the medians; those of
    `messages`: how many times as many messages the hand-made TCP carries as the library.
    """
    return {
        "version": result.machine.lab,
        "family": result.family,
        "seconds": result.seconds,
        "rounds": result.rounds,
        "machine": asdict(result.machine),
        "contestants": [_standing(each, "connections") for each in result.standings],
        "ratios": result.ratios,
        "messages": {
            "contestants": [_standing(each, "messages") for each in result.messages],
            "ratios": result.message_ratios,
        },
        "took": round(result.took, 6),
    }


def _standing(each: Standing[Turn] | Standing[Spoken], counted: str) -> dict[str, Any]:
    return {
        "name": each.name,
        "says": each.says,
        counted: each.count,
        "seconds": round(each.seconds, 6),
        "per_second": {
            "median": each.median,
            "lowest": min(each.rates),
            "highest": max(each.rates),
            "rounds": [asdict(turn) for turn in each.turns],
        },
    }


def show(result: Benchmark, screen: Screen) -> None:
    """Print the tables, and what is needed to judge them."""
    over = FAMILIES[result.family]
    console = screen.console
    console.print(f"Whole TCP connections opened and closed a second over {over}, against one kernel:", style="")
    console.print(_table(result.standings, result.ratios, "connections/s", "fast path / it", screen))
    if result.messages:
        console.print(f"Small text messages a second over one WebSocket and {over}, sent and come back:", style="")
        console.print(_table(result.messages, result.message_ratios, "messages/s", "by hand / it", screen))
    machine = result.machine
    lines = [f"{each.name}: {each.says}" for each in result.standings]
    lines += [f"{each.name}: {each.says}" for each in result.messages]
    lines += [
        "",
        f"Median of {result.rounds} rounds, {result.seconds:g} s for each way in turn, one connection at a time. The "
        "server counted the same connections and messages, and nothing was reset.",
        f"{machine.cpu or 'processor unknown'}, {machine.cores} cores (load {machine.load:.1f} at the start), "
        f"{machine.kernel}, {machine.python}, Scapy {machine.scapy}, lab {machine.lab}",
    ]
    for line in lines:
        console.print(_sign(line, screen), soft_wrap=False)


def _table(
    standings: Sequence[Standing[Turn]] | Sequence[Standing[Spoken]],
    ratios: Mapping[str, float],
    rate: str,
    ratio: str,
    screen: Screen,
) -> Table:
    table = Table(box=box.SIMPLE_HEAD if screen.unicode else box.ASCII2, pad_edge=False, header_style="bold")
    table.add_column("way")
    for heading in (rate, "lowest", "highest", "verified", ratio):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in standings:
        times = _sign(f"{_figure(ratios[each.name])} ×", screen) if each.name in ratios else ""
        numbers = (each.median, min(each.rates), max(each.rates))
        table.add_row(each.name, *map(_figure, numbers), f"{each.count:,}", times)
    return table


def _sign(text: str, screen: Screen) -> str:
    return text if screen.unicode else ascii_text(text)


def _figure(number: float) -> str:
    """Three digits that count: 0.83, 9.1, 43, 1,050."""
    if number >= 100:
        return f"{float(f'{number:.3g}'):,.0f}"
    return f"{number:.2f}" if number < 1 else f"{number:.1f}" if number < 10 else f"{number:.0f}"


class _Progress:
    """One line on a terminal's standard error, taken away at the end; nothing where there is none."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> _Progress:
        self._write("making the sandbox")
        return self

    def on_turn(self, name: str, number: int) -> None:
        """Say whose turn it is."""
        self._write(f"round {number} of {self._rounds}: {name}" if number else f"warming up: {name}")

    def _write(self, text: str) -> None:
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def __exit__(self, *error: object) -> None:
        self._write("")
