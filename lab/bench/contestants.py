"""The four contestants: each opens and closes connections for so many seconds, and says how many were whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lab.bench.errors import BenchError
from lab.bench.ground import Ground, Helper
from lab.bench.roles import timed
from lab.scenario.play import play
from lab.scenario.record import Verdict
from lab.wire.fast import FastPath, WrongReply


@dataclass(frozen=True, slots=True)
class Turn:
    """What one contestant did in one turn."""

    connections: int
    """Opened, closed and verified."""
    seconds: float

    @property
    def count(self) -> int:
        """Connections."""
        return self.connections

    @property
    def rate(self) -> float:
        """Connections a second."""
        return self.connections / self.seconds


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to open and close connections."""

    name: str
    says: str
    """What is done and what is verified, in one line."""
    turn: Callable[[float], Turn]
    """Go on for that many seconds, one connection at least. Raises BenchError."""
    meets_closer: bool = True
    """Whether its connections end at the program that closes by itself, which counts them."""


FAST: Final = "fast path"
SCENARIO: Final = "scenario"
SR1: Final = "sr1()"
KERNEL: Final = "kernel"

_SOUND: Final = (Verdict.CONFORMS, Verdict.PERMITTED, Verdict.DEVIATES)


def contestants(ground: Ground) -> list[Contestant]:
    """All four on one ground, in the order of their turns."""
    return [
        Contestant(
            SCENARIO, "a script in the lab's words; three witnesses agree at every step", _scenario(ground), False
        ),
        Contestant(FAST, "frames by struct; every flag, number and checksum compared", _fast(ground)),
        Contestant(
            SR1, "Scapy's sr1() for each exchange, as in tutorials; flags and numbers compared", _asked(ground.sr1)
        ),
        Contestant(KERNEL, "a kernel's own connect(), shutdown(), recv(), close() in Python", _asked(ground.kernel)),
    ]


def _scenario(ground: Ground) -> Callable[[float], Turn]:
    from lab.bench.story import open_and_close

    story, count = open_and_close.__scenario__, 0  # type: ignore[attr-defined]

    def one() -> None:
        nonlocal count
        count += 1
        result = play(story, ground.sandbox, ground.family, seed=count, wrap=False)
        if result.verdict not in _SOUND or len(result.witnesses) != 3:
            said = result.problems[0].message if result.problems else f"{len(result.witnesses)} witnesses of three"
            raise BenchError(f"the scenario's verdict is {result.verdict}: {said}")

    return lambda seconds: _turn(one, seconds)


def _fast(ground: Ground) -> Callable[[float], Turn]:
    sandbox = ground.sandbox
    source, destination = sandbox.peer_address(ground.family), sandbox.server_address(ground.family)
    assert source is not None
    assert destination is not None
    path = FastPath(
        sandbox.link,
        source=source,
        destination=destination,
        port=ground.port,
        source_mac=sandbox.peer_mac,
        destination_mac=sandbox.server_mac,
    )

    def turn(seconds: float) -> Turn:
        sandbox.link.drain()  # what others' turns left there
        before = path.closed
        try:
            done = _turn(lambda: path.close(path.open()), seconds)
        except WrongReply as error:
            raise BenchError(f"the fast path refuses an answer: {error}") from error
        return Turn(path.closed - before, done.seconds)

    return turn


def _asked(helper: Helper) -> Callable[[float], Turn]:
    return lambda seconds: Turn(**helper.ask({"seconds": seconds}, seconds))


def _turn(one: Callable[[], None], seconds: float) -> Turn:
    return Turn(**timed(one, seconds))
