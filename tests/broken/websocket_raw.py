"""A WebSocket server by hand on asyncio streams, honest throughout: `Honest`, whose every answer can be made wrong.

It knows RFC 6455 and nothing of the lab, nor of any WebSocket library: what the lab judges must not be the lab. It
sends every message back. One instance serves one connection; the servers of this folder are subclasses.
"""

from __future__ import annotations

import asyncio
import codecs
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress

import websocket_frames as wire
from websocket_frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, Header
from websocket_opening import BadRequest, Refusal, Request, accept, faults, parse

Fields = list[tuple[str, str]]

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: nothing lingers, close() resets."""


class Fault(Exception):
    """What the client did makes the server fail the connection (§7.1.7), with this close code."""

    def __init__(self, name: str, code: int, why: str) -> None:
        super().__init__(why)
        self.name = name
        self.code = code
        self.why = why


class Gone(Exception):
    """The client has closed or reset its side."""


def may_be_sent(code: int) -> bool:
    """Whether a Close may carry that code (§7.4; 1012 to 1014 are registered with IANA)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


class Honest:
    """One connection with nothing broken."""

    most = 1 << 20
    """Octets of a message; one that is longer closes with 1009 (§10.4)."""
    most_head = 1 << 14
    """Octets of a request's head."""
    linger = 5.0
    """Seconds that the client has to close its side in."""
    paths: tuple[str, ...] = ("/", "/echo")
    subprotocols: tuple[str, ...] = ("chat.lab", "json.lab", "chat", "superchat")
    unchecked: frozenset[str] = frozenset()
    """Names of faults that are not seen: of a request (websocket_opening.faults) and of frames (the Faults below)."""
    exact_names = False
    status = "101 Switching Protocols"

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.buffer = bytearray()
        """What came and is not used yet."""
        self.kind: int | None = None
        """The type of the message that is being received in fragments."""
        self.parts: list[bytes] = []
        self.decoder = self.new_decoder()
        self.over = False

    async def run(self) -> None:
        """Serve the connection to its end, however it comes."""
        try:
            await self.serve()
        except (Gone, OSError):
            pass
        finally:
            self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def serve(self) -> None:
        """The whole of it."""
        if not await self.opening():
            return
        await self.opened()
        while not self.over:
            try:
                await self.step()
            except Fault as fault:
                await self.fail(fault)

    # ---- octets -------------------------------------------------------------------------------------------------

    async def more(self) -> None:
        """Wait for more octets. Raises Gone when the client has none."""
        data = await self.reader.read(65536)
        if not data:
            raise Gone
        self.buffer += data

    async def write(self, data: bytes) -> None:
        """Send octets; waits while the client takes none."""
        self.writer.write(data)
        await self.writer.drain()

    async def end(self) -> None:
        """Close TCP first and cleanly, discarding what still comes (§7.1.1)."""
        self.over = True
        self.writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.linger):
                while await self.reader.read(65536):
                    pass

    def reset(self) -> None:
        """End TCP with a RST."""
        self.over = True
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.writer.transport.abort()

    # ---- opening (§4.2) -----------------------------------------------------------------------------------------

    async def opening(self) -> bool:
        """Read the request and answer it; whether the connection is a WebSocket now."""
        head = await self.head()
        if head is None:
            await self.refuse(Refusal("431 Request Header Fields Too Large"), None)
            return False
        try:
            request = parse(head)
        except BadRequest as bad:
            await self.refuse(Refusal("400 Bad Request", body=str(bad)), None)
            return False
        request.exact = self.exact_names
        refusal = self.judge(request)
        if refusal is not None:
            await self.refuse(refusal, request)
            return False
        await self.accept(request)
        return True

    async def head(self) -> bytes | None:
        """The request's head without its empty line; None when it has no end."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if len(self.buffer) > self.most_head:
                return None
            await self.more()
        head = bytes(self.buffer[:end])
        del self.buffer[: end + 4]
        return head

    def judge(self, request: Request) -> Refusal | None:
        """Why the request is refused, if it is."""
        found = (refusal for name, refusal in faults(request, self.paths) if not self.overlooks(name, request))
        return next(found, None)

    def overlooks(self, fault: str, request: Request) -> bool:
        """Whether a fault of a request goes unseen."""
        return fault in self.unchecked

    async def accept(self, request: Request) -> None:
        """Answer with the server's opening handshake (§4.2.2)."""
        await self.write(self.answer(self.status, self.acceptance(request)))

    def acceptance(self, request: Request) -> Fields:
        """The fields of the 101 (§4.2.2 step 5)."""
        fields = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
        fields.append(("Sec-WebSocket-Accept", self.proof(request)))
        chosen = self.subprotocol(request)
        return fields if chosen is None else [*fields, ("Sec-WebSocket-Protocol", chosen)]

    def proof(self, request: Request) -> str:
        """The value of Sec-WebSocket-Accept (§4.2.2 step 5.4)."""
        return accept((request.values("Sec-WebSocket-Key") or [""])[0])

    def subprotocol(self, request: Request) -> str | None:
        """The first of those offered that the server speaks, or none (§4.2.2 step 4)."""
        return next((each for each in request.elements("Sec-WebSocket-Protocol") if each in self.subprotocols), None)

    async def refuse(self, refusal: Refusal, request: Request | None) -> None:
        """Answer in HTTP, and close (§4.2.1, §7.2.2)."""
        body = f"{refusal.body}\n" if refusal.body and (request is None or request.method != "HEAD") else ""
        upgrades = any(name == "Upgrade" for name, _ in refusal.fields)
        fields = [*refusal.fields, ("Connection", "Upgrade, close" if upgrades else "close")]
        fields += [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        await self.write(self.answer(refusal.status, fields) + body.encode("latin-1"))
        await self.end()

    def answer(self, status: str, fields: Fields) -> bytes:
        """The head of a response."""
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields)]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")

    async def opened(self) -> None:
        """What the server says unasked when the connection stands: nothing."""

    # ---- frames (§5) --------------------------------------------------------------------------------------------

    async def step(self) -> None:
        """Take one frame. Raises Fault."""
        header = await self.header()
        for fault in self.frame_faults(header):
            if not self.tolerates(fault, header):
                raise fault
        await self.take(header, await self.payload(header))

    async def header(self) -> Header:
        """The next frame's header, used up."""
        while (header := wire.read_header(self.buffer)) is None:
            await self.more()
        del self.buffer[: header.size]
        return header

    async def payload(self, header: Header) -> bytes:
        """The frame's payload without its mask, used up."""
        while len(self.buffer) < header.length:
            await self.more()
        payload = bytes(self.buffer[: header.length])
        del self.buffer[: header.length]
        return payload if header.key is None else wire.masked(header.key, payload)

    def frame_faults(self, header: Header) -> Iterator[Fault]:
        """All that is wrong with a frame by its header."""
        if header.key is None:
            yield Fault("mask", 1002, "a client masks its frames (5.1)")
        if header.rsv:
            yield Fault("rsv", 1002, "no extension gives RSV bits a meaning (5.2)")
        if header.opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            yield Fault("opcode", 1002, "unknown opcode (5.2)")
        if header.control and not header.fin:
            yield Fault("fragmented control", 1002, "control frames are not fragmented (5.4)")
        if header.control and header.length > 125:
            yield Fault("long control", 1002, "a control frame has 125 octets at most (5.5)")
        if header.length >> 63:
            yield Fault("msb", 1002, "the most significant bit of a length is 0 (5.2)")
        if header.form > wire.shortest(header.length):
            yield Fault("form", 1002, "the shortest form of a length is used (5.2)")
        if not header.control and header.opcode != CONTINUATION and self.kind is not None:
            yield Fault("interleaved", 1002, "a message began before the last one ended (5.4)")
        if header.opcode == CONTINUATION and self.kind is None:
            yield Fault("orphan", 1002, "there is nothing to continue (5.4)")
        if not header.control and header.length + sum(map(len, self.parts)) > self.most:
            yield Fault("size", 1009, "the message is too big")

    def tolerates(self, fault: Fault, header: Header | None = None) -> bool:
        """Whether a fault goes unseen."""
        return fault.name in self.unchecked

    def insist(self, fault: Fault) -> None:
        """Raise the fault, unless it goes unseen."""
        if not self.tolerates(fault):
            raise fault

    async def take(self, header: Header, payload: bytes) -> None:
        """Do what a frame asks for."""
        if header.opcode == PING:
            await self.ping(payload)
        elif header.opcode == PONG:
            await self.pong(payload)
        elif header.opcode == CLOSE:
            await self.closing(payload)
        elif header.opcode in (CONTINUATION, TEXT, BINARY):
            await self.fragment(header, payload)

    async def fragment(self, header: Header, payload: bytes) -> None:
        """Add a frame of data to its message (§5.4)."""
        if header.opcode != CONTINUATION or self.kind is None:
            self.kind = header.opcode or TEXT
            self.parts = []
            self.decoder = self.new_decoder()
        self.parts.append(payload)
        if self.kind == TEXT:
            try:
                self.decoder.decode(payload, header.fin)
            except UnicodeDecodeError:
                self.insist(Fault("utf-8", 1007, "the text is not UTF-8 (8.1)"))
        if header.fin:
            kind, parts = self.kind, self.parts
            self.kind, self.parts = None, []
            await self.message(kind, parts)

    def new_decoder(self) -> codecs.IncrementalDecoder:
        """What proves a text message to be UTF-8, fragment by fragment (§8.1)."""
        return codecs.getincrementaldecoder("utf-8")()

    async def message(self, kind: int, parts: list[bytes]) -> None:
        """Send a message back, as one frame."""
        await self.send(Frame(kind, b"".join(parts)))

    async def ping(self, payload: bytes) -> None:
        """Answer a Ping (§5.5.2)."""
        await self.send(Frame(PONG, payload))

    async def pong(self, payload: bytes) -> None:
        """Nothing is expected in response to a Pong (§5.5.3)."""

    async def send(self, frame: Frame) -> None:
        """Send a frame, as `outgoing` will have it."""
        for each in self.outgoing(frame):
            await self.write(self.encode(each))

    def outgoing(self, frame: Frame) -> Iterable[Frame]:
        """The frames that go out for this one."""
        yield frame

    def encode(self, frame: Frame) -> bytes:
        """The octets of a frame."""
        return wire.encode(frame)

    # ---- closing (§5.5.1, §7) -----------------------------------------------------------------------------------

    async def closing(self, body: bytes) -> None:
        """Answer the client's Close, and close TCP. Raises Fault."""
        if len(body) == 1:
            self.insist(Fault("close length", 1002, "half a close code (5.5.1)"))
        if len(body) >= 2 and not may_be_sent(int.from_bytes(body[:2], "big")):
            self.insist(Fault("close code", 1002, "that close code is not to be sent (7.4)"))
        try:
            body[2:].decode()
        except UnicodeDecodeError:
            self.insist(Fault("close reason", 1007, "the reason is not UTF-8 (8.1)"))
        await self.answer_close(body)
        await self.end()

    async def answer_close(self, body: bytes) -> None:
        """The Close that answers the client's has its code and reason (§5.5.1)."""
        await self.send(Frame(CLOSE, body))

    async def fail(self, fault: Fault) -> None:
        """Fail the connection (§7.1.7): say why, and close TCP; what still comes is not looked at."""
        await self.send(Frame(CLOSE, fault.code.to_bytes(2, "big") + fault.why.encode()))
        await self.end()
