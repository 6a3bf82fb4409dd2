"""Two Endpoints joined by a link that loses, repeats, delays and reorders: the same bytes arrive, both end CLOSED."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.tcp.driver import Driver
from lab.tcp.endpoint import Endpoint, Offer
from lab.tcp.profile import LINUX, MITIGATED, RFC9293, Profile
from lab.tcp.segment import Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import State

Fate = tuple[float, ...]
"""What becomes of one segment: the delays of its copies; none at all when it is lost."""


@dataclass(order=True)
class Flight:
    """A copy of a segment on its way."""

    at: float
    number: int
    to: int = field(compare=False)
    segment: Segment = field(compare=False)


class Link:
    """Carries segments between two drivers on a clock of its own. After `fates` are used up it is a good link."""

    def __init__(self, ends: tuple[Driver, Driver], fates: list[Fate]) -> None:
        self.ends = ends
        self.fates = fates
        self.now = 0.0
        self.flights: list[Flight] = []
        self.count = 0

    def collect(self) -> None:
        for side, end in enumerate(self.ends):
            for segment in end.segments():
                fate = self.fates.pop(0) if self.fates else (0.01,)
                for delay in fate:
                    self.count += 1
                    heapq.heappush(self.flights, Flight(self.now + delay, self.count, 1 - side, segment))

    def run(self, until: Callable[[], bool], limit: float = 1e6) -> None:
        """Lets time pass until `until()` holds; fails when nothing can happen any more, or for too long."""
        while True:
            self.collect()
            if until():
                return
            times = [end.next_timeout for end in self.ends]
            timer = min((t for t in times if t is not None), default=None)
            flight = self.flights[0].at if self.flights else None
            nearest = min((t for t in (timer, flight) if t is not None), default=None)
            if nearest is None:
                pytest.fail(f"nothing can happen any more: {[e.endpoint for e in self.ends]}")
            self.now = max(self.now, nearest)
            if self.now > limit:
                pytest.fail(f"not done after {limit} seconds: {[e.endpoint for e in self.ends]}")
            if flight is not None and flight <= self.now:
                arrived = heapq.heappop(self.flights)
                self.ends[arrived.to].arrives(arrived.segment, self.now)
            else:
                for end in self.ends:
                    end.tick(self.now)


fates = st.lists(
    st.one_of(
        st.just((0.01,)),
        st.just(()),
        st.tuples(st.floats(0.0, 5.0)),
        st.tuples(st.floats(0.0, 0.1), st.floats(0.0, 5.0)),
    ),
    max_size=60,
)
isns = st.one_of(st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**32 - 2, 2**32 - 700]), st.integers(0, 2**32 - 1))
streams = st.lists(st.binary(max_size=700), max_size=4)
offers = st.builds(
    Offer,
    mss=st.one_of(st.none(), st.integers(40, 1460)),
    shift=st.one_of(st.none(), st.integers(0, 14)),
    timestamps=st.booleans(),
    sack=st.booleans(),
)


def patient(profile: Profile) -> Profile:
    """The profile without giving up: bounded loss must not end a connection."""
    p = replace(
        profile.parameters, user_timeout=None, syn_retries=None, synack_retries=None, data_retries=None, fin_wait_2=None
    )
    return replace(profile, parameters=p)


@settings(max_examples=150, deadline=None)
@given(
    profiles=st.tuples(*[st.sampled_from([RFC9293, MITIGATED, LINUX])] * 2),
    numbers=st.tuples(isns, isns),
    texts=st.tuples(streams, streams),
    capacities=st.tuples(*[st.sampled_from([3, 100, 1000, 65535, 200000])] * 2),
    both=st.tuples(offers, offers),
    simultaneous=st.booleans(),
    first_to_close=st.sampled_from([0, 1, None]),
    fate=fates,
)
def test_the_same_bytes_arrive_and_both_ends_close(
    profiles: tuple[Profile, Profile],
    numbers: tuple[int, int],
    texts: tuple[list[bytes], list[bytes]],
    capacities: tuple[int, int],
    both: tuple[Offer, Offer],
    simultaneous: bool,
    first_to_close: int | None,
    fate: list[Fate],
) -> None:
    ends = tuple(
        Driver(Endpoint(patient(p), Seq(n), c, offer=o))
        for p, n, c, o in zip(profiles, numbers, capacities, both, strict=True)
    )
    assert len(ends) == 2
    link = Link(ends, fate)
    if simultaneous:
        ends[1].open(0.0)
    else:
        ends[1].listen()
    ends[0].open(0.0)
    got = [b"", b""]
    for side in (0, 1):
        if side == 0 or simultaneous:
            for piece in texts[side]:
                ends[side].send(piece, 0.0)

    def stands() -> bool:
        return ends[1].state not in (State.LISTEN, State.SYN_RECEIVED, State.SYN_SENT)

    def read() -> bool:
        for side in (0, 1):
            got[side] += ends[side].receive()
        return got[1] == b"".join(texts[0]) and got[0] == b"".join(texts[1])

    link.run(stands)
    if not simultaneous:
        for piece in texts[1]:
            ends[1].send(piece, link.now)
    closers = [0, 1] if first_to_close is None else [first_to_close, 1 - first_to_close]
    if first_to_close is None:
        link.run(lambda: all(e.endpoint.syn_acked for e in ends))
        for side in closers:
            ends[side].close(link.now)
    else:
        link.run(lambda: all(e.endpoint.syn_acked for e in ends))
        ends[closers[0]].close(link.now)
        link.run(lambda: ends[closers[1]].endpoint.fin_received)
        ends[closers[1]].close(link.now)
    link.run(lambda: read() and all(e.state is State.CLOSED for e in ends))
    assert got == [b"".join(texts[1]), b"".join(texts[0])]
    assert not {"connection reset", "connection refused"} & {*ends[0].notices, *ends[1].notices}
