"""The contests: A B C D, A B C D, …; each turn's count held against the server's own; medians and ratios."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lab.bench import messages
from lab.bench.contestants import FAST, Contestant, Turn, contestants
from lab.bench.errors import BenchError
from lab.bench.ground import Ground
from lab.bench.machine import Machine, this_machine
from lab.bench.messages import Spoken, ratios
from lab.bench.standing import Standing
from lab.scenario.bench import Family

WARM_UP: Final = 0.05
"""Seconds of a first turn of each, which does not count."""


@dataclass(slots=True)
class Benchmark:
    """The result of one run."""

    family: Family
    seconds: float
    """Seconds of a turn, as asked for."""
    rounds: int
    machine: Machine
    standings: list[Standing[Turn]] = field(default_factory=list)
    """Of whole connections."""
    messages: list[Standing[Spoken]] = field(default_factory=list)
    """Of messages over a WebSocket."""
    took: float = 0.0
    """Seconds in all, the sandbox included."""

    @property
    def ratios(self) -> dict[str, float]:
        """How many times as many connections the fast path makes as each of the others: of medians."""
        medians = {standing.name: standing.median for standing in self.standings}
        return {name: medians[FAST] / other for name, other in medians.items() if name != FAST}

    @property
    def message_ratios(self) -> dict[str, float]:
        """How many times as many messages the hand-made TCP carries as the `websockets` library: of medians."""
        return ratios(self.messages)


def measure(
    family: Family = "ipv4",
    *,
    seconds: float = 0.5,
    rounds: int = 5,
    on_turn: Callable[[str, int], None] = lambda name, number: None,
) -> Benchmark:
    """Make a sandbox and hold the contests in it. `on_turn` is told each turn: whose, and in which round (0: warm-up).

    Raises CannotRun where there can be no sandbox, BenchError where a connection or message was not whole.
    """
    began = time.monotonic()
    result = Benchmark(family, seconds, rounds, this_machine())
    with Ground(family) as ground:
        result.standings = hold(contestants(ground), ground.counts, seconds=seconds, rounds=rounds, on_turn=on_turn)
        result.messages = messages.hold(
            messages.speakers(ground), messages.heard(ground), seconds=seconds, rounds=rounds, on_turn=on_turn
        )
    result.took = time.monotonic() - began
    return result


def hold(
    who: Sequence[Contestant],
    counts: Callable[[], Mapping[str, int]],
    *,
    seconds: float,
    rounds: int,
    on_turn: Callable[[str, int], None] = lambda name, number: None,
) -> list[Standing[Turn]]:
    """The contest of connections itself. `counts` asks the server what it has counted so far (`Ground.counts`).

    Raises BenchError where a contestant's count and the server's are not the same.
    """
    turns: dict[str, list[Turn]] = {each.name: [] for each in who}
    before = counts()
    for number in range(rounds + 1):
        for each in who:
            on_turn(each.name, number)
            gc.collect()  # nobody shall pay for another's leftovers
            turn = each.turn(seconds if number else WARM_UP)
            after = counts()
            _agree(each, turn, before, after)
            before = after
            if number:
                turns[each.name].append(turn)
    return [Standing(each.name, each.says, tuple(turns[each.name])) for each in who]


def _agree(each: Contestant, turn: Turn, before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """Every connection counted was opened at the server's kernel, ended there without a reset, and is gone."""
    seen = {name: after[name] - before[name] for name in before if name != "left"}
    expected = {
        "opened": turn.connections,
        "ended": turn.connections if each.meets_closer else 0,
        "broken": 0,
        "reset": 0,
    }
    words = {
        "opened": "connections opened at the server's kernel",
        "ended": "connections that its program read to the end",
        "broken": "connections that broke there",
        "reset": "connections that were reset there",
    }
    for name, wanted in expected.items():
        if seen[name] != wanted:
            raise BenchError(
                f"{each.name} counts {turn.connections} connections, but the server counts {seen[name]} {words[name]}"
            )
    if after["left"]:
        raise BenchError(f"{each.name} leaves {after['left']} connections at the server, which should all be over")
