"""What a kernel takes otherwise than the plain text has it, by leave of some document: it is not blamed for that."""

from __future__ import annotations

import pytest
from hand import FINE, Hand, calls, packets

from lab.explore.web import Stream
from lab.scenario.record import Packet, Verdict
from lab.tcp.segment import ACK, Segment
from lab.tcp.sequence import Seq

OPEN = ("syn", "ack", "server accept")


# An old acknowledgment with text (RFC 5961 §5.2)


@pytest.mark.parametrize("between", [(), ("server recv",)])
def test_text_under_an_old_ack_is_taken_or_dropped(hand: Hand, between: tuple[str, ...]) -> None:
    hand.do(*OPEN, 'data "llo"', *between)
    seen = packets(hand.do('send TCP(flags="A", ack=y)/b"hello"'))
    assert seen in (["> A 4 0 hello", "< A 1 4"], ["> A 4 0 hello", "< A 1 9"])
    hand.do('data "hello"', "server recv", 'send TCP(flags="A", ack=y)/b"hello"', "server recv")
    assert hand.end().verdict in FINE


def test_a_service_does_not_owe_an_answer_to_what_its_kernel_has_dropped(hand: Hand) -> None:
    hand.do("new ws", "ws open", "ack", 'ws text "hi"', "ack")
    # A frame that is not masked fails the connection (RFC 6455 §5.1), if it is taken.
    hand.do(r'send TCP(flags="A", ack=y)/b"\x81\x02hi"')
    assert hand.end().verdict in FINE


def test_what_was_dropped_gives_way_to_what_comes_in_its_place() -> None:
    def segment(seq: int, payload: bytes) -> Packet:
        return Packet(1, 0.0, 0.0, "peer", b"", Segment(ACK, Seq(seq), payload=payload), seq=seq)

    stream = Stream()
    assert stream.takes(segment(1, b"dropped"), reached=1) == b""
    assert stream.more(reached=1) == b""
    assert stream.takes(segment(6, b" there"), reached=1) == b""
    assert stream.takes(segment(1, b"taken"), reached=12) == b"taken there"
    assert stream.takes(segment(12, b"!"), reached=12) == b""
    assert stream.more(reached=13) == b"!"


# Urgent data (RFC 9293 §3.8.5), which a socket's program reads in their place (RFC 6093 §6)

URGENT = [
    ('send TCP(flags="UPA")', 'data "hello"'),
    ('send TCP(flags="UPA", urgptr=1)/b"hello"',),
    ('send TCP(flags="UPA", urgptr=5)/b"hello"',),
    ('send TCP(flags="UPA", urgptr=2)/b"he"', 'send TCP(flags="UPA", urgptr=9)/b"llo"'),
]


@pytest.mark.parametrize("lines", URGENT)
@pytest.mark.parametrize("opening", [OPEN, ("server connect", "synack")])
def test_no_octet_is_lost_for_being_urgent(hand: Hand, opening: tuple[str, ...], lines: tuple[str, ...]) -> None:
    hand.do(*opening, *lines)
    assert calls(hand.do("server recv")) == ["program reads b'hello'"]
    assert hand.end().verdict in FINE


def test_a_service_reads_urgent_data_in_their_place(hand: Hand) -> None:
    hand.do("new ws", "ws open", "ack")
    # A masked text: without the octet before the urgent pointer it would be no frame (RFC 6455 §5.2).
    hand.do(r'send TCP(flags="UPA", urgptr=2)/b"\x81\x82\0\0\0\0hi"')
    assert hand.end().verdict in FINE


def test_a_program_that_loses_an_urgent_octet_is_found_out(hand: Hand) -> None:
    hand.do(*OPEN)
    socket = hand.session.hand.socket
    assert socket is not None
    socket.set("SO_OOBINLINE", 0)
    (problem,) = hand.do('send TCP(flags="UPA", urgptr=1)/b"hello"', "server recv").problems
    assert (problem.verdict, problem.field) == (Verdict.VIOLATES, "payload")


# Options that a stack may stumble over (RFC 2385 §2.0; RFC 9293 §3.1, MUST-7)

STUMBLES = [
    'options=[(19, b"0123456789abcdef")]',
    'options=[(19, b"0123456789abcdef"), (19, b"0123456789abcdef")]',
    'options=[(29, b"\\x01\\x01" + b"m" * 12)]',
    r'options=b"\x03\x00" + b"\x01" * 22',
    r'options=b"\x13\x05abc" + b"\x00" * 15',
]


@pytest.mark.parametrize("raw", STUMBLES)
def test_options_that_a_kernel_may_drop_a_segment_for(hand: Hand, raw: str) -> None:
    hand.do(f'send TCP(flags="S", seq=x, {raw})', "syn", "ack")
    hand.do("server accept", f'send TCP(flags="PA", {raw})/b"hello"', 'send TCP(flags="PA", seq=x+1, ack=y+1)/b"hello"')
    assert calls(hand.do("server recv")) == ["program reads b'hello'"]
    hand.do(f'send TCP(flags="FA", {raw})', "repeat", "server close", f'send TCP(flags="A", {raw})')
    hand.do("new closed", f'send TCP(flags="S", seq=x, {raw})', f'send TCP(flags="A", seq=x, {raw})')
    assert hand.end().verdict in FINE
