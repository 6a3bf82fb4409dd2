"""No input whatever raises anything but the documented error, and what must always hold holds."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.tcp import options
from lab.tcp.endpoint import CallError, Endpoint, Offer, Outcome
from lab.tcp.profile import LINUX, LINUX_EARLIER, MITIGATED, RFC9293
from lab.tcp.segment import ACK, RST, SYN, Flags, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import STACK_ARROWS, SYNCHRONIZED, TABLE, State

offsets = st.one_of(st.integers(-3, 12), st.sampled_from([-70000, 999, 1000, 1001, 65534, 65535, 70000, 2**31]))
numbers = st.integers(0, 2**32 - 1)
raws = st.one_of(
    st.just(b""),
    st.binary(max_size=40),
    st.builds(lambda v, e: options.pack([options.timestamps(v, e)]), st.integers(0, 5000), numbers),
    st.just(options.pack([options.mss(40), options.window_scale(255), options.sack_permitted()])),
)
flags = st.one_of(
    st.sampled_from([SYN, ACK, SYN | ACK, ACK, ACK, ACK | Flags.FIN, RST, RST | ACK]), st.integers(0, 511).map(Flags)
)
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("arrives"), flags, offsets, offsets, st.binary(max_size=12), st.sampled_from([0, 5, 65535]), raws
        ),
        st.tuples(
            st.just("sent"), flags, offsets, offsets, st.binary(max_size=12), st.sampled_from([0, 5, 65535]), raws
        ),
        st.tuples(st.just("random"), flags, numbers, numbers, st.binary(max_size=12), st.integers(0, 65535), raws),
        st.tuples(
            st.sampled_from(
                ["open_passive", "open_active", "send", "receive", "shutdown", "close", "abort", "transmit", "timeout"]
            )
        ),
    ),
    max_size=25,
)


def apply(end: Endpoint, step: tuple[Any, ...], now: float) -> Outcome | Endpoint:
    name = step[0]
    match name:
        case "arrives" | "random" | "sent":
            seq, ack = Seq(step[2]), Seq(step[3])
            if name == "arrives":
                seq, ack = end.rcv_nxt + step[2], end.snd_nxt + step[3]
            elif name == "sent":
                seq, ack = end.snd_nxt + step[2], end.rcv_nxt + step[3]
            segment = Segment(step[1], seq, ack, step[5], step[4], step[6], urgent=step[5])
            return end.sent(segment, now, implied_calls=step[5] > 0) if name == "sent" else end.arrives(segment, now)
        case "send":
            return end.send(b"data", now)
        case "receive":
            return end.receive(3)
        case "open_passive" | "abort":
            return getattr(end, name)()
        case _:
            return getattr(end, name)(now)


def check(end: Endpoint) -> None:
    assert end.snd_nxt.ahead_of(end.snd_una) >= 0
    assert end.rcv_wnd >= 0
    assert end.snd_wnd >= 0
    assert len(end.receive_buffer) <= max(end.capacity, 65535 << 14)
    if end.fin_seq is not None:
        assert end.snd_nxt.ahead_of(end.fin_seq) >= 1
    if end.state in (State.CLOSED, State.LISTEN):
        assert end.next_timeout is None
    if end.state is State.TIME_WAIT:
        assert end.time_wait_at is not None
    if end.state in SYNCHRONIZED:
        assert end.irs is not None
        assert end.own_offer is not None or end.iss is None  # a SYN of an end that is followed may not have been seen
    if end.state in (State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT):
        assert end.fin_received
        assert not end.held


@settings(max_examples=600, deadline=None)
@given(
    profile=st.sampled_from([RFC9293, MITIGATED, LINUX, LINUX_EARLIER]),
    iss=st.sampled_from([None, Seq(0), Seq(2**32 - 1), Seq(2**31)]),
    capacity=st.sampled_from([0, 1, 1000, 65535]),
    offer=st.sampled_from([Offer(), Offer(1460), Offer(536, 7, True, True)]),
    story=steps,
)
def test_anything_may_happen(
    profile: Any, iss: Seq | None, capacity: int, offer: Offer, story: list[tuple[Any, ...]]
) -> None:
    end, now = Endpoint(profile, iss, capacity, offer=offer), 0.0
    for step in story:
        now += 0.3
        before = end
        with contextlib.suppress(CallError):
            result = apply(end, step, now)
            end = result if isinstance(result, Endpoint) else result.endpoint
            if isinstance(result, Outcome):
                assert set(result.choices) <= profile.choices
                walk = before.state
                for event in result.events:
                    walk = (TABLE[walk].get(event) or STACK_ARROWS[walk][event]).to
                assert walk is end.state, "every change of state is an arrow of the table"
                assert result.rule.startswith("RFC ")
                if step[0] in ("arrives", "random") and step[1] & RST:
                    assert not any(RST in r.segment.flags for r in result.replies), "a RST is never answered by a RST"
        check(end)


@settings(max_examples=200, deadline=None)
@given(segment=st.builds(Segment, flags, numbers.map(Seq), numbers.map(Seq), st.integers(0, 65535), st.binary()))
def test_a_rst_draws_no_segment_from_closed_and_listen(segment: Segment) -> None:
    reset = Segment(segment.flags | RST, segment.seq, segment.ack, segment.window, segment.payload)
    for profile in (RFC9293, MITIGATED, LINUX):
        assert Endpoint(profile).arrives(reset, 0.0).replies == ()
        assert Endpoint(profile).open_passive().endpoint.arrives(reset, 0.0).replies == ()
