"""A driven end, segment by segment, with numbers written down by hand: windows, losses, repetitions, probes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.tcp import options
from lab.tcp.driver import Driver
from lab.tcp.endpoint import Endpoint, Held, Offer
from lab.tcp.profile import RFC9293
from lab.tcp.segment import ACK, FIN, SYN, Segment, letters
from lab.tcp.sequence import Seq
from lab.tcp.state import State
from lab.tcp.text import hold, take_held

Sent = list[tuple[str, int, int, int, bytes]]


def opened(window: int = 1000, capacity: int = 4000, mss: int = 100, offer: Offer | None = None) -> Driver:
    """A client whose first octet is number 1, to a server whose first is 5001."""
    end = Driver(Endpoint(iss=Seq(0), capacity=capacity, offer=offer or Offer(mss)))
    end.open(0.0)
    end.segments()
    raw = options.pack([options.mss(mss)])
    if offer and offer.timestamps:
        raw = options.pack([options.mss(mss), options.timestamps(7)])
    end.arrives(Segment(SYN | ACK, Seq(5000), Seq(1), window, options=raw), 0.0)
    assert [letters(s.flags) for s in end.segments()] == ["A"]
    return end


def said(end: Driver) -> Sent:
    return [(letters(s.flags), int(s.seq), int(s.ack), s.window, s.payload) for s in end.segments()]


def hears(end: Driver, seq: int, ack: int, window: int = 1000, payload: bytes = b"", now: float = 1.0) -> Sent:
    end.arrives(Segment(ACK, Seq(seq), Seq(ack), window, payload), now)
    return said(end)


def test_each_send_is_a_segment_of_its_own() -> None:
    end = opened()
    end.send(b"ab", 1.0)
    end.send(b"c", 1.0)
    assert said(end) == [("PA", 1, 5001, 4000, b"ab"), ("PA", 3, 5001, 4000, b"c")]


def test_an_end_that_does_not_read_shuts_its_window_and_opens_it_again() -> None:
    end = opened(capacity=300)
    end.reading = False
    assert hears(end, 5001, 1, payload=b"a" * 100) == []
    assert hears(end, 5101, 1, payload=b"b" * 100) == [("A", 1, 5201, 100, b"")]  # the second does not wait (SHLD-19)
    assert hears(end, 5201, 1, payload=b"c" * 100) == []
    end.tick(2.0)
    assert said(end) == [("A", 1, 5301, 0, b"")]
    # Probes: one octet beyond the window (RFC 9293 §3.8.6.1), and as Linux makes them. Neither is taken.
    assert hears(end, 5301, 1, payload=b"d", now=3.0) == [("A", 1, 5301, 0, b"")]
    assert hears(end, 5300, 1, now=3.5) == [("A", 1, 5301, 0, b"")]
    assert end.receive() == b""
    end.reading = True
    assert said(end) == [("A", 1, 5301, 300, b"")]
    assert end.receive(150) == b"a" * 100 + b"b" * 50
    assert end.receive() == b"b" * 50 + b"c" * 100


def test_the_window_update_carries_the_timestamp_of_its_time() -> None:
    end = opened(capacity=200, offer=Offer(100, timestamps=True))
    stamp = options.pack([options.Option(options.Kind.NOP)] * 2 + [options.timestamps(8, 0)])
    end.reading = False
    end.arrives(Segment(ACK, Seq(5001), Seq(1), 1000, b"x" * 200, stamp), 9.0)
    end.segments()
    end.reading = True
    assert [s.timestamps for s in end.segments()] == [(9000, 8)]


def test_what_was_not_read_can_be_read_when_the_connection_is_gone() -> None:
    end = opened()
    end.reading = False
    hears(end, 5001, 1, payload=b"last words")
    end.arrives(Segment(FIN | ACK, Seq(5011), Seq(1), 1000), 1.0)
    end.close(1.0)
    end.segments()
    hears(end, 5012, 2)
    assert end.state is State.CLOSED
    assert end.receive() == b"last words"


@pytest.mark.parametrize(("seq", "payload"), [(5000, b""), (5000, b"\0")])
def test_keep_alive_probes_are_answered(seq: int, payload: bytes) -> None:
    """RFC 9293 §3.8.4: SEG.SEQ = SND.NXT-1, with or without one garbage octet."""
    end = opened()
    assert hears(end, seq, 1, payload=payload) == [("A", 1, 5001, 4000, b"")]
    assert end.receive() == b""


def test_what_is_ahead_is_held_and_each_answered_at_once() -> None:
    end = opened()
    gap = [("A", 1, 5001, 4000, b"")]
    assert hears(end, 5011, 1, payload=b"b" * 10) == gap
    assert hears(end, 5021, 1, payload=b"c" * 10) == gap
    assert hears(end, 5041, 1, payload=b"e" * 10) == gap
    assert end.receive() == b""
    # The right edge stays: it moves by a whole segment or not at all (RFC 9293 §3.8.6.2.2).
    assert hears(end, 5001, 1, payload=b"a" * 10) == [("A", 1, 5031, 3970, b"")]
    assert end.receive() == b"a" * 10 + b"b" * 10 + b"c" * 10
    assert hears(end, 5031, 1, payload=b"d" * 10)[-1][2] == 5051
    assert end.receive() == b"d" * 10 + b"e" * 10


def test_a_duplicate_ack_goes_out_beside_data() -> None:
    end = opened(window=0)
    end.send(b"x", 1.0)
    assert said(end) == []
    # Out of order, and it opens the window: the text goes out, and the ACK that names the gap as well.
    assert hears(end, 5011, 1, payload=b"later") == [("A", 1, 5001, 4000, b""), ("PA", 1, 5001, 4000, b"x")]


def test_three_duplicate_acks_bring_the_lost_segment_and_no_more() -> None:
    """RFC 5681 §3.2; a window update is none of them (§2)."""
    end = opened()
    end.send(b"a" * 100, 1.0)
    end.send(b"b" * 100, 1.0)
    end.send(b"c" * 50, 1.0)
    said(end)
    assert hears(end, 5001, 101, window=900) == []
    assert hears(end, 5001, 101, window=900) == []
    assert hears(end, 5001, 101, window=950) == []
    assert hears(end, 5001, 101, window=950) == []
    assert hears(end, 5001, 101, window=950, now=1.1) == [("A", 101, 5001, 4000, b"b" * 100)]
    assert hears(end, 5001, 101, window=950, now=1.1) == []
    # A partial acknowledgment: the next one was lost as well, and does not wait (RFC 6582 §3.2).
    assert hears(end, 5001, 201, window=950, now=1.2) == [("PA", 201, 5001, 4000, b"c" * 50)]
    assert hears(end, 5001, 251, window=950, now=1.3) == []
    assert end.next_timeout is None


def test_after_a_timeout_each_partial_acknowledgment_brings_the_next() -> None:
    end = opened()
    for letter in (b"a", b"b", b"c"):
        end.send(letter * 100, 1.0)
    said(end)
    end.tick(2.5)
    assert said(end) == [("A", 1, 5001, 4000, b"a" * 100)]
    assert hears(end, 5001, 101, now=2.6) == [("A", 101, 5001, 4000, b"b" * 100)]
    assert hears(end, 5001, 301, now=2.7) == []


def test_a_shut_window_is_probed_ever_less_often_and_never_given_up() -> None:
    """MUST-37: as long as the probes are answered the connection stands, beyond any user timeout (here 300 s)."""
    end = opened(window=0)
    end.send(b"abc", 0.0)
    assert said(end) == []
    times, now = [], 0.0
    while now < 1000:
        at = end.next_timeout
        assert at is not None
        now = at
        end.tick(now)
        assert said(end) == [("A", 1, 5001, 4000, b"a")]
        times.append(now)
        assert hears(end, 5001, 1, window=0, now=now) == []
    gaps = [round(later - earlier, 3) for earlier, later in pairwise(times)]
    assert gaps[:6] == [2, 4, 8, 16, 32, 60]
    assert set(gaps[6:]) == {60}
    # It opens: the octet that probed was not taken, and goes out again at once, the rest behind it.
    assert hears(end, 5001, 1, window=500, now=now + 1) == [
        ("A", 1, 5001, 4000, b"a"),
        ("PA", 2, 5001, 4000, b"bc"),
    ]
    assert hears(end, 5001, 4, window=500, now=now + 1) == []
    assert end.next_timeout is None


def test_a_shut_window_behind_which_nobody_answers_is_given_up() -> None:
    end = opened(window=0)
    end.send(b"abc", 0.0)
    while end.state is State.ESTABLISHED:
        at = end.next_timeout
        assert at is not None
        assert at < 400
        end.tick(at)
    assert end.notices == ["connection aborted due to user timeout"]


def test_with_both_windows_shut_an_ack_keeps_a_number_that_can_be_taken() -> None:
    """The octet that probes lies beyond the peer's window; an ACK behind it would be dropped there, and our window
    update with it (RFC 9293 §3.10.7.4: with a window of zero only SEG.SEQ = RCV.NXT is acceptable).
    """
    end = opened(window=0, capacity=100)
    end.reading = False
    end.send(b"abc", 1.0)
    assert hears(end, 5001, 1, window=0, payload=b"x" * 100, now=1.0) == []
    end.tick(2.0)
    assert said(end) == [("A", 1, 5101, 0, b"a")]
    assert hears(end, 5100, 1, window=0, now=2.5) == [("A", 1, 5101, 0, b"")]
    end.reading = True
    assert said(end) == [("A", 1, 5101, 100, b"")]
    end.abort()
    assert said(end) == [("R", 1, 0, 0, b"")]


def test_a_delayed_ack_goes_out_by_the_clock() -> None:
    end = opened()
    assert hears(end, 5001, 1, payload=b"x") == []
    assert end.next_timeout == pytest.approx(1.2)
    end.tick(1.19)
    assert said(end) == []
    end.tick(1.2)
    assert said(end) == [("A", 1, 5002, 3999, b"")]


pieces = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 12), st.booleans()), max_size=30)


@settings(deadline=None)
@given(pieces)
def test_what_is_held_is_held_once_and_comes_out_in_order(arrived: list[tuple[int, int, bool]]) -> None:
    """Text of one stream in any pieces: no octet is kept twice, and what is in sequence at last is that stream."""
    stream = bytes(range(50))  # nothing stands behind its FIN
    end = replace(Endpoint(RFC9293, Seq(9)), rcv_nxt=Seq(0), rcv_wnd=60)
    there = set()
    for start, size, fin in arrived:
        piece = stream[start : start + size]
        end = hold(end, Seq(start), piece, fin and start + size == 50)
        there |= set(range(start, start + len(piece)))
    held = [octet for piece in end.held for octet in range(int(piece.seq), int(piece.seq) + len(piece.data))]
    assert sorted(held) == sorted(there)
    assert [int(p.seq) for p in end.held] == sorted(int(p.seq) for p in end.held)
    assert sum(p.fin for p in end.held) <= 1
    end = replace(end, held=(Held(Seq(0), stream[:1]), *end.held))
    end, took, _ = take_held(end)
    assert took
    reached = next(number for number in range(1, 51) if number not in there)
    assert bytes(end.receive_buffer) == stream[:reached]


def test_no_more_is_held_than_the_window() -> None:
    end = replace(Endpoint(RFC9293, Seq(9)), rcv_nxt=Seq(0), rcv_wnd=100)
    for start in range(1, 200):
        end = hold(end, Seq(start), b"x" * 150, False)
    assert sum(len(piece.data) for piece in end.held) == 99
