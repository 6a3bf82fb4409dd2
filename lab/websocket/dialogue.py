"""Follows both byte streams of one connection as RFC 6455 has it, and judges the server.

    dialogue = Dialogue()
    dialogue.client_sends(request, now)
    for seen in dialogue.server_sends(answer, now):
        print(seen.text, seen.finding)

It knows what was sent, not what has arrived: where the two ends' frames may have crossed, it gives the server the
benefit of the doubt. It raises nothing, whatever the server sends, and its memory is bounded.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Literal

from lab.tcp.world import Finding
from lab.websocket import codes
from lab.websocket.echo import Echo, brief
from lab.websocket.frames import FrameReader, Opcode, ReadFrame, close_body, first_look, is_control, opcode_name, show
from lab.websocket.handshake import Request, judge, parse_extensions, parse_request
from lab.websocket.http import Body, Response, ResponseReader
from lab.websocket.leeway import FITTING
from lab.websocket.rules import MOST_MESSAGE, Breach, Message, Rules

MOST_KEPT = 2**24
"""Octets of the server's messages that are kept; of more, the earliest are forgotten."""
UNSOLICITED = "unsolicited"
"""The note on a Pong that answers no Ping (RFC 6455 §5.5.3)."""
MOST_NOTES = 200
LARGE = 2**16
"""Octets of a message, from which on nobody can say that a server must take it (RFC 6455 §10.4)."""
MOST_SENT = 2**26
"""Octets of one frame of the client that are followed."""


class State(StrEnum):
    """Where the WebSocket connection stands (RFC 6455 §4.1, §7.1.3, §7.1.4)."""

    CONNECTING = "CONNECTING"
    OPEN = "OPEN"
    CLOSING = "CLOSING"
    """A Close was sent or received, or the client broke a rule for which the server has to fail the connection."""
    CLOSED = "CLOSED"
    """The TCP connection is closed by the server, or there was no WebSocket connection."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Where the client's own stream first broke a rule."""

    breach: Breach
    frame: ReadFrame | None
    """None where only the header of it was sent."""
    at: int
    """The first octet of that frame, counted from the first octet that the client sent."""
    since: float

    @property
    def codes(self) -> tuple[int, ...]:
        """The codes that fit the server's Close, the best first. It may leave the Close out, too (RFC 6455 §7.1.7)."""
        best = self.breach.codes
        return tuple(dict.fromkeys([*best, *(code for one in best for code in FITTING.get(one, ()))]))

    @property
    def must_fail(self) -> bool:
        """Whether the server has to fail the connection; otherwise it may go on as well."""
        return self.breach.must_fail

    @property
    def section(self) -> str:
        """The section of the rule."""
        return self.breach.section

    @property
    def why(self) -> str:
        """The rule in a sentence."""
        return self.breach.why


@dataclass(frozen=True, slots=True)
class Owed:
    """What the server has to do next, as soon as it can."""

    kind: Literal["response", "pong", "echo", "close", "tcp close"]
    since: float
    what: str
    section: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server was seen to say."""

    kind: Literal["response", "frame", "garbage"]
    text: str
    """One line."""
    finding: Finding | None = None
    frame: ReadFrame | None = None
    response: Response | None = None
    note: str = ""
    """What is worth a word and breaks no rule."""

    @property
    def unsolicited(self) -> bool:
        """Whether it is a Pong that answers no Ping (RFC 6455 §5.5.3)."""
        return self.note == UNSOLICITED


@dataclass(slots=True, eq=False)
class _Ping:
    payload: bytes
    since: float
    where: Literal["before", "behind the bad frame", "behind the Close"]
    perhaps: bool = False
    """Whether a Pong came that may be its own: another Ping had the same payload."""


class Dialogue:
    """One connection. `now` is in seconds on any clock that does not go back."""

    def __init__(self, request: Request | None = None) -> None:
        """`request`: what the client asks, where it is known; otherwise it is read from the client's octets."""
        self.request = request
        self.response: Response | None = None
        self.broken: Broken | None = None
        self.messages: deque[Message] = deque()
        """What the server sent, the last MOST_KEPT octets of it; compressed ones as they are."""
        self.messages_seen = 0
        self.notes: list[str] = []
        self.client_close: ReadFrame | None = None
        self.server_close: ReadFrame | None = None
        self.server_ended: Literal["", "fin", "reset"] = ""
        self.client_ended = False
        self.echo: Echo | None = None
        """Whoever knows that the server sends each message back sets one before the first message."""

        self._kept = 0
        self._head = bytearray()
        self._asked: float | None = None
        """When the client's request was whole."""
        self._head_size = 0
        self._early = False
        """Whether the client sent frames before the answer to its request (RFC 6455 §4.1 forbids it)."""
        self._client = FrameReader(MOST_SENT)
        self._client_rules = Rules(masked=True)
        self._large = False
        """Whether the client sent a message that a server may find too large (RFC 6455 §10.4)."""
        self._header_checked = -1
        self._pings: list[_Ping] = []
        self._strange_pong = ""
        self._sent_before: set[bytes] = set()
        self._sent_behind: dict[bytes, str] = {}
        self._closes: list[float] = []

        self._answer = ResponseReader()
        self._body: Body | None = None
        self._behind_answer = False
        self._garbage = False
        """Whether the server's octets can no longer be followed."""
        self._server = FrameReader(MOST_MESSAGE)
        self._server_rules = Rules(masked=False)

    @property
    def state(self) -> State:
        """Where the connection stands."""
        refused = self.response is not None and self.response.status != 101
        if self.server_ended or refused or (self._garbage and self.response is None):
            return State.CLOSED
        if self.response is None:
            return State.CONNECTING
        if self.client_close or self.server_close or self._failed:
            return State.CLOSING
        return State.OPEN

    @property
    def _as_it_is(self) -> bool:
        """Whether the client's messages are what their frames carry, and went out in their time (RFC 6455 §4.1, §9)."""
        return not self._early and not self._client_rules.extensions

    @property
    def _failed(self) -> bool:
        return self.broken is not None and self.broken.must_fail

    @property
    def unfinished(self) -> str:
        """What the server has begun to say and not ended, in a few words; "" where there is nothing."""
        if self.response is None:
            return "an HTTP response" if self._answer.started and not self._garbage else ""
        header = self._server.partial
        if header is not None:
            there = max(0, self._server.waiting - header.size)
            return f"a {opcode_name(header.opcode)} frame, of whose {header.length} octets {there} came"
        return "the header of a frame" if self._server.waiting else ""

    # The client

    def client_sends(self, data: bytes, now: float) -> None:
        """The client's next octets, in the order of its stream, right or wrong."""
        if self._asked is None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head, data = bytes(self._head[: end + 4]), bytes(self._head[end + 4 :])
            self._head.clear()
            self._asked, self._head_size = now, len(head)
            if self.request is None:
                self.request = parse_request(head)
        if not data:
            return
        if self.response is None:
            self._early = True
        for read in self._client.feed(data):
            self._client_frame(read, now)
        header = self._client.partial or first_look(self._client.kept)
        if header is not None and self._header_checked != self._client.start:
            if self._client.partial is not None:
                self._header_checked = self._client.start
            breach = self._client_rules.header(header)
            if breach is None and self._client.too_large:
                why = f"A frame of {header.length} octets is more than many can take."
                section = "RFC 6455 §10.4"
                breach = Breach("length", "less", str(header.length), why, section, (1009,), must_fail=False)
            self._breaks(breach, None, self._client.start, now)

    def client_ends(self, now: float, reset: bool = False) -> None:
        """The client's FIN or RST."""
        self.client_ended = True
        self._pings.clear()

    def _client_frame(self, read: ReadFrame, now: float) -> None:
        breach, message = self._client_rules.frame(read)
        if self._failed:
            where: Literal["before", "behind the bad frame", "behind the Close"] = "behind the bad frame"
        else:
            where = "behind the Close" if self.client_close else "before"
        if not self.client_close:
            self._breaks(breach, read, read.start, now)
        if self._failed:
            where = "behind the bad frame"
        opcode = read.frame.opcode
        size = len(message[1]) if message else max(len(read.frame.payload), self._client_rules.size)
        self._large = self._large or size >= LARGE
        if message is not None and where == "before" and self.echo is not None and self._as_it_is:
            self.echo.sends(message, now, certain=not self._large and self.broken is None)
        if message is not None and message[1]:
            mark = _mark(message)
            if where == "before":
                self._sent_before.add(mark)
            else:
                self._sent_behind[mark] = where
        elif opcode == Opcode.PING:
            self._pings.append(_Ping(read.frame.payload, now, where))
        elif opcode == Opcode.CLOSE and self.client_close is None and where == "before":
            self.client_close = read
            self._closes.append(now)

    def _breaks(self, breach: Breach | None, read: ReadFrame | None, start: int, now: float) -> None:
        if breach and (self.broken is None or (breach.must_fail and not self.broken.must_fail)):
            self.broken = Broken(breach, read, self._head_size + start, now)

    # The server

    def server_sends(self, data: bytes, now: float) -> list[Seen]:
        """The server's next octets, in the order of its stream: what they make, and what is wrong with it."""
        if self._server.too_large:
            self._server.feed(data)  # which only counts
        if not data or self._garbage:
            return []
        if self.response is None:
            response = self._answer.feed(data)
            if self._answer.fault:
                return [self._no_answer(data)]
            if response is None:
                return []
            self.response = response
            return [self._answered(response), *self.server_sends(self._answer.rest, now)]
        if self.response.status != 101:
            return self._refused(data)
        seen = [self._server_frame(read, now) for read in self._server.feed(data)]
        if self._server.too_large and not self._garbage:
            seen.append(self._too_large())
        return seen

    def server_ends(self, now: float, reset: bool = False) -> Finding | None:
        """The server's FIN, or its RST: what is wrong with it at this point."""
        if self.server_ended:
            return None
        finding = self._ends(reset)
        self.server_ended = "reset" if reset else "fin"
        if reset:
            self._note("The server closed with a RST; §7.1.1 would rather have an orderly close (SHOULD).")
        return finding

    def owed(self, now: float) -> list[Owed]:
        """What the server owes, with the time since when. Nothing says how long it may take."""
        if self.server_ended or self.client_ended:
            return []
        if self.response is None:
            if self._asked is None or self._garbage:
                return []
            return [Owed("response", self._asked, "an answer to the request", "RFC 6455 §4.2.2")]
        if self.response.status != 101:
            return []
        if self.broken and self.broken.must_fail:
            what = f"to fail the connection: {self.broken.why}"
            return [Owed("tcp close", self.broken.since, what, "RFC 6455 §7.1.7")]
        if self._garbage:
            return []
        if self.client_close and self.server_close:
            what = "to close the TCP connection, now that both Close frames are sent"
            return [Owed("tcp close", max(self._closes), what, "RFC 6455 §5.5.1")]
        debts = []
        pings = [ping for ping in self._pings if ping.where == "before"]
        if pings and not pings[-1].perhaps and not self.server_close:
            said = show(Opcode.PING, pings[-1].payload) or "nothing"
            what = f"a Pong with the payload of the latest Ping, {said}" + self._strange_pong
            debts.append(Owed("pong", pings[-1].since, what, "RFC 6455 §5.5.2"))
        if self.echo is not None and (awaited := self.echo.owed) and not self.server_close:
            what = f"the echo of {brief(awaited.message)}"
            debts.append(Owed("echo", awaited.since, what, "RFC 6455 §6.1"))
        if self.client_close:
            debts.append(Owed("close", self._closes[0], "a Close in answer to the client's", "RFC 6455 §5.5.1"))
        return debts

    def _no_answer(self, data: bytes) -> Seen:
        self._garbage = True
        message = f"The server's answer is no HTTP: {self._answer.fault}."
        if data[0] >= 0x80 and not self._answer.received:
            message += " No frame may come before the 101."
        finding = Finding("response", "an HTTP response", data[:16].hex(" "), message, "RFC 6455 §4.2.2")
        return Seen("garbage", self._answer.fault, finding)

    def _answered(self, response: Response) -> Seen:
        findings: list[Finding] = []
        section = "RFC 6455 §4.2.2"
        if response.status == 101:
            if self._asked is None and (self._head or self.request is None):
                message = "The server accepted a request before its end."
                findings.append(Finding("response", "nothing yet", response.line, message, section))
            elif self.request is None:
                message = "The server accepted what is no HTTP request."
                wanted = "an HTTP error such as 400"
                findings.append(Finding("response", wanted, response.line, message, "RFC 6455 §4.2.1"))
            chosen = parse_extensions(response.all("Sec-WebSocket-Extensions")) or []
            extensions = frozenset(name for name, _ in chosen)
            self._client_rules.extensions = self._server_rules.extensions = extensions
        if self.request is not None:
            findings += judge(self.request, response)
        for finding in findings[1:]:
            self._note(finding.message)
        return Seen("response", response.line, findings[0] if findings else None, response=response)

    def _refused(self, data: bytes) -> list[Seen]:
        """Octets behind the head of a refusal: its body, or another answer, and nothing else."""
        assert self.response is not None
        if self._body is None and not self._behind_answer:
            head = self.request is not None and self.request.method == "HEAD"
            if head or self.response.status in (204, 304):
                self._behind_answer = True
            else:
                self._body = Body(self.response)
        if self._body is not None:
            rest = self._body.feed(data)
            if self._body.fault:
                self._garbage = True
                message = f"The body of the answer is none: {self._body.fault}."
                finding = Finding("response", "a body as announced", data[:16].hex(" "), message, "RFC 9112 §6")
                return [Seen("garbage", self._body.fault, finding)]
            if rest is None:
                return []
            self._body, self._behind_answer, data = None, True, rest
        if not data:
            return []
        self._garbage = True
        if data.startswith(b"HTTP/"[: len(data)]):
            return [Seen("garbage", "another HTTP answer", note="It answers nothing that RFC 6455 speaks of.")]
        text = f"{len(data)} octets behind the answer {self.response.line}"
        if self.request is not None and self.request.method == "HEAD":
            message = "The answer to HEAD has no body, even where it announces one."
            return [Seen("garbage", text, Finding("body", "none", data[:16].hex(" "), message, "RFC 9110 §9.3.2"))]
        message = "The server refused the connection, and sent something that is no HTTP: frames need a 101."
        return [Seen("garbage", text, Finding("response", "nothing", data[:16].hex(" "), message, "RFC 6455 §4.2.2"))]

    def _too_large(self) -> Seen:
        header = self._server.too_large
        assert header is not None
        self._garbage = True
        breach = self._server_rules.header(header)
        text = f"{opcode_name(header.opcode)} that announces {header.length} octets"
        note = f"It is too large to be followed (more than {MOST_MESSAGE} octets): what comes now is not judged."
        self._note(f"{text}. {note}")
        return Seen("frame", text, _finding(breach), note=note)

    def _server_frame(self, read: ReadFrame, now: float) -> Seen:
        breach, message = self._server_rules.frame(read)
        finding = _finding(breach)
        opcode, note = read.frame.opcode, ""
        if self.server_close is not None:
            finding = finding or self._behind_close(read)
            note = "It comes behind the server's Close."
        if not is_control(opcode):
            if message is not None:
                self._keep(message)
                echoed = self._echo(message)
                finding = finding or echoed
        elif opcode == Opcode.PONG:
            late, said = self._pong(read.frame.payload)
            finding, note = finding or late, note or said
        elif opcode == Opcode.CLOSE and self.server_close is None:
            self.server_close = read
            self._closes.append(now)
            finding = finding or self._close_code(read)
            note = self._close_note(read)
        if note:
            self._note(f"{read.frame.describe()}: {note}")
        return Seen("frame", read.frame.describe(), finding, read, note=note)

    def _behind_close(self, read: ReadFrame) -> Finding | None:
        """What is wrong with a frame behind the server's Close.

        Data never may (RFC 6455 §5.5.1), and no end sends Close twice: it answers one only if it has sent none. Ping
        and Pong may still be sent until the connection is closed (§5.5.2), which it is for the server when the
        client's Close has reached it; that cannot be seen from here.
        """
        name = opcode_name(read.frame.opcode)
        if read.frame.opcode == Opcode.CLOSE:
            message = "The server sent a second Close; it answers a Close only if it has sent none."
        elif not is_control(read.frame.opcode):
            message = "The server sent a data frame behind its Close."
        else:
            return None
        return Finding("opcode", "no more frames", name, message, "RFC 6455 §5.5.1")

    def _echo(self, message: Message) -> Finding | None:
        """A message of the client's that should have been dropped, and comes back; or an echo that is none."""
        mark = _mark(message) if message[1] else b""
        where = self._sent_behind.get(mark)
        if where is None or mark in self._sent_before:
            return self.echo.comes(message) if self.echo is not None else None
        return self._processed("payload", show(*message), where)

    def _pong(self, payload: bytes) -> tuple[Finding | None, str]:
        alike = [ping for ping in self._pings if ping.payload == payload]
        honest = [ping for ping in alike if ping.where == "before"]
        if honest:
            # Pings before it need no Pong of their own; it may also be the Pong of a later one (RFC 6455 §5.5.3).
            place = self._pings.index(honest[0])
            del self._pings[: place + 1]
            for ping in honest[1:]:
                ping.perhaps = True
            self._strange_pong = ""
            return None, f"Of the Pings before it {place} had no Pong." if place else ""
        if alike:
            if alike[0].where == "behind the Close" and self.server_close is None:
                return None, "It answers a Ping that the client sent behind its Close."
            self._pings.remove(alike[0])
            return self._processed("opcode", "PONG", alike[0].where), ""
        if any(ping.where == "before" for ping in self._pings):
            self._strange_pong = f"; a Pong with {show(Opcode.PONG, payload) or 'no payload'} answers none"
        return None, UNSOLICITED

    def _processed(self, field: str, observed: str, where: str) -> Finding:
        if where == "behind the Close":
            message = "The server answered what the client sent behind its Close, which is to be discarded."
            return Finding(field, "no answer", observed, message, "RFC 6455 §1.4")
        assert self.broken is not None
        message = (
            "The server answered what came with or behind a bad frame. It had to fail the connection and process no "
            f"more: {self.broken.why} ({self.broken.section})"
        )
        return Finding(field, "no answer", observed, message, "RFC 6455 §7.1.7")

    def _close_code(self, read: ReadFrame) -> Finding | None:
        code, _ = close_body(read.frame.payload)
        if code is None:
            return None
        mine = close_body(self.client_close.frame.payload)[0] if self.client_close else None
        if self.broken and self.broken.must_fail:
            # What the server tells about itself fits at any time.
            if code in self.broken.codes or code in (1001, 1011, 1012, 1013) or 3000 <= code <= 4999:
                return None
            expected = " or ".join(str(fit) for fit in self.broken.codes)
            message = f"The code does not fit what went wrong: {self.broken.why} ({self.broken.section})"
            return Finding("close code", expected, codes.describe(code), message, "RFC 6455 §7.1.7")
        honest = self.broken is None and not (self._early or self._large or self._cut)
        if code in (1002, 1007) and code != mine and honest:
            message = "The server says that the client broke the protocol, and it has not."
            return Finding("close code", "no Close, or 1000", codes.describe(code), message, "RFC 6455 §7.4.1")
        if code == 1010 and mine != 1010:
            message = "1010 is the client's to send: a server refuses the handshake instead."
            return Finding("close code", "another code", codes.describe(code), message, "RFC 6455 §7.4.1")
        return None

    @property
    def _cut(self) -> bool:
        """Whether the client stopped in the middle of a frame and has ended its stream there."""
        return self.client_ended and self._client.waiting > 0

    @property
    def _server_cut(self) -> bool:
        """Whether the server's octets end in the middle of a frame."""
        header = self._server.too_large
        if header is None:
            return self._server.waiting > 0
        return self._server.received - self._server.start < header.whole

    def _close_note(self, read: ReadFrame) -> str:
        code, _ = close_body(read.frame.payload)
        if self._failed and code is None:
            return "It has no code; one that fits would be better (§7.1.7, SHOULD)."
        if self.client_close is None or self.broken:
            return ""
        mine, _ = close_body(self.client_close.frame.payload)
        return "" if code == mine else "Its code is not that of the client's Close; typically it is (§5.5.1)."

    def _ends(self, reset: bool) -> Finding | None:
        how = "RST" if reset else "FIN"
        if self.response is None:
            if self._garbage:
                return None
            if self._answer.started:
                message = "The server ended the connection in the middle of its answer."
                return Finding("response", "the whole of it", how, message, "RFC 9112 §8")
            if self.request is not None and self._asked is not None and not self.request.departures:
                message = "The server ended the connection without an answer to a request in order."
                return Finding("response", "an HTTP response", how, message, "RFC 6455 §4.2.2")
            self._note("The server ended the connection without an answer: it may drop what is not in order (§10.7).")
            return None
        if self.response.status != 101 or self.broken or self.client_ended:
            return None
        if self._server_cut and not reset:
            message = "The server ended the connection in the middle of a frame."
            return Finding("payload", "the whole frame", how, message, "RFC 6455 §5.2")
        if self.server_close is not None:
            return None
        if self.client_close is not None:
            message = "The server ended the connection without a Close in answer to the client's."
            return Finding("opcode", "CLOSE", how, message, "RFC 6455 §5.5.1")
        if reset or self._large:
            return None
        message = "The server ended the connection without a Close before."
        return Finding("opcode", "CLOSE", how, message, "RFC 6455 §7.1.2")

    def _keep(self, message: Message) -> None:
        self.messages_seen += 1
        self.messages.append(message)
        # An empty message takes room, too.
        self._kept += len(message[1]) + 64
        while self._kept > MOST_KEPT and len(self.messages) > 1:
            self._kept -= len(self.messages.popleft()[1]) + 64

    def _note(self, text: str) -> None:
        if len(self.notes) < MOST_NOTES:
            self.notes.append(text)


def _mark(message: Message) -> bytes:
    """What stands for a message, so that those sent need not be kept."""
    return blake2b(message[1], digest_size=16, person=bytes((message[0],))).digest()


def _finding(breach: Breach | None) -> Finding | None:
    if breach is None:
        return None
    return Finding(breach.field, breach.expected, breach.observed, breach.why, breach.section)
