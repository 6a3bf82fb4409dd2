"""What the server's program is told at the end of a connection: an honest kernel is believed, another is found out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hand import FINE, Hand, calls, conforms, packets

from lab.scenario.record import Packet, Verdict
from lab.server.client import AgentError
from lab.server.protocol import ErrorKind
from lab.tcp.state import State
from lab.testbed.sandbox import Sandboxes

ACCEPTED = ("syn", "ack", "server accept")
CALLED = ("server connect", "synack")


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ((*ACCEPTED, 'data "hello"', "rst"), ["program reads b'hello'", "program is told: connection reset"]),
        ((*CALLED, 'data "hello"', "rst"), ["program reads b'hello'", "program is told: connection reset"]),
        ((*ACCEPTED, "rst"), ["program is told: connection reset"]),
        ((*ACCEPTED, "server shutdown", "ack", "rst"), ["program is told: connection reset"]),
        ((*ACCEPTED, "fin", "rst"), ["program reads the end of the stream"]),
        ((*ACCEPTED, "fin", "server recv", "rst"), ["program reads the end of the stream"]),
        ((*CALLED, "fin", "rst"), ["program reads the end of the stream"]),
        ((*ACCEPTED, 'data "x"', "fin", "rst"), ["program reads b'x'", "program reads the end of the stream"]),
        ((*ACCEPTED, "fin", "server shutdown", "ack"), ["program reads the end of the stream"]),
        ((*ACCEPTED, "fin", "server shutdown", "rst"), ["program reads the end of the stream"]),
        (
            (*ACCEPTED, 'data "x"', "fin", "server shutdown", "ack"),
            ["program reads b'x'", "program reads the end of the stream", "program reads the end of the stream"],
        ),
        (("server connect", "syn", "rst"), ["program is told: connection reset"]),
        (("server connect", 'send TCP(flags="S", seq=x)', "rst"), ["program is told: connection reset"]),
        (("server connect", "rst"), ["program is told: connection refused"]),
    ],
)
def test_what_had_come_is_read_before_the_end_is_told(
    hand: Hand, sandboxes: Sandboxes, before: tuple[str, ...], told: list[str]
) -> None:
    """As this kernel has it: what it had acknowledged its program may read, also behind a RST."""
    hand.do(*before)
    for sentence in told:
        assert calls(hand.do("server recv")) == [sentence]
    assert hand.end().verdict in FINE
    conforms(hand.saved(hand.out / "told.py"), sandboxes, seeds=(7,))


def test_what_lies_unread_is_kept_for_a_connection_that_is_accepted_late(hand: Hand) -> None:
    hand.do("syn", "ack", 'data "x"', "rst", "new", "syn", "ack", "server accept", "switch A")
    assert calls(hand.do("server recv")) == ["program reads b'x'"]
    assert calls(hand.do("server recv")) == ["program is told: connection reset"]
    assert hand.end().verdict in FINE


def test_of_a_later_life_nothing_is_read_that_came_in_the_first(hand: Hand) -> None:
    hand.do(*ACCEPTED, 'data "x"', "rst", "syn", "ack", "server accept")
    assert calls(hand.do("server recv")) == ["program has nothing to read"]
    assert hand.end().verdict in FINE


def test_a_life_that_ended_before_it_was_taken_is_given_first(hand: Hand) -> None:
    """A kernel keeps it in its queue: the program gets both, and goes on with the one that stands."""
    hand.do("syn", "ack", "rst", "syn", "ack", "server accept", 'data "x"')
    assert calls(hand.do("server recv")) == ["program reads b'x'"]
    assert hand.end().verdict in FINE


@pytest.mark.parametrize("seen_before", [True, False])
def test_a_fin_of_which_the_kernel_alone_speaks_is_missed_at_the_end(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, seen_before: bool
) -> None:
    """A service may close at any time; half a second later its FIN is here."""
    hand.do("ws open", "ack")
    monkeypatch.setattr(hand.session.bench, "ask_state", lambda _: State.FIN_WAIT_1)
    if seen_before:
        assert hand.do("wait 0").problems == [], "it may be on its way"
    result = hand.end()
    assert [(p.field, p.verdict) for p in result.problems] == [("state", Verdict.VIOLATES)]


def test_a_program_that_gives_up_its_own_call_was_not_refused(hand: Hand, sandboxes: Sandboxes) -> None:
    """CLOSE in SYN-SENT deletes the TCB (RFC 9293 §3.10.4): nobody has refused anything."""
    hand.do("server connect", "server shutdown")
    assert "was told already that the connection is gone" in hand.refused("server recv")
    hand.do("server close")
    assert hand.end().verdict in FINE
    conforms(hand.saved(hand.out / "given_up.py"), sandboxes, seeds=(7,))


def test_a_call_that_nobody_answers_ends_by_a_timer(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """A second and two, and the kernel gives up (RFC 9293 §3.8.3): no refusal either."""
    few = {"net.ipv4.tcp_syn_retries": "1", "net.ipv4.tcp_syn_linear_timeouts": "0"}
    with Hand(sandboxes, tmp_path, sysctls=few) as hand:
        hand.do("server connect", "wait 3.5")
        assert hand.states[1] == "CLOSED"
        assert calls(hand.do("server recv")) == ["program is told: connection aborted due to user timeout"]
        assert hand.end().verdict in FINE


Told = tuple[bytes, bool] | str


@pytest.mark.parametrize(
    ("before", "says", "field"),
    [
        ((*ACCEPTED, 'data "hello"', "rst"), (b"", True), "payload"),
        ((*ACCEPTED, 'data "hello"', "rst"), (b"hallo", False), "payload"),
        ((*ACCEPTED, 'data "hello"'), "ECONNRESET", "payload"),
        ((*ACCEPTED, "rst"), (b"", True), "state"),
        ((*ACCEPTED, "rst"), (b"x", False), "state"),
        ((*ACCEPTED, "rst"), "ETIMEDOUT", "state"),
        ((*ACCEPTED, "fin"), "ECONNRESET", "payload"),
        ((*ACCEPTED, "fin"), (b"x", True), "payload"),
        ((*ACCEPTED, "fin", "rst"), (b"x", False), "payload"),
        ((*ACCEPTED, "fin", "rst"), "ETIMEDOUT", "payload"),
        ((*ACCEPTED, "fin", "server shutdown", "ack"), "ECONNRESET", "payload"),
        ((*ACCEPTED, 'data "x"', "fin", "server shutdown", "ack"), "ECONNRESET", "payload"),
    ],
)
def test_a_kernel_that_tells_another_end_is_found_out(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, before: tuple[str, ...], says: Told, field: str
) -> None:
    hand.do(*before)
    _says(hand, monkeypatch, says)
    problems = hand.do("server recv").problems
    assert [(p.field, p.witness, p.verdict) for p in problems] == [(field, "program", Verdict.VIOLATES)]


def test_a_kernel_that_flushes_half_of_what_had_come_is_found_out(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """All queues are flushed, or none."""
    hand.do(*ACCEPTED, 'data "hello"', "rst")
    _says(hand, monkeypatch, (b"he", False), "ECONNRESET")
    problems = hand.do("server recv").problems
    assert [(p.field, p.witness, p.observed) for p in problems] == [("payload", "program", "b'he', then ECONNRESET")]


@pytest.mark.parametrize("before", [("rst",), ("syn", "rst")])
def test_a_refused_call_is_not_told_of_silence(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, before: tuple[str, ...]
) -> None:
    hand.do("server connect", *before)

    def connected(*_: Any, **__: Any) -> None:
        raise AgentError(ErrorKind.OS, "ETIMEDOUT", "as the test has it")

    monkeypatch.setattr(hand.session.testbed.agent, "connected", connected)
    assert [(p.field, p.observed) for p in hand.do("server recv").problems] == [("state", "ETIMEDOUT")]


@pytest.mark.parametrize("before", [("rst",), ("syn", "rst")])
def test_a_call_that_stands_though_it_was_refused_is_found_out(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, before: tuple[str, ...]
) -> None:
    hand.do("server connect", *before)
    monkeypatch.setattr(hand.session.testbed.agent, "connected", lambda *_, **__: None)
    assert [(p.field, p.observed) for p in hand.do("server recv").problems] == [("state", "connected")]


@pytest.mark.parametrize("came", [('data "hello"',), ("fin",), ('data "hello"', "fin")])
def test_a_kernel_that_flushes_what_had_come_is_believed(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, came: tuple[str, ...]
) -> None:
    """ "All segment queues should be flushed", and outstanding RECEIVEs answered "reset" (RFC 9293 §3.10.7.4)."""
    hand.do(*ACCEPTED, *came, "rst")
    _says(hand, monkeypatch, "ECONNRESET")
    assert calls(hand.do("server recv")) == ["program is told: connection reset"]
    assert "was told already that the connection is gone" in hand.refused("server recv")
    assert hand.end().verdict in FINE


SHUT = ("server connect", 'send TCP(flags="S", seq=x)', "server shutdown")


@pytest.mark.parametrize(
    ("then", "states"),
    [
        (("ack",), ("CLOSE-WAIT", "FIN-WAIT-1")),
        (("ack", "ack", "fin"), ("CLOSED", "TIME-WAIT")),
        (("server close",), ("CLOSE-WAIT", "FIN-WAIT-1")),
        (("fin",), ("TIME-WAIT", "CLOSING")),
        (('data "x"',), ("CLOSE-WAIT", "FIN-WAIT-1")),
        (("rst", "server recv"), ("CLOSED", "CLOSED")),
    ],
)
def test_a_fin_may_wait_until_the_connection_stands(
    hand: Hand, sandboxes: Sandboxes, then: tuple[str, ...], states: tuple[str, str]
) -> None:
    """CLOSE in SYN-RECEIVED (RFC 9293 §3.10.4): this kernel notes a shutdown; a close sends the FIN."""
    step = hand.do(*SHUT)
    assert (packets(step), hand.states) == ([], ("SYN-RECEIVED", "SYN-RECEIVED"))
    for line in then:
        assert hand.do(line).problems == [], line
    assert hand.states == states
    assert hand.end().verdict in FINE
    conforms(hand.saved(hand.out / "shut.py"), sandboxes, seeds=(7,))


@pytest.mark.parametrize(
    ("before", "then"),
    [
        (("server stop", "ws open"), "< RA 1"),
        (("server stop", "server connect"), "< RA 1"),
        (("server stop", "ws open", "server listen"), "< SA 0 1"),
    ],
)
def test_a_new_connection_leads_to_where_the_program_listens_or_did(
    hand: Hand, sandboxes: Sandboxes, before: tuple[str, ...], then: str
) -> None:
    """Wherever the first one leads by now: to the WebSocket server, or to the port from which the kernel has called."""
    hand.do(*before)
    hand.do("new")
    assert packets(hand.do("syn")) == ["> S 0", then]
    assert hand.end().verdict in FINE
    conforms(hand.saved(hand.out / "another.py"), sandboxes, seeds=(7,))


def test_text_that_outgrows_the_send_buffer_goes_on_as_it_is_acknowledged(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much a kernel takes at once is its own affair: one that has called, some 45,000 octets, or more."""
    hand.do("auto on", "server connect")
    _has_little_room(hand)
    agent, waited = hand.session.testbed.agent, []
    assert agent is not None
    send = agent.send
    monkeypatch.setattr(agent, "send", lambda *a, timeout: waited.append(timeout) or send(*a, timeout=timeout))
    step = hand.do('server send "w" * 60000')
    assert set(waited) == {0}, "nobody waited for room"
    came = [e.segment.payload for e in step.entries if isinstance(e, Packet) and e.segment and e.sender == "server"]
    assert sum(map(len, came)) == 60000
    assert step.problems == []
    assert hand.end().verdict in FINE


def test_of_text_that_the_kernel_did_not_take_none_is_missed(hand: Hand) -> None:
    hand.do(*CALLED)
    _has_little_room(hand)
    (call,) = calls(hand.do('server send "w" * 60000'))
    taken = int(call.split(": ")[-1].split(" taken")[0])
    assert call.endswith(": " + str(taken) + " taken, the buffer is full")
    assert 0 < taken < 60000
    for _ in range(60):  # how much comes at once is the congestion window's affair
        hand.do("ack")
        names = hand.session.names()
        if names["rcv_nxt"] - names["irs"] == 1 + taken:
            break
    assert names["rcv_nxt"] - names["irs"] == 1 + taken
    assert hand.do("ack").problems == []  # now that all is acknowledged, more would be due
    assert hand.end().verdict in FINE


@pytest.mark.parametrize("before", [CALLED, (*CALLED, "fin")])
def test_text_that_the_kernel_took_and_keeps_back_is_missed(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, before: tuple[str, ...]
) -> None:
    hand.do(*before)
    monkeypatch.setattr(hand.session.testbed.agent, "send", lambda _, data, **__: len(data))
    assert [p.expected for p in hand.do('server send "w" * 50000').problems] == ["50000 octets of text"]


def test_what_a_window_has_room_for_is_missed_once(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little room that is; and what stays away is told when it is due, not at every step."""
    hand.do(*CALLED, 'send TCP(flags="A", window=1)')
    monkeypatch.setattr(hand.session.testbed.agent, "send", lambda _, data, **__: len(data))
    assert [p.expected for p in hand.do('server send "w"').problems] == ["1 octets of text"]
    assert hand.do("wait 0").problems == []


def _has_little_room(hand: Hand) -> None:
    """The send buffer of the program's socket holds a few segments, and does not grow."""
    agent, socket = hand.session.testbed.agent, hand.session.hand.socket
    assert agent is not None
    assert socket is not None
    agent.set(socket.socket, "SO_SNDBUF", 10000)


def _says(hand: Hand, monkeypatch: pytest.MonkeyPatch, *says: Told) -> None:
    """From now on the kernel answers each recv() so, and every further one as the last."""
    left = list(says)

    def receive(*_: Any, **__: Any) -> tuple[bytes, bool]:
        told = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(told, str):
            raise AgentError(ErrorKind.OS, told, "as the test has it")
        return told

    monkeypatch.setattr(hand.session.testbed.agent, "receive", receive)
