"""What is predicted to come back, against a real kernel: every answer is one of those predicted, and so are its states.

Each case plays one end by hand. Before each step the model is asked what may come of it; then the step is made, and
what the kernel sends, where its socket stands and where that leaves our end must be one of the answers, word by word.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Sequence

import pytest

from lab.tcp import options
from lab.tcp.conversation import Conversation
from lab.tcp.endpoint import Endpoint
from lab.tcp.outcome import CallError, Outcome
from lab.tcp.outlook import Answer, Move, illegal_moves, legal_moves, predict, predict_call
from lab.tcp.prediction import HELLO
from lab.tcp.profile import LINUX_EARLIER, MITIGATED, RFC9293, linux
from lab.tcp.segment import ACK, PSH, SYN, Segment, flags_from
from lab.tcp.sequence import Seq
from lab.tcp.state import SYNCHRONIZED, State
from lab.testbed.sandbox import Sandbox
from lab.wire.codec import TcpFrame, decode, encode
from lab.wire.neighbours import answer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a Linux kernel to compare with")

ISS = Seq(0xFFFFFFFD)
LATE = 1.0
"""Seconds within which a delayed ACK must have come, whatever else the machine does (MUST-40: 0.5)."""
_ports = itertools.count(40000)


class Played:
    """One connection with the sandbox's kernel: the model is asked, the step is made, the two are compared."""

    def __init__(self, sandbox: Sandbox) -> None:
        assert sandbox.agent is not None
        self.box, self.agent = sandbox, sandbox.agent
        self.here, self.there = str(sandbox.peer_address("ipv4")), str(sandbox.server_address("ipv4"))
        self.port, self.server_port = next(_ports), 0
        self.talk = Conversation((RFC9293, MITIGATED, linux(sandbox.settings), LINUX_EARLIER))
        self.began = time.monotonic()
        self.sockets: list[int] = []
        self.held: int | None = None
        self.said: list[str] = []

    def now(self) -> float:
        return time.monotonic() - self.began

    @property
    def at(self) -> State:
        return self.talk.server.best.endpoint.state

    # What may be done

    def listen(self) -> None:
        listener, self.server_port = self.agent.listen("ipv4")
        self.sockets.append(listener)
        self.talk.server.listen()

    def connect(self) -> None:
        expected = predict_call(self.talk, "connect", self.now(), iss=ISS)
        self.talk.server.call("connect", lambda end: end.open_active(self.now()), self.now())
        self.talk.peer = Endpoint(profile=RFC9293, iss=ISS).open_passive().endpoint
        self.held, self.server_port = self.agent.connect_to("ipv4", self.here, self.port)
        self._compare("connect()", expected, wait=LATE)

    def call(self, name: str) -> None:
        if self.held is None and self.sockets:
            self.held = self.agent.accept(self.sockets[0]).socket
        assert self.held is not None
        self._drain()
        expected = predict_call(self.talk, name, self.now(), iss=ISS)
        assert expected, f"{name}() in {self.at} is not thought to be allowed"
        if name == "send":
            self.agent.send(self.held, HELLO)
        elif name == "recv":
            self.agent.receive(self.held)
        else:
            getattr(self.agent, name)(self.held)
        acts = {"send": lambda end: end.send(HELLO, self.now()), "abort": lambda end: end.abort()}

        def act(end: Endpoint) -> Outcome:
            try:
                if name == "recv":
                    return end.receive(65536, self.now())
                return acts[name](end) if name in acts else getattr(end, name)(self.now())
            except CallError:
                return Outcome(end)

        self.talk.server.call(name, act, self.now(), HELLO if name == "send" else b"")
        if name in ("close", "abort"):
            self.held = None
        self._compare(f"{name}()", expected)

    def send(self, segment: Segment) -> None:
        self._drain()
        expected = predict(self.talk, segment, self.now())
        self.box.link.send(
            encode(
                segment,
                source=self.here,
                destination=self.there,
                sport=self.port,
                dport=self.server_port,
                source_mac=self.box.peer_mac,
                destination_mac=self.box.server_mac,
            )
        )
        self.talk.peer_sends(segment, self.now())
        self._compare(f"> {segment}", expected)

    def counted(self, flags: str, seq: int = 0, ack: int = 0, payload: bytes = b"", window: int = 60000) -> Segment:
        """A segment whose numbers count from what the server expects next, and from what it would send next."""
        bits, end = flags_from(flags), self.talk.server.best.endpoint
        start: Seq = (ISS if end.irs is None else end.rcv_nxt) + seq
        acked: Seq = end.snd_nxt + ack if ACK in bits else Seq(0)
        return Segment(bits, start, acked, window, payload, options.pack([options.mss(1460)]) if SYN in bits else b"")

    def peer_sends(self, *args: object, **fields: object) -> None:
        self.send(self.counted(*args, **fields))  # type: ignore[arg-type]

    # What comes of it

    def _compare(self, what: str, expected: Sequence[Answer], wait: float = 0.0) -> None:
        seen = self._drain(wait)
        self.said.append(f"{what} [{', '.join(map(str, seen))}]")
        fits = [one for one in expected if _fits(one, seen)]
        told = "\n".join((*self.said, *(f"  predicted: {_text(one)}" for one in expected)))
        assert fits, f"not predicted:\n{told}"
        kernel = self.agent.state("ipv4", (self.there, self.server_port), (self.here, self.port))
        fits = [one for one in fits if _same_state(one.server, kernel)]
        assert fits, f"the kernel is in {kernel}:\n{told}"
        # A delayed ACK has not come yet; and whether the kernel's new number lies in an old window of ours is chance.
        late = all((one.due and not seen) or any("seq" in free for free in one.free) for one in fits)
        assert late or any(one.lab is self.talk.peer.state for one in fits), (
            f"we are in {self.talk.peer.state}:\n{told}"
        )
        owes = [reply.segment.flags for reply in self.talk.owed]
        assert late or any([s.flags for s in one.owes] == owes for one in fits), f"we owe {owes}:\n{told}"
        self._until_nothing_is_owed()

    def _until_nothing_is_owed(self) -> None:
        """Delayed ACKs come before the next step, so that each step's answers are its own."""
        until = time.monotonic() + LATE
        while any(owed.until > owed.since for world in self.talk.server.worlds for owed in world.owed):
            assert time.monotonic() < until, "\n".join(self.said)
            self._drain(0.01)
        finding = self.talk.server.settle(self.now())
        assert finding is None, (finding, self.said)

    def _drain(self, wait: float = 0.0) -> list[Segment]:
        seen: list[Segment] = []
        for captured in self.box.link.wait(wait) if wait else self.box.link.drain():
            frame = decode(captured.frame)
            if isinstance(frame, TcpFrame):
                if frame.dport == self.port and frame.destination == self.here:
                    seen.append(frame.segment)
                    sight = self.talk.server_sends(frame.segment, self.now())
                    assert sight.finding is None, (sight.finding, self.said)
            elif reply := answer(frame, [self.here], self.box.peer_mac):
                self.box.link.send(reply)
                seen += self._drain(0.5)
        return seen

    def over(self) -> None:
        for held in (*self.sockets, *([self.held] if self.held is not None else [])):
            self.agent.abort(held)
        self.box.link.drain()


def _fits(answer: Answer, seen: list[Segment]) -> bool:
    if not seen and (answer.due or answer.optional):
        return True
    return len(seen) == len(answer.segments) and all(
        one.flags & ~PSH == wanted.flags & ~PSH
        and ("seq" in free or one.seq == wanted.seq)
        and (ACK not in wanted.flags or "ack" in free or one.ack == wanted.ack)
        and one.payload == wanted.payload
        for one, wanted, free in zip(seen, answer.segments, answer.free, strict=True)
    )


def _same_state(predicted: State, kernel: State) -> bool:
    return predicted is kernel or (predicted is State.LISTEN and kernel is State.CLOSED)


def _text(answer: Answer) -> str:
    return f"{[str(s) for s in answer.segments]} due {answer.due} {answer.server} {answer.profiles}"


# 300 segments in 14 states


def to_listen(c: Played) -> None:
    c.listen()


def to_syn_sent(c: Played) -> None:
    c.connect()


def to_syn_received(c: Played) -> None:
    c.listen()
    c.peer_sends("S")


def to_crossed(c: Played) -> None:
    c.connect()
    c.peer_sends("S")


def to_established(c: Played) -> None:
    to_syn_received(c)
    c.peer_sends("A")


def to_unread(c: Played) -> None:
    to_established(c)
    c.peer_sends("PA", payload=b"unread")


def to_unacknowledged(c: Played) -> None:
    to_established(c)
    c.call("send")


def to_fin_wait_1(c: Played) -> None:
    to_established(c)
    c.call("shutdown")


def to_fin_wait_2(c: Played) -> None:
    to_fin_wait_1(c)
    c.peer_sends("A")


def to_fin_wait_2_closed(c: Played) -> None:
    to_established(c)
    c.call("close")
    c.peer_sends("A")


def to_close_wait(c: Played) -> None:
    to_established(c)
    c.peer_sends("FA")


def to_last_ack(c: Played) -> None:
    to_close_wait(c)
    c.call("close")


def to_closing(c: Played) -> None:
    to_fin_wait_1(c)
    c.peer_sends("FA", ack=-1)


def to_time_wait(c: Played) -> None:
    to_fin_wait_1(c)
    c.peer_sends("FA")


WALKS = [
    (to_listen, State.LISTEN),
    (to_syn_sent, State.SYN_SENT),
    (to_syn_received, State.SYN_RECEIVED),
    (to_crossed, State.SYN_RECEIVED),
    (to_established, State.ESTABLISHED),
    (to_unread, State.ESTABLISHED),
    (to_unacknowledged, State.ESTABLISHED),
    (to_fin_wait_1, State.FIN_WAIT_1),
    (to_fin_wait_2, State.FIN_WAIT_2),
    (to_fin_wait_2_closed, State.FIN_WAIT_2),
    (to_close_wait, State.CLOSE_WAIT),
    (to_last_ack, State.LAST_ACK),
    (to_closing, State.CLOSING),
    (to_time_wait, State.TIME_WAIT),
]
FLAGS = ["A", "A", "PA", "PA", "FA", "FPA", "S", "SA", "SF", "R", "RA", "", "F", "P", "SR"]


@pytest.mark.parametrize("number", range(300))
def test_the_answer_to_any_segment_is_one_of_those_predicted(sandbox: Sandbox, number: int) -> None:
    chance = random.Random(number)
    walk, state = WALKS[number % len(WALKS)]
    played = Played(sandbox)
    try:
        walk(played)
        assert played.at is state
        played.peer_sends(
            chance.choice(FLAGS),
            chance.choice([0, 0, 0, 0, 1, -1, -6, 7, -100000, 100000]),
            chance.choice([0, 0, 0, 0, -1, 1, -70000, 70000]),
            chance.choice([b"", b"", b"x", b"hello"]),
            chance.choice([60000, 60000, 0]),
        )
    finally:
        played.over()


# Walks by the moves that are offered


def on_a_connection(move: Move, played: Played) -> bool:
    """Whether it is a segment of ours, or a call on a connection that this kernel's program has a socket for."""
    if move.by == "lab":
        return True
    end = played.talk.server.best.endpoint
    if move.name in ("listen", "connect"):
        return False
    if move.name == "send" and end.snd_una != end.snd_nxt:
        return False  # Nagle's algorithm is not modelled
    allowed = any("linux" in name for answer in move.answers for name in answer.profiles)
    return allowed and played.at not in (State.CLOSED, State.LISTEN)


@pytest.mark.parametrize("number", range(60))
def test_every_move_that_is_offered_can_be_made_and_brings_what_was_said(sandbox: Sandbox, number: int) -> None:
    chance = random.Random(number)
    played = Played(sandbox)
    begin, walked = (played.listen, played.connect)[number % 3 == 0], 0
    stood = False
    try:
        begin()
        for _ in range(12):
            now = played.now()
            moves = [move for move in legal_moves(played.talk, now, iss=ISS) if on_a_connection(move, played)]
            wrong = illegal_moves(played.talk, now, iss=ISS)
            if not moves or chance.random() < 0.15:
                moves = wrong
            due = [move for move in moves if move.due]
            move = chance.choice(due if due and chance.random() < 0.7 else moves)
            assert move.answers
            played.said.append(f"{move.by} {move.name} {'legal' if move.legal else 'illegal'} {move.about}")
            if move.segment is None:
                played.call(move.name)
            else:
                played.send(move.segment)
            walked += 1
            stood = stood or played.at in SYNCHRONIZED
            if stood and played.at in (State.CLOSED, State.LISTEN):
                break  # what the program would be given now is what is left of that connection
        assert walked
    finally:
        played.over()
