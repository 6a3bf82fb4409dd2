"""The second contest: small messages a second over one WebSocket, through the hand-made TCP and through the kernel's.

Both talk to the same service of the same server in the same sandbox, in turns: one message at a time, and with some on
their way at once. Each turn has a connection of its own, whose opening and closing do not count. What counts is a
message that came back the same and in its order; the server's program counts too.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lab.bench.errors import BenchError
from lab.bench.ground import Ground
from lab.bench.standing import Standing
from lab.bench.talk import talk
from lab.server.client import AgentError, Program

HAND: Final = "by hand"
LIBRARY: Final = "websockets"
AHEAD: Final = 32
"""Messages on their way at once, where it is not one."""
WARM_UP: Final = 0.05
"""Seconds of a first turn of each, which does not count."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one speaker did in one turn."""

    messages: int
    """Sent, come back and compared."""
    seconds: float

    @property
    def count(self) -> int:
        """Messages."""
        return self.messages

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


@dataclass(frozen=True, slots=True)
class Speaker:
    """One way to send and receive messages."""

    name: str
    says: str
    ahead: int
    """Messages on their way at once."""
    turn: Callable[[float], tuple[Spoken, tuple[str, int]]]
    """Go on for that many seconds; also the address and port it spoke from. Raises BenchError."""


def name_of(way: str, ahead: int) -> str:
    """What a standing is called."""
    return way if ahead == 1 else f"{way}, {ahead} ahead"


def ratios(standings: Sequence[Standing[Spoken]]) -> dict[str, float]:
    """How many times as many messages the hand-made TCP carries as the library, as many on their way: of medians."""
    medians = {standing.name: standing.median for standing in standings}
    return {
        name_of(LIBRARY, ahead): medians[name_of(HAND, ahead)] / medians[name_of(LIBRARY, ahead)]
        for ahead in (1, AHEAD)
        if name_of(LIBRARY, ahead) in medians
    }


def speakers(ground: Ground) -> list[Speaker]:
    """All four on one ground, in the order of their turns."""
    return [
        speaker
        for ahead in (1, AHEAD)
        for speaker in (
            Speaker(
                name_of(HAND, ahead),
                f"lab.websocket's client over the lab's own TCP; {_how_many(ahead)}",
                ahead,
                _by_hand(ground, ahead),
            ),
            Speaker(
                name_of(LIBRARY, ahead),
                f"that library's asyncio client over the kernel's TCP; {_how_many(ahead)}",
                ahead,
                _by_websockets(ground, ahead),
            ),
        )
    ]


def _how_many(ahead: int) -> str:
    return "one message at a time" if ahead == 1 else f"{ahead} messages on their way at once"


def _by_hand(ground: Ground, ahead: int) -> Callable[[float], tuple[Spoken, tuple[str, int]]]:
    from lab.bench.byhand import ByHand

    client = ByHand(ground.sandbox, ground.family, ground.websocket)

    def turn(seconds: float) -> tuple[Spoken, tuple[str, int]]:
        remote = client.open()
        try:
            spoken = Spoken(*talk(client.send, client.receive, ahead=ahead, seconds=seconds))
        except ValueError as error:
            raise BenchError(f"{name_of(HAND, ahead)}: {error}") from error
        client.close()
        return spoken, remote

    return turn


def _by_websockets(ground: Ground, ahead: int) -> Callable[[float], tuple[Spoken, tuple[str, int]]]:
    def turn(seconds: float) -> tuple[Spoken, tuple[str, int]]:
        answer = ground.by_websockets.ask({"seconds": seconds, "ahead": ahead}, seconds)
        address, port = answer.pop("remote")
        return Spoken(**answer), (address, port)

    return turn


def heard(ground: Ground) -> Callable[[tuple[str, int]], Program]:
    """Asks the server's program what it has of a connection that is over, by its client's address and port."""
    agent, family = ground.sandbox.agent, ground.family
    assert agent is not None
    return lambda remote: agent.program(family, remote)


def hold(
    who: Sequence[Speaker],
    heard: Callable[[tuple[str, int]], Program],
    *,
    seconds: float,
    rounds: int,
    on_turn: Callable[[str, int], None] = lambda name, number: None,
) -> list[Standing[Spoken]]:
    """The contest itself. `heard` asks the server. Raises BenchError where it has not heard as many messages."""
    turns: dict[str, list[Spoken]] = {each.name: [] for each in who}
    for number in range(rounds + 1):
        for each in who:
            on_turn(each.name, number)
            gc.collect()  # nobody shall pay for another's leftovers
            spoken, remote = each.turn(seconds if number else WARM_UP)
            _agree(each, spoken, heard, remote)
            if number:
                turns[each.name].append(spoken)
    return [Standing(each.name, each.says, tuple(turns[each.name])) for each in who]


def _agree(each: Speaker, spoken: Spoken, heard: Callable[[tuple[str, int]], Program], remote: tuple[str, int]) -> None:
    """The server's program was given as many messages, and its connection ended as it should (RFC 6455 §7.1.2)."""
    try:
        program = heard(remote)
    except AgentError as error:
        raise BenchError(f"the server knows nothing of the connection of {each.name} ({error.message})") from error
    if program.open or program.code != 1000:
        how = "it is still open" if program.open else f"its code is {program.code}"
        raise BenchError(f"{each.name} ended its connection with 1000, but for the server's program {how}")
    if program.messages != spoken.messages:
        raise BenchError(
            f"{each.name} counts {spoken.messages} messages, but the server's program was given {program.messages}"
        )
