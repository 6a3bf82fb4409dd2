"""The linux profile against a real Linux kernel: every state, every kind of segment, reply by reply.

Each case walks a fresh connection into a state, sends one segment to the kernel and to the model, and compares what
comes back at once and the state afterwards. What the kernel answers later (a delayed ACK) may come or not.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable

import pytest

from lab.server.client import Agent
from lab.tcp import options
from lab.tcp.endpoint import Endpoint, Reply
from lab.tcp.outcome import Outcome
from lab.tcp.profile import LINUX, LINUX_EARLIER, Profile
from lab.tcp.segment import ACK, PSH, SYN, Segment, flags_from, letters
from lab.tcp.sequence import Seq
from lab.tcp.state import State
from lab.testbed.sandbox import Sandbox
from lab.wire.codec import TcpFrame, decode, encode
from lab.wire.neighbours import answer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a Linux kernel to compare with")

ISN = Seq(0xFFFFFFFE)
_ports = itertools.count(30000)


class Differs(AssertionError):
    """The kernel did something else than the model."""


class Connection:
    """One connection of the kernel, and the model of it under one profile."""

    def __init__(self, sandbox: Sandbox, profile: Profile) -> None:
        assert sandbox.agent is not None
        self.box = sandbox
        self.agent: Agent = sandbox.agent
        self.server, self.peer = str(sandbox.server_address("ipv4")), str(sandbox.peer_address("ipv4"))
        self.port = next(_ports)
        self.now = 0.0
        self.owed: list[Reply] = []
        self.sockets: list[int] = []
        self.model = Endpoint(profile)

    def listen(self) -> None:
        listener, self.server_port = self.agent.listen("ipv4")
        self.sockets.append(listener)
        self.model = self.model.open_passive().endpoint

    def connect(self) -> None:
        outcome = self.model.open_active(self.now)
        held, self.server_port = self.agent.connect_to("ipv4", self.peer, self.port)
        self.sockets.append(held)
        replies = self._take(outcome)
        seen = self._drain() or self._drain(0.5)
        self._compare(replies, seen)

    def accept(self) -> None:
        self.sockets.append(self.agent.accept(self.sockets[0]).socket)

    def call(self, name: str) -> None:
        replies = self._take(getattr(self.model, name)(self.now))
        getattr(self.agent, name)(self.sockets[-1])
        if name == "close":
            self.sockets.pop()
        self._compare(replies, self._drain())

    def deliver(self, segment: Segment) -> None:
        self._compare([], self._drain())
        replies = self._take(self.model.arrives(segment, self.now))
        self.box.link.send(
            encode(
                segment,
                source=self.peer,
                destination=self.server,
                sport=self.port,
                dport=self.server_port,
                source_mac=self.box.peer_mac,
                destination_mac=self.box.server_mac,
            )
        )
        self._compare(replies, self._drain())
        kernel = self.agent.state("ipv4", (self.server, self.server_port), (self.peer, self.port))
        model = State.CLOSED if self.model.state is State.LISTEN else self.model.state
        if kernel is not model:
            raise Differs(f"the kernel is in {kernel}, the model in {self.model.state}")

    def peer_sends(self, flags: str, seq: int = 0, ack: int = 0, payload: bytes = b"", window: int = 60000) -> None:
        """A segment whose numbers count from what the server expects next."""
        bits = flags_from(flags)
        expected = ISN if self.model.irs is None else self.model.rcv_nxt
        acked = self.model.snd_nxt + ack if ACK in bits else Seq(0)
        raw = options.pack([options.mss(1460)]) if SYN in bits else b""
        self.deliver(Segment(bits, expected + seq, acked, window, payload, raw))

    def _take(self, outcome: Outcome) -> list[Reply]:
        self.model = outcome.endpoint
        self.owed += [r for r in outcome.replies if r.due]
        return [r for r in outcome.replies if not r.due]

    def _drain(self, wait: float = 0.0) -> list[Segment]:
        seen: list[Segment] = []
        for captured in self.box.link.wait(wait) if wait else self.box.link.drain():
            frame = decode(captured.frame)
            if isinstance(frame, TcpFrame):
                if frame.dport == self.port and frame.destination == self.peer:
                    seen.append(frame.segment)
            elif reply := answer(frame, [self.peer], self.box.peer_mac):
                self.box.link.send(reply)
                seen += self._drain(0.5)
        return seen

    def _compare(self, expected: list[Reply], seen: list[Segment]) -> None:
        for segment in seen:
            match = next((r for r in expected + self.owed if _same(r, segment)), None)
            fin = letters(segment.flags) == "FA" and segment.ack == self.model.rcv_nxt and self.model.fin_queued
            if match is None and not fin:
                raise Differs(f"the kernel sent {segment}; expected {[str(r.segment) for r in expected] or 'nothing'}")
            expected = [r for r in expected if r is not match]
            if segment.ack == self.model.rcv_nxt:
                self.owed = []
            self.model = self.model.sent(segment, self.now)
        if missing := [str(r.segment) for r in expected if not r.optional]:
            raise Differs(f"the kernel did not send {missing}")

    def close(self) -> None:
        for held in reversed(self.sockets):
            self.agent.abort(held)
        self.box.link.drain()


def _same(reply: Reply, segment: Segment) -> bool:
    wanted = reply.segment
    return (
        wanted.flags | PSH == segment.flags | PSH
        and ("seq" in reply.free or wanted.seq == segment.seq)
        and (ACK not in wanted.flags or wanted.ack == segment.ack)
    )


def to_listen(c: Connection) -> None:
    c.listen()


def to_syn_sent(c: Connection) -> None:
    c.connect()


def to_syn_received(c: Connection) -> None:
    c.listen()
    c.peer_sends("S")


def to_crossed(c: Connection) -> None:
    c.connect()
    c.peer_sends("S")


def to_established(c: Connection) -> None:
    to_syn_received(c)
    c.peer_sends("A")
    c.accept()


def to_unread(c: Connection) -> None:
    to_established(c)
    c.peer_sends("PA", payload=b"unread")


def to_fin_wait_1(c: Connection) -> None:
    to_established(c)
    c.call("shutdown")


def to_fin_wait_1_closed(c: Connection) -> None:
    to_established(c)
    c.call("close")


def to_fin_wait_2(c: Connection) -> None:
    to_fin_wait_1(c)
    c.peer_sends("A")


def to_fin_wait_2_closed(c: Connection) -> None:
    to_fin_wait_1_closed(c)
    c.peer_sends("A")


def to_close_wait(c: Connection) -> None:
    to_established(c)
    c.peer_sends("FA")


def to_last_ack(c: Connection) -> None:
    to_close_wait(c)
    c.call("close")


def to_closing(c: Connection) -> None:
    to_fin_wait_1(c)
    c.peer_sends("FA", ack=-1)


def to_time_wait(c: Connection) -> None:
    to_fin_wait_1(c)
    c.peer_sends("FA")


STATES: list[tuple[Callable[[Connection], None], State]] = [
    (to_listen, State.LISTEN),
    (to_syn_sent, State.SYN_SENT),
    (to_syn_received, State.SYN_RECEIVED),
    (to_crossed, State.SYN_RECEIVED),
    (to_established, State.ESTABLISHED),
    (to_unread, State.ESTABLISHED),
    (to_fin_wait_1, State.FIN_WAIT_1),
    (to_fin_wait_1_closed, State.FIN_WAIT_1),
    (to_fin_wait_2, State.FIN_WAIT_2),
    (to_fin_wait_2_closed, State.FIN_WAIT_2),
    (to_close_wait, State.CLOSE_WAIT),
    (to_last_ack, State.LAST_ACK),
    (to_closing, State.CLOSING),
    (to_time_wait, State.TIME_WAIT),
]
WINDOW = 64240
SEGMENTS: list[tuple[str, int, int, bytes]] = [
    ("A", 0, 0, b""),
    ("A", 0, -1, b""),
    ("A", 0, 1, b""),
    ("A", 0, -70000, b"far"),
    ("A", -1, 0, b""),
    ("A", -1, 0, b"a"),
    ("A", 100000, 0, b""),
    ("A", WINDOW + 1, 0, b""),
    ("PA", 0, 0, b"hello"),
    ("PA", 0, -1, b"hello"),
    ("PA", -1, 0, b"hello"),
    ("PA", 5, 0, b"world"),
    ("FA", 0, 0, b""),
    ("FA", 0, -1, b""),
    ("FA", -1, 0, b""),
    ("FA", 3, 0, b""),
    ("FA", 0, 0, b"bye"),
    ("", 0, 0, b"no flags"),
    ("F", 0, 0, b""),
    ("", 100000, 0, b""),
    ("R", 0, 0, b""),
    ("R", 0, 0, b"why"),
    ("R", 1, 0, b""),
    ("R", -1, 0, b""),
    ("R", 100000, 0, b""),
    ("RA", 0, 0, b""),
    ("RA", 0, 7, b""),
    ("S", 0, 0, b""),
    ("S", -1, 0, b""),
    ("S", 7, 0, b""),
    ("S", 100000, 0, b""),
    ("S", -100000, 0, b""),
    ("SA", -1, 0, b""),
    ("SA", 0, 0, b""),
    ("SF", 0, 0, b""),
]


@pytest.mark.parametrize(("flags", "seq", "ack", "payload"), SEGMENTS)
@pytest.mark.parametrize(("walk", "state"), STATES, ids=lambda value: getattr(value, "__name__", ""))
def test_the_kernel_does_what_the_linux_profile_says(
    sandbox: Sandbox, walk: Callable[[Connection], None], state: State, flags: str, seq: int, ack: int, payload: bytes
) -> None:
    complaints = []
    for profile in (LINUX, LINUX_EARLIER):
        connection = Connection(sandbox, profile)
        try:
            walk(connection)
            assert connection.model.state is state
            connection.peer_sends(flags, seq, ack, payload)
            return
        except Differs as complaint:
            complaints.append(f"{profile.name}: {complaint}")
        finally:
            connection.close()
    pytest.fail("\n".join(complaints))
