"""The bench: one run's link, clock, connections and record. Every frame passes here, is judged and written down."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Literal, NoReturn, Protocol

from lab.scenario.connection import Connection, Received
from lab.scenario.errors import ScenarioError, Stopped
from lab.scenario.record import LOST, Call, Packet, Problem, Remark, Sender, Verdict, remark
from lab.tcp.conversation import Conversation
from lab.tcp.explain import CROSSING
from lab.tcp.profile import Choice, Profile
from lab.tcp.segment import ACK, BAD_CHECKSUM, NEVER_ARRIVES, RST, SYN, Hurdle, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import NO_CONNECTION, State
from lab.tcp.world import Finding
from lab.testbed.base import Testbed
from lab.wire.codec import (
    ArpReply,
    ArpRequest,
    Decoded,
    NeighbourAdvertisement,
    NeighbourSolicitation,
    OtherFrame,
    TcpFrame,
    decode,
    encode,
)
from lab.wire.link import Captured
from lab.wire.neighbours import answer

Family = Literal["ipv4", "ipv6"]

PREEMPTED = 0.002
"""Seconds inside `send()` that tell of a busy machine: a veth pair takes some 0.00002."""

BEFORE_BLAME = 0.3
"""Seconds that the lab looks again before it says that something owed did not come. Only a failing run spends them."""

PATIENCE = 2.0
"""Seconds to wait for what a program or a delayed ACK (0.5 s, RFC 9293 §3.8.6.3) brings; a busy machine keeps it."""

FENCE = "fence: a SYN to a closed port, whose RST proves that all before it was handled"

QUIET = 0.3
"""Seconds of nothing that count as silence on a link where nothing better can be had."""


PORTS = range(20000, 60000)
"""Those of the lab's end."""


class Driven(Protocol):
    """An end of the lab's that is driven by a model, and not by the script segment for segment."""

    def attend(self) -> None:
        """Take what has come, and answer it."""
        ...

    @property
    def next_timeout(self) -> float | None:
        """When its timers want `attend`, in seconds since the run began; None: none runs."""
        ...

    def at_end(self) -> None:
        """The script is over: see whether anything is still owed."""
        ...


class Bench:
    """Plays one scenario's packets over one address family.

    The three witnesses meet here: the wire (every captured frame), the socket (`agent.state`), the model
    (`Conversation`). They are compared at every step; the first disagreement ends the run.
    """

    def __init__(
        self,
        testbed: Testbed,
        family: Family,
        *,
        profiles: tuple[Profile, ...],
        chance: random.Random,
        wrap: bool,
        script: Path,
        alone: bool = False,
        ports: range = PORTS,
        on_entry: Callable[[Packet | Call], None] | None = None,
    ) -> None:
        """`alone`: nobody else has used this testbed, so that whatever the server sends belongs to this run.

        `ports`: those to choose from for the lab's end, where no other run at the same time does.
        """
        self.testbed = testbed
        self.alone = alone
        self.ports = ports
        self.family: Family = family
        self.profiles = profiles
        self.chance = chance
        self.wrap = wrap
        self.script = script
        self.on_entry = on_entry
        self.on_compared: Callable[[Connection], None] | None = None
        """Told each time when the kernel was asked, all that had come being judged: `kernel_info` is asked for too."""
        self.peer_address = testbed.peer_address(family) or ""
        self.server_address = testbed.server_address(family) or ""
        self.timeline: list[Packet | Call] = []
        self.problems: list[Problem] = []
        self.connections: dict[int, Connection] = {}
        self.checks = 0
        self.witnesses = {"model"}
        self.untold: set[int] = set()
        """Ports of the server whose program does what it likes: nobody tells the model."""
        self.listening: set[int] = set()
        """Ports of the server on which the script has its program listen."""
        self.remarks: list[Remark] = []
        """What the server was seen to choose besides what the model of TCP remarks."""
        self.driven: list[Driven] = []
        """Ends of the lab's that answer by themselves, whatever the script waits for."""
        self.others = False
        """Whether what the server sends us besides TCP is put on record as well."""
        self._resolves = False
        """Whether a frame of address resolution was sent on purpose, so that its answer is one of those."""
        self.silence = ""
        self._passed = 0
        self._frames = 0
        self._started = time.monotonic()
        self._began = time.time()
        self._fences: set[int] = set()
        self._fence_seen: set[int] = set()
        self._elsewhere: set[tuple[int, int]] = set()
        """Ports of the server and of ours between which the script has sent what belongs to no connection."""

    # Connections

    def connection(self, peer_port: int | None = None, server_port: int | None = None) -> Connection:
        """A new connection, on a fresh port unless one is asked for."""
        if peer_port is None or peer_port in self.connections:
            peer_port = self._fresh_port(server_port)
        # The last number of the circle: the SYN itself wraps (RFC 9293 §3.4).
        iss = Seq(2**32 - 1) if self.wrap else Seq(self.chance.randrange(2**32))
        made = Connection(
            name=_name(len(self.connections)),
            peer_port=peer_port,
            server_port=server_port,
            iss=iss,
            conversation=self._conversation(server_port),
        )
        self.connections[peer_port] = made
        return made

    def _fresh_port(self, server_port: int | None) -> int:
        """A port of the lab's end that no connection of this run has, nor one that an earlier run has left behind."""
        for taken in count(len(self.connections)):
            ports = self.ports if taken < len(self.ports) / 2 else PORTS
            port = self.chance.randrange(ports.start, ports.stop)
            if port not in self.connections and not self._remembers(port, server_port):
                return port
        raise AssertionError

    def _remembers(self, peer_port: int, server_port: int | None) -> bool:
        """Whether the server's kernel has a connection of an earlier run's between these ports: in TIME-WAIT, say.

        Such a one would be taken for this run's, or answer in its place (RFC 9293 §3.6.1).
        """
        if self.alone or server_port is None or self.testbed.agent is None:
            return False
        there, here = (self.server_address, server_port), (self.peer_address, peer_port)
        return self.testbed.agent.state(self.family, there, here) not in NO_CONNECTION

    def _conversation(self, server_port: int | None) -> Conversation:
        told = self.testbed.agent is not None and server_port not in self.untold
        # A program that nobody tells may write at any time: what it sends can cross what is sent to it.
        exact = told and self.testbed.settle in ("exact", "agent")
        return Conversation(self.profiles, exact=exact, told=told)

    def turn_to(self, connection: Connection, port: int) -> None:
        """A connection that has not begun will be to that port of the server, where a program listens.

        From another port than it had, where an earlier run has left something between the two.
        """
        if self._remembers(connection.peer_port, port):
            connection.peer_port = self._fresh_port(port)
            self.connections = {one.peer_port: one for one in self.connections.values()}  # in the order of their names
        connection.server_port = port
        connection.conversation = self._conversation(port)
        connection.conversation.server.listen()

    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    # Frames out

    def transmit(
        self,
        connection: Connection,
        frame: bytes,
        *,
        ours: bool = True,
        note: str = "",
        fragments: Sequence[bytes] = (),
        lost: bool = False,
    ) -> None:
        """Send one frame of a connection, and judge everything that it provokes at once.

        `fragments`: the same packet in pieces, which go out in its place. `lost`: it stays on the way, and only our
        end knows of it.
        """
        self.pump()
        decoded = decode(frame)
        if lost:
            self._lose(connection, frame, decoded, note)
            return
        for piece in fragments[:-1]:
            self.testbed.link.send(piece)
            self._note_fragment(piece)
        frame = fragments[-1] if fragments else frame
        before = time.time()
        self.testbed.link.send(frame)
        stamp = time.time()
        # A machine that takes its time here must not make the server seem late: what it owes is owed from now on.
        now = stamp - self._began
        answers = self.testbed.link.drain()
        hurdle = self.hurdle(connection, decoded) if isinstance(decoded, TcpFrame) else None
        arrives = isinstance(decoded, TcpFrame) and not (hurdle and hurdle.sure)
        if isinstance(decoded, TcpFrame) and decoded.sound and not self.belongs(connection, decoded):
            self._elsewhere.add((decoded.dport, decoded.sport))
        crossed = self._crossed(connection, decoded if arrives else None, hurdle, answers, before, stamp, ours=ours)
        self._take(answers[:crossed])
        # Kept waiting inside `send()`, the lab does not know when it left: before its first answer at any rate.
        left = before
        if stamp - before >= PREEMPTED:
            left = min([stamp, *(c.timestamp for c in answers[crossed:] if self._of(connection, c) is not None)])
        packet = self._record(frame, left, left - self._began, "peer")
        if isinstance(decoded, TcpFrame):
            # What the server said here before in this run is no memory of an earlier one's.
            fresh = not self.alone and not connection.server_spoke and connection.peer_state is State.CLOSED
            if fresh and arrives and decoded.segment.flags == SYN:
                connection.opening = frame
            connection.conversation.peer_sends(decoded.segment, now, ours=ours, hurdle=hurdle)
            packet.segment = decoded.segment
            packet.connection = connection.name
            packet.note = note or (hurdle.why if hurdle and hurdle.sure else "")
            packet.seq, packet.ack = connection.relative(decoded.segment, from_peer=True)
            self._stand(packet, connection)
            connection.last_heard = packet if arrives else connection.last_heard
        else:
            packet.summary, packet.note, packet.meant = _summary(decoded), note, True
            self._resolves = self._resolves or not isinstance(decoded, OtherFrame)
        self._note(packet)
        self._take(answers[crossed:])
        self.pump()
        if self.testbed.settle in ("exact", "agent"):
            self.settle(connection)

    def hurdle(self, connection: Connection, frame: TcpFrame) -> Hurdle | None:
        """What keeps a frame that goes out from the server's end of that connection, or may."""
        if not frame.sound:
            return BAD_CHECKSUM
        if not self.belongs(connection, frame):
            return Hurdle("of no connection", "RFC 9293 §3.3.1", sure=True)
        if frame.destination_mac[0] & 1:
            return Hurdle("to all on the link, though to one address", "RFC 1122 §3.3.6", sure=False)
        if frame.destination_mac != self.testbed.server_mac:
            return Hurdle("to another host on the link", "RFC 894", sure=True)
        return frame.hurdle

    def belongs(self, connection: Connection, frame: TcpFrame) -> bool:
        """Whether addresses and ports of a frame that goes out are that connection's."""
        there = (self.peer_address, connection.peer_port, self.server_address, connection.server_port)
        return (frame.source, frame.sport, frame.destination, frame.dport) == there

    def _lose(self, connection: Connection, frame: bytes, decoded: Decoded, note: str) -> None:
        """A frame that never arrives: our end has sent it, the server hears nothing, the capture shows it leaving."""
        packet = self._record(frame, time.time(), self.now(), "peer")
        packet.note = note or LOST
        packet.summary, packet.meant = _summary(decoded), not isinstance(decoded, TcpFrame)
        if isinstance(decoded, TcpFrame):
            connection.conversation.peer_sends(decoded.segment, self.now(), hurdle=NEVER_ARRIVES)
            packet.segment, packet.connection = decoded.segment, connection.name
            packet.seq, packet.ack = connection.relative(decoded.segment, from_peer=True)
            self._stand(packet, connection)
        self._note(packet)

    def _note_fragment(self, piece: bytes) -> None:
        """A fragment that does not complete its packet: the server says nothing to it (RFC 791 §3.2)."""
        packet = self._record(piece, time.time(), self.now(), "peer")
        packet.summary = f"a fragment of the next segment: {len(piece) - 34} octets of it"
        self._note(packet)

    def _crossed(
        self,
        connection: Connection,
        sent: Decoded | None,
        hurdle: Hurdle | None,
        answers: list[Captured],
        before: float,
        stamp: float,
        *,
        ours: bool,
    ) -> int:
        """How many of `answers` the server had sent before ours reached it: they are judged by what it knew then.

        Those from before `send()` surely. Where the lab was kept waiting inside, or a timer of the server's repeats
        something at this very moment, no clock can tell for the others, and the first order that explains all is taken.
        """
        # Those of other runs on the same link are among them, and may stand before ours though they are older.
        surely = next((i for i, c in enumerate(answers) if c.timestamp >= before), len(answers))
        mine = [(i, d.segment) for i, c in enumerate(answers) if (d := self._of(connection, c)) is not None]
        doubtful = stamp - before >= PREEMPTED or any(connection.has_seen(segment) for _, segment in mine)
        if not mine or not doubtful or not isinstance(sent, TcpFrame):
            return surely
        now, state = stamp - self._began, self.ask_state(connection)
        for split in range(surely, len(answers) + 1):
            trial = connection.conversation.copy()
            sights = [trial.server_sends(segment, now) for i, segment in mine if i < split]
            trial.peer_sends(sent.segment, now, ours=ours, hurdle=hurdle)
            sights += [trial.server_sends(segment, now) for i, segment in mine if i >= split]
            explained = all(sight.finding is None for sight in sights) and trial.server.settle(now) is None
            if explained and (state is None or trial.server.could_be_in(state, now)):
                return split
        return surely

    @contextmanager
    def crossing(self, connection: Connection) -> Iterator[None]:
        """The server's program has made a call, of which the model hears in the block.

        What a timer of its kernel's repeated meanwhile was sent before: it is judged by what stood until then.
        """
        captured = self.testbed.link.drain()
        repeats = [(d := self._of(connection, c)) is not None and connection.has_seen(d.segment) for c in captured]
        before = repeats.index(False) if False in repeats else len(repeats)
        self._take(captured[:before])
        yield
        self._take(captured[before:])

    def _of(self, connection: Connection, one: Captured) -> TcpFrame | None:
        """The segment of the server on that connection, where the frame is one."""
        frame = decode(one.frame)
        if not isinstance(frame, TcpFrame) or one.outgoing or frame.source != self.server_address:
            return None
        return frame if (frame.sport, frame.dport) == (connection.server_port, connection.peer_port) else None

    def pump(self, wait: float = 0.0) -> bool:
        """Judge all frames that are there, waiting up to `wait` seconds for the first; whether there was any."""
        captured = self.testbed.link.wait(wait) if wait > 0 else self.testbed.link.drain()
        any_ = bool(captured)
        while captured:
            self._take(captured)
            captured = self.testbed.link.drain()
        return any_

    # Frames in

    def _take(self, captured: list[Captured]) -> None:
        for one in captured:
            decoded = decode(one.frame)
            if isinstance(decoded, TcpFrame):
                self._take_tcp(one, decoded)
                continue
            reply = None if one.outgoing else answer(decoded, (self.peer_address,), self.testbed.peer_mac)
            if reply is None:
                self._take_other(one, decoded)
                continue
            asked = self._record(one.frame, one.timestamp, self.now(), "server")
            asked.summary = _summary(decoded)
            self._note(asked)
            self.testbed.link.send(reply)
            said = self._record(reply, time.time(), self.now(), "peer")
            said.summary = _summary(decode(reply))
            self._note(said)

    def _take_other(self, one: Captured, decoded: Decoded) -> None:
        """A frame of the server's that is no TCP, for who wants to see it: an ICMP message to us, say.

        That it resolves an address is an answer where somebody has asked by hand.
        """
        ours = isinstance(decoded, OtherFrame) and self.peer_address in decoded.summary
        if self._resolves and isinstance(decoded, ArpReply | NeighbourAdvertisement):
            ours = self.server_address in (decoded.source, decoded.target)
        if self.others and ours and not one.outgoing:
            packet = self._record(one.frame, one.timestamp, max(0.0, one.timestamp - self._began), "server")
            packet.summary, packet.meant = _summary(decoded), True
            self._note(packet)

    def _take_tcp(self, one: Captured, frame: TcpFrame) -> None:
        if one.outgoing:
            self._take_outgoing(one, frame)
            return
        if frame.destination != self.peer_address or frame.source != self.server_address:
            return
        if frame.dport in self._fences:
            self._fence_seen.add(frame.dport)
            packet = self._record(one.frame, one.timestamp, self.now(), "server")
            packet.segment, packet.note = frame.segment, FENCE
            self._note(packet)
            return
        connection = self.connections.get(frame.dport)
        if connection is not None and connection.server_port is None and SYN in frame.segment.flags:
            connection.server_port = frame.sport
        if connection is not None and connection.server_port == frame.sport:
            if self._is_of_an_old_one(connection, frame):
                self._end_old_one(connection, one, frame)
            else:
                connection.opening = b""
                self._judge(connection, one, frame)
        elif self.alone and (frame.sport, frame.dport) not in self._elsewhere:
            self._stray(one, frame)

    def _is_of_an_old_one(self, connection: Connection, frame: TcpFrame) -> bool:
        """Whether the server answers our first SYN by what it remembers of a connection with the same ports.

        An earlier run may have left it there in TIME-WAIT, for a minute and more (RFC 9293 §3.6.1).
        """
        segment = frame.segment
        return bool(connection.opening) and segment.flags == ACK and segment.ack != connection.peer_isn + 1

    def _end_old_one(self, connection: Connection, one: Captured, frame: TcpFrame) -> None:
        """Do as whoever opens over an old connection: its ACK gets a RST, and the SYN goes again (§3.5.1, figure 10).

        Once: a server that answers so again answers to us. The model hears of the first SYN only, as it should be.
        """
        assert connection.server_port is not None
        said = self._record(one.frame, one.timestamp, max(0.0, one.timestamp - self._began), "server")
        said.segment, said.note = frame.segment, "of an old connection with these ports"
        self._note(said)
        reset = self.frame_for(Segment(RST, frame.segment.ack), connection.peer_port, connection.server_port)
        for ours, note in ((reset, "ends that one"), (connection.opening, "opens again")):
            packet, decoded = self._record(ours, time.time(), self.now(), "peer"), decode(ours)
            assert isinstance(decoded, TcpFrame)
            packet.segment, packet.note = decoded.segment, note
            self.testbed.link.send(ours)
            self._note(packet)
        connection.opening = b""

    def _stray(self, one: Captured, frame: TcpFrame) -> None:
        """A segment that belongs to no connection, where nobody but the server can have sent it."""
        packet = self._record(one.frame, one.timestamp, self.now(), "server")
        packet.segment, packet.note = frame.segment, f"port {frame.sport} to port {frame.dport}"
        self._note(packet)
        finding = Finding(
            "port",
            "the ports of a connection",
            f"{frame.sport} to {frame.dport}",
            "the server sends a segment that belongs to no connection",
            "RFC 9293 §3.3.1",
        )
        self.complain(next(iter(self.connections.values())), finding, packet=packet, witness="wire")

    def _judge(self, connection: Connection, one: Captured, frame: TcpFrame) -> None:
        # The kernel's time of arrival, not ours of looking: a busy machine must not make a server seem late.
        now, segment = max(0.0, one.timestamp - self._began), frame.segment
        self.witnesses.add("wire")
        self.checks += 1
        connection.server_spoke = True
        packet = self._record(one.frame, one.timestamp, now, "server")
        packet.segment, packet.connection = segment, connection.name
        connection.last_seen = packet
        connection.note_seen(segment)
        bad = self._checksum_finding(one, frame)
        if bad is not None:
            # A receiver drops it (RFC 9293 §3.1, MUST-3): neither end's model takes notice.
            packet.seq, packet.ack = connection.relative(segment, from_peer=False)
            self._stand(packet, connection)
            self._note(packet)
            self.complain(connection, bad, packet=packet, witness="wire")
        sight = connection.conversation.server_sends(segment, now)
        packet.seq, packet.ack = connection.relative(segment, from_peer=False)
        packet.note, packet.rule = sight.note, sight.rule
        self._know_better(connection)
        if not one.checksum_ready:
            packet.note = packet.note or "checksum left to the network card"
        self._stand(packet, connection)
        connection.inbox.append(Received(frame, one.frame, packet, sight))
        self._note(packet)
        if sight.finding is not None and packet.problem is None:
            packet.problem = self.add(self.problem_of(connection, sight.finding, packet, "model"))

    def _checksum_finding(self, one: Captured, frame: TcpFrame) -> Finding | None:
        if not frame.ip_checksum_correct:
            return Finding(
                "checksum", "a correct IPv4 header checksum", "a wrong one",
                "the server's packet has a wrong IPv4 header checksum", "RFC 791 §3.1",
            )  # fmt: skip
        if one.checksum_ready and not frame.checksum_correct:
            # Computed afresh, since the codec says only whether it is right.
            right = decode(
                encode(
                    frame.segment, source=frame.source, destination=frame.destination, sport=frame.sport,
                    dport=frame.dport, source_mac=frame.source_mac, destination_mac=frame.destination_mac,
                )
            )  # fmt: skip
            expected = f"{right.checksum:#06x}" if isinstance(right, TcpFrame) else "a correct one"
            return Finding(
                "checksum", expected, f"{frame.checksum:#06x}",
                "the server's segment has a wrong TCP checksum", "RFC 9293 §3.1",
            )  # fmt: skip
        return None

    def _take_outgoing(self, one: Captured, frame: TcpFrame) -> None:
        """A frame that this machine's own kernel sent: a RST among them spoils the run (RFC 9293 §3.10.7.1)."""
        ours = self.connections.get(frame.sport)
        if frame.source != self.peer_address or RST not in frame.segment.flags:
            return
        if ours is None or ours.server_port != frame.dport:
            return  # another run's, which shares the interface and the address
        packet = self._record(one.frame, one.timestamp, self.now(), "kernel")
        packet.segment, packet.note = frame.segment, "not sent by the lab"
        self._note(packet)
        problem = Problem(
            Verdict.INCONCLUSIVE,
            f"this machine's own kernel sent a RST from {frame.source}, the address the lab plays",
            field="flags", expected="no segment", observed="R", frame=packet.number, witness="wire",
            section="RFC 9293 §3.10.7.1",
            next_step="take the address off every interface of this machine, or give the lab another one (--address)",
        )  # fmt: skip
        packet.problem = self.add(problem)
        raise Stopped(problem)

    # Settling: what is proven by now

    def settle(self, connection: Connection | None = None) -> None:
        """Prove that everything sent so far was handled, as this testbed can; then compare the witnesses.

        Raises Stopped where something owed did not come or the server's kernel is in another state.
        """
        self._prove()
        for one in [connection] if connection else list(self.connections.values()):
            self._settle_one(one)
        self.stop_if_wrong()

    def _settle_one(self, connection: Connection) -> None:
        if self.testbed.settle != "wait":
            server, now = connection.conversation.server, self.now()
            if server.missing(now) is not None and not self.open_problems:
                self.wait_out(BEFORE_BLAME)
            finding = server.settle(now)
            self._know_better(connection)
            if finding is not None and not self.open_problems:
                self.add(self.problem_of(connection, finding, None, "model"))
        self.compare_state(connection)

    def compare_state(self, connection: Connection) -> None:
        """Ask the server's kernel, and hold its word against the model's."""
        state = self.ask_state(connection)
        if state is None or self.open_problems:
            return
        self.checks += 1
        server = connection.conversation.server
        if not server.could_be_in(state, self.now()):
            # What moved the kernel may be on its way to us: a FIN of its program's, say.
            self._until_explained(connection)
            state = self.ask_state(connection) or state
        if self.on_compared is not None:
            self.on_compared(connection)
        finding = server.compare_state(state, self.now())
        self._know_better(connection)
        if finding is not None:
            self.add(self.problem_of(connection, finding, connection.last_seen, "socket"))

    def await_ends(self) -> None:
        """Judge what comes until each end that a kernel has begun, untold, has been seen on the wire as well.

        A FIN that its state speaks of and that never comes is a finding; it has CROSSING seconds to come.
        """

        def behind(connection: Connection) -> bool:
            state = self.ask_state(connection)
            return state is not None and connection.conversation.server.is_behind(state, self.now())

        for connection in self.connections.values():
            if behind(connection):
                self.compare_state(connection)  # from now on: the last comparison remembers it
                self.wait_until(lambda one=connection: not behind(one), 1.5 * CROSSING)  # type: ignore[misc]

    def _until_explained(self, connection: Connection) -> None:
        """Judge what comes until the model agrees with the kernel, for BEFORE_BLAME at most."""
        end = self.now() + BEFORE_BLAME
        while (left := end - self.now()) > 0:
            self.pump(left)
            state = self.ask_state(connection)
            if state is not None and connection.conversation.server.could_be_in(state, self.now()):
                return

    def ask_state(self, connection: Connection) -> State | None:
        """The state that the server's kernel reports, None where there is no agent to ask."""
        agent = self.testbed.agent
        if agent is None or connection.server_port is None:
            return None
        self.witnesses.add("socket")
        there, here = (self.server_address, connection.server_port), (self.peer_address, connection.peer_port)
        if self.on_compared is None:
            connection.kernel_state = agent.state(self.family, there, here)
        else:
            connection.kernel_state, info = agent.state_and_info(self.family, there, here)
            connection.kernel_info = info or {}
        return connection.kernel_state

    def _prove(self) -> None:
        """Make sure that the server has handled all that was sent, and that its answers have been read."""
        match self.testbed.settle:
            case "exact":
                self.pump()
                self.silence = self.silence or "exact"
            case "agent":
                assert self.testbed.agent is not None
                self.testbed.agent.ping()
                while self.pump():
                    self.testbed.agent.ping()
                self.silence = "fenced"
            case "fence":
                self.silence = "fenced" if self._fence() else "waited"
            case _:
                self.wait_out(QUIET)
                self.silence = "waited"

    def _fence(self) -> bool:
        """Send a SYN to a closed port behind all else: its RST proves that all before it was handled.

        Whether the answer came; where none does (a firewall?), a quiet time has passed instead.
        """
        assert self.testbed.agent is not None
        port = self.chance.randrange(60000, 65000)
        self._fences = {port}
        self._fence_seen.clear()
        closed = self.testbed.agent.closed_port(self.family)
        probe = Segment(SYN, Seq(self.chance.randrange(2**32)), window=1024)
        frame = self.frame_for(probe, port, closed)
        packet = self._record(frame, time.time(), self.now(), "peer")
        self.testbed.link.send(frame)
        packet.segment, packet.note = probe, FENCE
        self._note(packet)
        end = self.now() + QUIET * 3
        while not self._fence_seen and (left := end - self.now()) > 0:
            self.pump(left)
        return bool(self._fence_seen)

    def wait_out(self, seconds: float) -> None:
        """Judge what comes for that long."""
        self.wait_until(lambda: False, seconds)

    def wait_until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Judge what comes, and let the driven ends answer, until `holds` or that many seconds have passed.

        Whether it held.
        """
        end = self.now() + seconds
        while True:
            for one in self.driven:
                one.attend()
            if holds():
                return True
            now = self.now()
            if now >= end:
                return False
            due = min((at for one in self.driven if (at := one.next_timeout) is not None), default=end)
            self.pump(max(0.0, min(end, due) - now))

    def wait(self, seconds: float) -> None:
        """Let time pass, judging what comes."""
        self.wait_out(seconds)
        self.say("wait", f"{seconds:g} s pass")
        self.stop_if_wrong()

    def frame_for(self, segment: Segment, sport: int, dport: int) -> bytes:
        """A sound frame of the lab's with that segment."""
        return encode(
            segment, source=self.peer_address, destination=self.server_address, sport=sport, dport=dport,
            source_mac=self.testbed.peer_mac, destination_mac=self.testbed.server_mac,
        )  # fmt: skip

    # The record

    def say(
        self, kind: Literal["call", "wait", "check", "note"], text: str, connection: str = "", at: float | None = None
    ) -> None:
        """Write a line that is no packet; `at` is when it began, now when None."""
        self._note(Call(self.now() if at is None else at, self._frames, kind, text, connection))

    def _record(self, frame: bytes, timestamp: float, now: float, sender: Sender) -> Packet:
        self._frames += 1
        return Packet(self._frames, now, timestamp, sender, frame)

    def _note(self, entry: Packet | Call) -> None:
        self.timeline.append(entry)
        if self.on_entry:
            self.on_entry(entry)

    def _stand(self, packet: Packet, connection: Connection) -> None:
        packet.peer_state = connection.peer_state
        packet.server_state = connection.server_state
        packet.rule = packet.rule or connection.conversation.server.best.rule

    @staticmethod
    def _know_better(connection: Connection) -> None:
        """The answer, or that there was none, told which of several servers it is, and where our segment left it."""
        heard, packet = connection.conversation.server.best.heard, connection.last_heard
        if heard is not None and packet is not None:
            packet.server_state = heard

    def add(self, problem: Problem) -> int:
        """Put a problem on record, with the line of the script; its index.

        A violation only if the link carries and the server's process is there: else its silence, or what its kernel
        resets, is no fault of its TCP's. Raises LinkError, AgentGone.
        """
        if problem.verdict is Verdict.VIOLATES:
            self.testbed.link.check()
            if self.testbed.agent is not None:
                self.testbed.agent.ping()
        self._place(problem)
        self.problems.append(problem)
        return len(self.problems) - 1

    def put_last_problem_first(self) -> None:
        """The newest problem leads the report; packets go on pointing to theirs."""
        self.problems.insert(0, self.problems.pop())
        for entry in self.timeline:
            if isinstance(entry, Packet) and entry.problem is not None:
                entry.problem = (entry.problem + 1) % len(self.problems)

    # Problems

    def problem_of(self, connection: Connection, finding: Finding, packet: Packet | None, witness: str) -> Problem:
        """A finding of the model's in the words of a report."""
        segment = packet.segment if packet else None
        wanted = finding.expected_segment
        if wanted and segment and SYN in wanted.flags & segment.flags and finding.field != "seq":
            wanted = replace(wanted, seq=segment.seq)  # its first number is its own choice (RFC 9293 §3.4.1)
        return self.with_standing(
            Problem(
                Verdict.VIOLATES,
                finding.message,
                field=finding.field,
                expected=finding.expected,
                observed=finding.observed,
                expected_packet=connection.notation(wanted, from_peer=False) if wanted else "",
                observed_packet=connection.notation(segment, from_peer=False) if segment else "",
                frame=packet.number if packet else None,
                section=finding.section,
                witness=witness,
            ),
            connection,
        )

    def with_standing(self, problem: Problem, connection: Connection) -> Problem:
        """The same problem, with where each witness stands."""
        last, problem.connection = connection.last_seen, connection.name
        problem.wire = "the server has sent nothing"
        if last is not None and last.segment is not None:
            problem.wire = f"{connection.notation(last.segment, from_peer=False)} (frame {last.number})"
        problem.socket = "absent: this server has no agent"
        if self.testbed.agent is not None:
            with suppress(Exception):  # a witness that cannot be heard any more must not hide the problem itself
                self.ask_state(connection)
            problem.socket = str(connection.kernel_state or "not asked: the server's port is not known")
        problem.model = f"server {connection.server_state}, lab {connection.peer_state}"
        return problem

    def complain(
        self, connection: Connection, finding: Finding, *, packet: Packet | None = None, witness: str = "script"
    ) -> NoReturn:
        """End the run: the server broke a rule."""
        problem = self.problem_of(connection, finding, packet, witness)
        index = self.add(problem)
        if packet is not None and packet.problem is None:
            packet.problem = index
        raise Stopped(problem)

    def cannot_tell(
        self, connection: Connection | None, message: str, next_step: str = "", field: str = ""
    ) -> NoReturn:
        """End the run: the lab could not see enough."""
        problem = Problem(Verdict.INCONCLUSIVE, message, field=field, next_step=next_step)
        if connection is not None:
            self.with_standing(problem, connection)
        self.add(problem)
        raise Stopped(problem)

    def remark(self, choice: Choice) -> None:
        """The server was seen to make that choice."""
        if all(one.choice != choice.id for one in self.remarks):
            self.remarks.append(remark(choice))

    def stop_if_wrong(self) -> None:
        """End the run if a witness has objected."""
        if self.open_problems:
            raise Stopped(self.open_problems[0])

    @property
    def open_problems(self) -> list[Problem]:
        """Those that nobody has passed over: the first of them ends the run."""
        return self.problems[self._passed :]

    def pass_over(self) -> None:
        """Go on in spite of what is on record: whoever plays by hand has been told, and may want to see more."""
        self._passed = len(self.problems)

    def _place(self, problem: Problem) -> None:
        """Say where in the script we are: the innermost line of the scenario's own file."""
        if problem.line:
            return
        line = self.line()
        if not line:
            return
        problem.line = line
        problem.file = shown(self.script)
        with suppress(OSError, IndexError):
            problem.source = self.script.read_text(encoding="utf-8").splitlines()[line - 1].strip()

    def line(self) -> int:
        """The line of the scenario's own file that is at work, the innermost; 0 where none is."""
        frame: FrameType | None = sys._getframe(1)
        here = str(self.script)
        while frame is not None and frame.f_code.co_filename != here:
            frame = frame.f_back
        return frame.f_lineno if frame is not None else 0

    # Ports

    def port_of(self, connection: Connection) -> int:
        """The server's port. Raises ScenarioError where the script has not said which."""
        if connection.server_port is None:
            raise ScenarioError(
                "the peer does not know whom to talk to: call server.listen() first, or peer.towards(port)"
            )
        return connection.server_port


def _name(number: int) -> str:
    """The name of a run's connection: A to Z, then A2 …"""
    letter = chr(ord("A") + number % 26)
    return letter if number < 26 else f"{letter}{number // 26 + 1}"


def shown(path: Path) -> str:
    """A path as a reader wants it: relative to where the lab was started, when it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _summary(decoded: Decoded) -> str:
    """One line for a frame of address resolution."""
    match decoded:
        case ArpRequest():
            return f"ARP who has {decoded.target}? tell {decoded.source}"
        case ArpReply():
            return f"ARP {decoded.source} is at {decoded.source_mac.hex(':')}"
        case NeighbourSolicitation():
            return f"neighbour solicitation: who has {decoded.target}?"
        case NeighbourAdvertisement():
            return f"neighbour advertisement: {decoded.target} is here"
        case OtherFrame():
            return decoded.summary
    return ""
