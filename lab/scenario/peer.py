"""The lab's end of a connection, as a script speaks of it: send, expect, expect_silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lab.scenario.bench import PATIENCE, QUIET, Bench
from lab.scenario.connection import Connection, Received
from lab.scenario.errors import ScenarioError
from lab.scenario.record import Packet, Problem, Verdict
from lab.tcp.segment import ACK, FIN, PSH, SYN, Flags, Segment, letters
from lab.tcp.sequence import Seq
from lab.tcp.state import State
from lab.tcp.world import Finding
from lab.wire.codec import TcpFrame
from lab.wire.fragments import fragments
from lab.wire.scapy_side import as_tcp, complete, flags_set, wanted_fields

if TYPE_CHECKING:
    from lab.scenario.server import Site
    from lab.scenario.websocket import WebSocket

Scapy = Any
"""A Scapy packet. Its fields are made at run time, so nothing more can be said of it statically."""


class Peer:
    """One hand-made end. Fields of a packet that the script sets go out as they are, right or wrong; the others
    (addresses, ports, seq, ack, window, checksums) are filled in from where the connection stands."""

    def __init__(self, bench: Bench, connection: Connection) -> None:
        self.bench = bench
        self.connection = connection
        self._last: float | None = None

    # Where it stands

    @property
    def address(self) -> str:
        """Its address, owned by no kernel."""
        return self.bench.peer_address

    @property
    def port(self) -> int:
        """Its port."""
        return self.connection.peer_port

    @property
    def iss(self) -> Seq:
        """Its initial sequence number (RFC 9293 §3.4.1): the x of the figures."""
        return self.connection.iss

    @property
    def snd_nxt(self) -> Seq:
        """The next number it would send: its ISS before its SYN (RFC 9293 §3.3.1)."""
        end = self.connection.conversation.peer
        return self.iss if end.iss is None else end.snd_nxt

    @property
    def rcv_nxt(self) -> Seq:
        """The next number it expects of the server (RFC 9293 §3.3.1)."""
        return self.connection.conversation.peer.rcv_nxt

    @property
    def snd_wnd(self) -> int:
        """Octets that the server has room for (RFC 9293 §3.3.1)."""
        return self.connection.conversation.peer.snd_wnd

    @property
    def rcv_wnd(self) -> int:
        """Octets that it has said it has room for (RFC 9293 §3.3.1)."""
        return self.connection.conversation.peer.rcv_wnd

    @property
    def mss(self) -> int:
        """Octets of text that a segment to the server may carry (RFC 9293 §3.7.1)."""
        return self.connection.conversation.peer.send_mss

    @property
    def state(self) -> State:
        """Where its own segments put it."""
        return self.connection.peer_state

    # Other connections

    def another(self, *, port: int | None = None, towards: int | None = None) -> Peer:
        """A second connection of the same lab, from another port, to the same server port unless told otherwise."""
        made = self.bench.connection(port, towards or self.connection.server_port)
        inherits = towards is None and self.connection.conversation.server.listening
        if inherits or made.server_port in self.bench.listening:
            made.conversation.server.listen()
        return Peer(self.bench, made)

    def websocket(
        self, site: Site, *, subprotocols: tuple[str, ...] = (), window_scale: int | None = None
    ) -> WebSocket:
        """A WebSocket over this connection, not open yet: every segment under it is the lab's (RFC 6455).

        `window_scale`: the shift that our SYN offers, 0 to 14 (RFC 7323 §2.3); None: none is, so that no window of the
        server's can say that it has room for more than 65,535 octets.
        """
        from lab.scenario.websocket import WebSocket  # it drives a Peer, and few scripts need it

        if self.connection.server_port != site.port:
            self.bench.turn_to(self.connection, site.port)
        return WebSocket(self, site, subprotocols, window_scale)

    def towards(self, where: int | Site) -> Peer:
        """Talk to that port of the server from now on, where the program listens or nothing does; returns itself.

        A WebSocket server instead of a port: its segments are the script's own, one by one (`websocket` drives them).
        """
        if isinstance(where, int):
            self.connection.server_port = where
            server = self.connection.conversation.server
            if where in self.bench.listening:
                server.listen()
            else:
                server.stop_listening()
        else:
            self.bench.turn_to(self.connection, where.port)
        return self

    def anew(self, iss: Seq | None = None) -> Seq:
        """Forget where this end stood, as after a crash or a long time; the next SYN starts at `iss`.

        Returns the new initial sequence number.
        """
        conversation = self.connection.conversation
        conversation.peer, conversation.owed = type(conversation.peer)(profile=conversation.peer.profile), ()
        self.connection.iss = iss if iss is not None else Seq(self.bench.chance.randrange(2**32))
        return self.connection.iss

    # Sending

    def send(self, packet: Scapy, *, note: str = "", fragment: int | None = None, lost: bool = False) -> None:
        """Send one segment and judge all that it provokes at once. `note` is a word for the ladder.

        `fragment`: over IPv4, in fragments of at most so many octets, a multiple of 8 (RFC 791 §3.2). `lost`: the
        network loses it, so that only this end knows of it; `replay` may deliver it later.
        """
        frame, pieces = self.complete(packet), []
        if fragment is not None:
            try:
                pieces = fragments(frame, fragment, identification=self.bench.chance.randrange(1, 2**16))
            except ValueError as error:
                raise ScenarioError(str(error)) from error
            note = note or f"in {len(pieces)} IPv4 fragments"
        self.bench.transmit(self.connection, frame, note=note, fragments=pieces, lost=lost)
        self.bench.stop_if_wrong()

    def replay(self, packet: Scapy, *, note: str | None = None) -> None:
        """The network delivers a segment that this end did not send now: an old duplicate (RFC 9293 §3.5 figure 8).

        It reaches the server like any other; this end's own state does not know of it.
        """
        if note is None:
            note = "old duplicate" if SYN in (flags_set(packet) or ACK) else ""
        self.bench.transmit(self.connection, self.complete(packet), ours=False, note=note)
        self.bench.stop_if_wrong()

    def complete(self, packet: Scapy) -> bytes:
        """The whole frame that `send` makes of a packet. Raises ScenarioError where none can be made."""
        self.bench.port_of(self.connection)
        flags = flags_set(packet)
        flags = ACK if flags is None else flags
        defaults = Segment(
            flags=flags,
            seq=self.iss if SYN in flags else self.snd_nxt,
            ack=self.rcv_nxt,
            window=65535,
        )
        try:
            return self._completed(packet, defaults)
        except ValueError as error:
            raise ScenarioError(str(error)) from error

    def _completed(self, packet: Scapy, defaults: Segment) -> bytes:
        return complete(
            packet,
            segment_defaults=defaults,
            source=self.bench.peer_address,
            destination=self.bench.server_address,
            sport=self.connection.peer_port,
            dport=self.bench.port_of(self.connection),
            source_mac=self.bench.testbed.peer_mac,
            destination_mac=self.bench.testbed.server_mac,
        )

    # Expecting

    def expect(self, packet: Scapy, *, within: float = PATIENCE, not_before: float = 0.0) -> Scapy:
        """The server's next segment, which must have the fields that `packet` sets; a Scapy TCP layer.

        Waits up to `within` seconds for it. With `not_before` it must not come sooner than that many seconds after
        the last segment that was received, by the kernel's clock; `time` of what is returned is when it arrived, in
        seconds since the run began. Segments that a stack may send at any time (a repetition, a window update) are
        passed over unless they are what is expected. PSH, ECE and CWR are compared only when they are asked for.
        """
        try:
            wanted = wanted_fields(packet)
        except ValueError as error:
            raise ScenarioError(str(error)) from error
        _seconds(within), _seconds(not_before)
        began = self.bench.now()
        since = began if self._last is None else self._last
        received = self._next(wanted, within, began)
        self.bench.checks += 1
        if not_before and received.packet.time - since < not_before:
            self._object(
                Finding(
                    "silence",
                    f"nothing for {not_before:g} s",
                    f"a segment after {received.packet.time - since:.3f} s",
                    "the server's segment came too soon",
                    "RFC 9293 §3.8.1",
                ),
                received,
            )
        self.bench.stop_if_wrong()
        self._last = received.packet.time
        tcp = as_tcp(received.frame, received.raw)
        tcp.time = received.packet.time
        return tcp

    def _next(self, wanted: dict[str, object], within: float, began: float) -> Received:
        inbox = self.connection.inbox
        self.bench.pump()
        while True:
            while inbox:
                received = inbox.popleft()
                difference = self._difference(wanted, received.frame)
                if difference is None:
                    return received
                if self._passes_over(received):
                    continue
                self._object(difference, received, wanted)
            left = began + within - self.bench.now()
            if left <= 0:
                self._nothing_came(wanted, within)
            self.bench.pump(left)

    def _passes_over(self, received: Received) -> bool:
        """Whether it may come at any time: one of a timer's; or, of a program that nobody tells, a bare ACK, since
        its moment decides whether that comes alone or with what it sends.
        """
        if received.sight.finding is not None:
            return False
        segment = received.frame.segment
        bare = segment.flags & ~PSH == ACK and not segment.payload
        return received.sight.incidental or (bare and not self.connection.conversation.told)

    def _difference(self, wanted: dict[str, object], frame: TcpFrame) -> Finding | None:
        segment = frame.segment
        conversation = self.connection.conversation
        bases = {"seq": conversation.server_isn, "ack": self.connection.peer_isn}
        section = self.connection.conversation.server.best.rule or "RFC 9293 §3.5"
        for name, expected in wanted.items():
            observed: object = getattr(segment, name) if hasattr(segment, name) else getattr(frame, name, None)
            if name == "flags":
                assert isinstance(expected, Flags)
                # A stack that offers ECN sets ECE and CWR (RFC 3168 §6.1): compared only when asked for, like PSH.
                mask = Flags(0x1FF) & ~(_UNASKED & ~expected)
                if expected & mask == segment.flags & mask:
                    continue
                expected, observed = letters(expected), letters(segment.flags)
            elif name in bases:
                assert isinstance(expected, int)
                wants, got = Seq(expected), segment.seq if name == "seq" else segment.ack
                if wants == got:
                    continue
                base = bases[name]
                expected, observed = (v if base is None else f"{v.ahead_of(base)} (absolute {v})" for v in (wants, got))
            elif expected == observed:
                continue
            about = "its sequence number" if name == "seq" else "its acknowledgement number" if name == "ack" else name
            return Finding(
                name, _shown(expected), _shown(observed), f"the server's segment is not the one expected: {about}",
                section,
            )  # fmt: skip
        return None

    def _object(self, finding: Finding, received: Received, wanted: dict[str, object] | None = None) -> None:
        """The script's expectation failed. What the model said of the same segment stands beside it."""
        bench, packet = self.bench, received.packet
        said = packet.problem
        if said is not None:
            # The model objects to this very segment and knows the section: its problem leads, the script's adds.
            problem = bench.problems[said]
            problem.witness = "script and model" if wanted else problem.witness
            if wanted:
                problem.expected_packet = self._notation(wanted)
            bench.stop_if_wrong()
        problem = bench.problem_of(self.connection, finding, packet, "script")
        problem.next_step = (
            "the model of RFC 9293 and the server agree here, and only the script expects otherwise: look at it first"
        )
        if wanted is not None:
            problem.expected_packet = self._notation(wanted)
        packet.problem = bench.add(problem)
        # The script comes first: what the model may have said of other segments follows.
        bench.put_last_problem_first()
        bench.stop_if_wrong()

    def _nothing_came(self, wanted: dict[str, object], within: float) -> None:
        bench = self.bench
        bench.settle()
        bench.checks += 1
        flags = wanted.get("flags")
        name = letters(flags) if isinstance(flags, Flags) else "segment"
        if bench.testbed.settle == "wait" and not self.connection.server_spoke:
            bench.cannot_tell(
                self.connection,
                f"nothing came from {bench.server_address} port {self.connection.server_port} in {within:g} s",
                "see whether the server runs and no firewall stands between: silence alone proves little",
                field="silence",
            )
        if self.connection.conversation.server.may_stay_silent:
            bench.cannot_tell(
                self.connection,
                f"the server's {name} did not come, and its kernel may leave out repeated answers of this kind",
                "set net.ipv4.tcp_invalid_ratelimit to 0 on the server, so that it answers each time, and run again",
                field="silence",
            )
        problem = Problem(
            Verdict.VIOLATES,
            f"the server's {name} did not come within {within:g} s",
            field="silence",
            expected=self._notation(wanted),
            observed="nothing",
            expected_packet=self._notation(wanted),
            observed_packet="nothing",
            section=self.connection.conversation.server.best.rule or "RFC 9293 §3.10",
            witness="script",
        )
        bench.add(bench.with_standing(problem, self.connection))
        bench.stop_if_wrong()

    def _notation(self, wanted: dict[str, object]) -> str:
        conversation = self.connection.conversation
        text = "<"
        if isinstance(flags := wanted.get("flags"), Flags):
            text += f" {letters(flags)}"
        else:
            text += " any"
        for name, base in (("seq", conversation.server_isn), ("ack", self.connection.peer_isn)):
            if isinstance(value := wanted.get(name), int):
                text += f" {name} {Seq(value).ahead_of(base) if base is not None else value}"
        for name, value in wanted.items():
            if name not in ("flags", "seq", "ack"):
                text += f" {name} {_shown(value)}"
        return text

    def expect_data(self, data: bytes, *more: bytes | int, within: float = PATIENCE) -> None:
        """The server's next segments carry exactly `data`, cut as it likes.

        And `more` behind it, where a number stands for so many octets, whatever they are: 29 for the moment in the
        Date field of an HTTP answer (RFC 9110 §5.6.7).
        """
        parts, got = (data, *more), b""
        data = _with_blanks(parts, b"".join(bytes(part) for part in parts))
        began = self.bench.now()
        while len(got) < len(data):
            now = self.bench.now()
            received = self._next({}, max(0.0, began + within - now), now)
            if received.sight.incidental:
                continue
            segment = received.frame.segment
            got += segment.payload
            if FIN in segment.flags and len(got) < len(data):
                break
        self.bench.checks += 1
        self.bench.stop_if_wrong()
        if (got := _with_blanks(parts, got)) != data:
            self.bench.complain(
                self.connection,
                Finding(
                    "payload", _shown(data), _shown(got), "the server's data are not those expected", "RFC 9293 §3.8"
                ),
                packet=self.connection.last_seen,
            )

    def expect_silence(self, seconds: float = 0.0) -> None:
        """The server says nothing more.

        Without `seconds`: nothing of what it sends at once, which is proven as the testbed can (exactly on a veth
        pair, by a fence, or by a quiet time: the verdict says which). With `seconds`: nothing for that long either,
        whatever its timers and its program do.
        """
        bench = self.bench
        bench.settle()
        if seconds:
            bench.wait_out(seconds)
            bench.settle()
        bench.checks += 1
        while self.connection.inbox:
            received = self.connection.inbox.popleft()
            if received.sight.incidental:
                continue
            segment = received.frame.segment
            self._object(
                Finding(
                    "silence",
                    "nothing",
                    self.connection.notation(segment, from_peer=False),
                    "the server speaks where it should be silent",
                    bench.connections[self.port].conversation.server.best.rule or "RFC 9293 §3.10",
                ),
                received,
            )
        proof = {"exact": "proven at once", "fenced": "proven by a fence", "waited": f"waited {QUIET:g} s"}
        lasting = f" for {seconds:g} s" if seconds else ""
        bench.say("check", f"silence{lasting}: {proof.get(bench.silence, '')}", self.connection.name)

    # What a script finds out by itself

    def check(self, holds: bool, field: str, expected: str, observed: str, message: str) -> None:
        """Make a check of the script's own. `message` says what should hold, `field` what it is about."""
        self.bench.checks += 1
        if holds:
            return
        section = self.connection.conversation.server.best.rule or "RFC 9293"
        finding = Finding(field, expected, observed, f"this does not hold: {message}", section)
        self.bench.complain(self.connection, finding, packet=self.connection.last_seen)

    def segments(self) -> list[Packet]:
        """Every segment of this connection so far, of both ends, as it was captured and in that order."""
        self.bench.pump()
        return [
            entry
            for entry in self.bench.timeline
            if isinstance(entry, Packet) and entry.segment is not None and entry.connection == self.connection.name
        ]

    def sees(
        self,
        fits: Callable[[Packet], bool],
        what: str,
        *,
        after: Packet | None = None,
        within: float = PATIENCE,
        section: str = "RFC 9293 §3.8",
    ) -> Packet:
        """The first segment of the server's on this connection that `fits`, waiting up to `within` seconds for it.

        Behind the packet `after` where one is given, from the connection's first on otherwise; other segments are
        passed over. `what` names it in the report. For a connection that the lab drives by itself, a WebSocket's:
        there the script does not take the segments one by one.
        """
        since = after.number if after else 0
        found: list[Packet] = []

        def look() -> bool:
            found.extend(p for p in self.segments() if p.sender == "server" and p.number > since and fits(p))
            return bool(found)

        self.bench.checks += 1
        came = self.bench.wait_until(look, within)
        self.bench.stop_if_wrong()
        if not came:
            self.bench.complain(
                self.connection,
                Finding("silence", what, f"none within {within:g} s", f"{what} did not come", section),
                packet=self.connection.last_seen,
            )
        self.bench.say("check", f"{what}: frame {found[0].number}", self.connection.name)
        return found[0]

    def sees_layers(self, *expected: tuple[str, int], frame: int = -1) -> None:
        """A frame of this run is made of these layers, outermost first, each of so many octets, and of nothing else.

        `frame` is its number in the capture, from 1; -1 is the last one, -2 the one before. Every octet belongs to
        exactly one layer. Raises ScenarioError where there is no such frame.
        """
        from lab.layers import dissect_run  # it reads a whole capture, and few scripts need it

        packets = [entry for entry in self.bench.timeline if isinstance(entry, Packet)]
        if not packets or not -len(packets) <= frame <= len(packets) or frame == 0:
            raise ScenarioError(f"there is no frame {frame}: the capture has {len(packets)}")
        at = frame - 1 if frame > 0 else len(packets) + frame
        layers = dissect_run([packet.frame for packet in packets])[at]
        packet, octets = packets[at], len(packets[at].frame)
        got = [(layer.name, layer.end - layer.start) for layer in layers]
        edges = [0, *(layer.end for layer in layers)]
        gapless = all(layer.start == edge for layer, edge in zip(layers, edges, strict=False)) and edges[-1] == octets
        self.bench.checks += 1
        if got != list(expected) or not gapless:
            finding = Finding(
                "layers",
                _layers(expected),
                _layers(got) + ("" if gapless else f", which is not all of its {octets} octets once"),
                f"frame {packet.number} is not made of the layers expected",
                "RFC 1122 §1.1.3",
            )
            self.bench.complain(self.connection, finding, packet=packet)
        self.bench.say("check", f"frame {packet.number}: {_layers(expected)} = {octets}", self.connection.name)

    def say(self, text: str) -> None:
        """Write a line into the ladder."""
        self.bench.say("note", text, self.connection.name)

    def now(self) -> float:
        """Seconds since the run began."""
        return self.bench.now()

    # Well-trodden ways

    def open(self, packet: Scapy = None) -> tuple[Seq, Seq]:
        """Open the connection in three segments (RFC 9293 §3.5 figure 6); x and y, the two initial numbers.

        `packet` may be another SYN, with options say.
        """
        from scapy.layers.inet import TCP

        x = self.iss
        self.send(packet if packet is not None else TCP(flags="S"))
        y = self.expect(TCP(flags="SA", ack=x + 1)).seq
        self.send(TCP(flags="A", seq=x + 1, ack=y + 1))
        return x, y

    def wait(self, seconds: float) -> None:
        """Let time pass, watching the wire."""
        self.bench.wait(_seconds(seconds))


_UNASKED = PSH | Flags.ECE | Flags.CWR


def _layers(layers: Sequence[tuple[str, int]]) -> str:
    return " + ".join(f"{name} {octets}" for name, octets in layers)


def _seconds(value: float) -> float:
    """A time to wait. Raises ScenarioError for one that cannot be waited for."""
    if not 0 <= value < float("inf"):
        raise ScenarioError(f"{value:g} is no time to wait: say seconds, 0 or more")
    return value


def _with_blanks(parts: Sequence[bytes | int], data: bytes) -> bytes:
    """The octets with a ? in place of each that may be any."""
    at = 0
    for part in parts:
        size = part if isinstance(part, int) else len(part)
        if isinstance(part, int):
            data = data[:at] + b"?" * len(data[at : at + size]) + data[at + size :]
        at += size
    return data


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return repr(value[:60]) + (f" … {len(value)} octets" if len(value) > 60 else "") if value else "no data"
    return "none" if value is None else str(value)
