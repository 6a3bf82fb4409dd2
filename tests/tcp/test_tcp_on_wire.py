"""A driven end and a real kernel, on a wire that loses what it is told to: all that the kernel sends is explained.

Nobody tells the model what the kernel's program does, as it is where the lab talks to a service.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import pytest
from end_on_wire import EndOnWire

from lab.server.client import Agent
from lab.tcp.endpoint import Offer
from lab.tcp.segment import Segment
from lab.tcp.state import State
from lab.testbed.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a Linux kernel to talk to")

OFFERS = [Offer(mss=1460), Offer(mss=536), Offer(1460, 7, True), Offer(1460, 3, False, True)]
TEXT = random.Random(1).randbytes(60000)


@pytest.fixture
def agent(sandbox: Sandbox) -> Agent:
    assert sandbox.agent is not None
    return sandbox.agent


def to_echo(sandbox: Sandbox, agent: Agent, **fields: object) -> EndOnWire:
    end = EndOnWire(sandbox, agent.services()["echo"], **fields)  # type: ignore[arg-type]
    end.open()
    return end


def to_program(sandbox: Sandbox, agent: Agent, **fields: object) -> tuple[EndOnWire, int]:
    """A connection whose other end the agent holds: the model is not told what it does with it."""
    listener, port = agent.listen("ipv4")
    end = EndOnWire(sandbox, port, **fields)  # type: ignore[arg-type]
    end.open()
    return end, agent.accept(listener).socket


def losing(*numbers: int) -> Callable[[Segment], bool]:
    """Loses these of the segments with text, counted from 1."""
    count = 0

    def lose(segment: Segment) -> bool:
        nonlocal count
        count += bool(segment.payload)
        return bool(segment.payload) and count in numbers

    return lose


def close(end: EndOnWire) -> None:
    end.driver.close(end.now())
    end.until(lambda: end.driver.state is State.TIME_WAIT)
    end.check()


@pytest.mark.parametrize("offer", OFFERS, ids=str)
def test_many_small_messages_come_back(sandbox: Sandbox, agent: Agent, offer: Offer) -> None:
    end = to_echo(sandbox, agent, offer=offer)
    for number in range(200):
        end.write(b"%06d" % number)
        assert end.read(6) == b"%06d" % number
    end.check()
    close(end)


@pytest.mark.parametrize("offer", OFFERS, ids=str)
def test_large_messages_come_back(sandbox: Sandbox, agent: Agent, offer: Offer) -> None:
    end = to_echo(sandbox, agent, offer=offer)
    for number in range(5):
        text = bytes([65 + number]) + random.Random(number).randbytes(65535)
        end.write(text)
        assert end.read(65536) == text
    end.check()
    close(end)


def test_messages_may_go_out_before_the_last_has_come_back(sandbox: Sandbox, agent: Agent) -> None:
    end = to_echo(sandbox, agent)
    for number in range(300):
        end.write(b"%06d" % number * 20)
    assert end.read(300 * 120) == b"".join(b"%06d" % number * 20 for number in range(300))
    end.check()
    close(end)


def test_what_gets_lost_on_the_way_in_delays_and_never_reorders(sandbox: Sandbox, agent: Agent) -> None:
    """Each segment behind the gap is answered at once, and it is held: three of these answers bring the repetition."""
    end = to_echo(sandbox, agent)
    end.lose_in = losing(5, 9, 10, 30)
    end.write(TEXT)
    assert end.read(len(TEXT)) == TEXT
    assert "retransmission" in end.notes
    acks = [segment.ack for segment in end.sent]
    assert max(acks.count(number) for number in acks) > 3
    end.check()
    close(end)


@pytest.mark.parametrize("offer", [Offer(mss=1460), Offer(1460, 7, True, True)], ids=str)
def test_what_gets_lost_on_the_way_out_is_sent_again_without_waiting(
    sandbox: Sandbox, agent: Agent, offer: Offer
) -> None:
    end = to_echo(sandbox, agent, offer=offer)
    end.lose_out = losing(5, 9, 10)
    end.write(TEXT)
    assert end.read(len(TEXT)) == TEXT
    starts = [segment.seq for segment in end.sent if segment.payload]
    assert sum(starts.count(seq) == 2 for seq in set(starts)) == 3  # the three that were lost, and nothing else
    end.check()
    close(end)


def test_the_last_segment_lost_is_probed_for(sandbox: Sandbox, agent: Agent) -> None:
    """Nothing comes behind it that could tell: a probe for it, or the timer, brings it (RFC 8985 §7, RFC 6298)."""
    end = to_echo(sandbox, agent)
    end.write(b"x" * 4000)
    assert end.read(4000) == b"x" * 4000
    end.lose_in = losing(3, 4)
    end.write(TEXT[:5000])
    assert end.read(5000) == TEXT[:5000]
    assert "retransmission" in end.notes
    end.check()


def test_repetitions_join_what_was_sent_apart(sandbox: Sandbox, agent: Agent) -> None:
    end, held = to_program(sandbox, agent)
    agent.set(held, "TCP_NODELAY", 1)
    end.lose_in = lambda segment: bool(segment.payload)
    for number in range(8):
        agent.send(held, b"%03d" % number)
        end.take()
    end.until(lambda: any(sight.note == "retransmission" for _, sight in end.sights))
    end.lose_in = lambda segment: False
    assert end.read(24) == b"000001002003004005006007"
    assert max(len(segment.payload) for segment, _ in end.sights) > 3
    end.check()


def test_a_reader_that_stops_shuts_the_window_and_is_probed(sandbox: Sandbox, agent: Agent) -> None:
    end = to_echo(sandbox, agent, capacity=10000)
    end.driver.reading = False
    end.write(TEXT)
    end.until(lambda: "zero-window probe" in end.notes)
    end.flush()
    assert end.sent[-1].window == 0
    assert len(end.driver.endpoint.receive_buffer) == 10000
    assert end.driver.receive() == b""
    end.check()
    end.driver.reading = True
    assert end.read(len(TEXT)) == TEXT
    assert 10000 - 1460 < end.driver.endpoint.rcv_wnd <= 10000
    end.check()
    close(end)


def test_a_server_that_does_not_read_is_probed_until_it_does(sandbox: Sandbox, agent: Agent) -> None:
    """The kernel answers one octet beyond its window with an ACK and does not take it."""
    listener, port = agent.listen("ipv4", options={"SO_RCVBUF": 8192})
    end = EndOnWire(sandbox, port)
    end.open()
    held = agent.accept(listener).socket
    end.write(TEXT)
    end.until(lambda: len(end.sent) > 3 and [len(segment.payload) for segment in end.sent[-2:]] == [1, 1])
    shut = end.driver.endpoint.snd_una
    assert [segment.seq for segment in end.sent[-2:]] == [shut, shut]
    assert end.sights[-1][0].window == 0
    end.check()
    got = b""
    while len(got) < len(TEXT):
        got += agent.receive(held)[0]
        end.take()
        end.flush()
        end.until(lambda: not end.driver.endpoint.unacked or end.driver.endpoint.snd_wnd == 0)
    assert got == TEXT
    assert "window update" in end.notes
    end.check()


def test_both_windows_shut_and_probed_open_again(sandbox: Sandbox, agent: Agent) -> None:
    """The echo cannot write, so it does not read either; then we read again, and all that was written comes back."""
    end = to_echo(sandbox, agent, capacity=20000)
    end.driver.reading = False
    text = b""
    while (end.driver.endpoint.snd_wnd, end.driver.endpoint.rcv_wnd, end.driver.endpoint.unacked) != (0, 0, 1):
        if end.driver.endpoint.unsent < 20000:
            text += bytes([len(text) >> 14 & 255]) * 16384
            end.write(text[-16384:])
        at = end.driver.next_timeout
        end.take(wait=0.01)
        if at is not None and at <= end.now():
            end.driver.tick(end.now())
        end.flush()
    end.driver.reading = True
    assert end.read(len(text)) == text
    end.check()


def test_keep_alive_probes_are_answered_and_a_peer_that_is_gone_is_found(sandbox: Sandbox, agent: Agent) -> None:
    end, held = to_program(sandbox, agent)
    for name, value in (("SO_KEEPALIVE", 1), ("TCP_KEEPIDLE", 1), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 1)):
        agent.set(held, name, value)
    agent.send(held, b"hello")
    assert end.read(5) == b"hello"
    end.until(lambda: end.sights[-1][1].note == "keep-alive probe")
    probe = end.sights[-1][0]
    assert probe.end.ahead_of(end.driver.endpoint.rcv_nxt) == -1
    end.until(lambda: end.sent[-1].seq == end.driver.endpoint.snd_nxt and not end.sent[-1].length)
    end.check()
    end.lose_in = lambda segment: True
    end.until(lambda: end.sights[-1][1].note == "the program aborts")
    assert end.kernel() is State.CLOSED
    end.check()


def test_a_program_closes_whenever_it_likes(sandbox: Sandbox, agent: Agent) -> None:
    for _ in range(50):
        end = EndOnWire(sandbox, agent.services()["close-first"])
        end.open()
        end.check()
        end.until_it_ends()
        end.check()
        end.driver.close(end.now())
        end.flush()
        end.check()


def test_a_program_writes_closes_and_aborts_while_it_is_written_to(sandbox: Sandbox, agent: Agent) -> None:
    for how in ("close", "shutdown", "abort") * 5:
        end, held = to_program(sandbox, agent)
        agent.begin("send", 5.0, socket=held, data="eHh4" * 20000, timeout=5.0)
        for _ in range(20):
            end.write(b"y" * 700)
        assert end.read(60000) == b"xxx" * 20000
        left = 20 * 700
        while left:
            left -= len(agent.receive(held)[0])
        end.check()
        getattr(agent, how)(held)
        end.until_it_ends()
        end.check()
