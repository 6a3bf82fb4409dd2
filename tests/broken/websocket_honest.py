"""Servers with nothing broken, which take another way wherever RFC 6455 allows one."""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Iterable
from itertools import pairwise

from websocket_frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, encode
from websocket_opening import Refusal, Request
from websocket_raw import Fault, Fields, Honest
from websocket_registry import honest as habit


@habit
class honest(Honest):
    """Nothing broken."""


@habit
class honest_fragments(Honest):
    """What it sends back is cut into other fragments than came, an empty one at the end (§5.4)."""

    def outgoing(self, frame: Frame) -> Iterable[Frame]:
        if frame.opcode not in (TEXT, BINARY):
            yield frame
            return
        cuts = [0, 1, len(frame.payload) // 2 or 1, len(frame.payload)]
        for start, end in pairwise(cuts):
            yield Frame(CONTINUATION if start else frame.opcode, frame.payload[start:end], fin=False)
        yield Frame(CONTINUATION)


@habit
class honest_pongs(Honest):
    """A Pong that nobody asked for goes out behind the 101 and behind each message (§5.5.3)."""

    async def opened(self) -> None:
        await self.send(Frame(PONG))

    async def message(self, kind: int, parts: list[bytes]) -> None:
        await super().message(kind, parts)
        await self.send(Frame(PONG, b"still here"))


@habit
class honest_pings(Honest):
    """A Ping goes out in one segment with the 101, and one with each message (§5.5.2)."""

    async def accept(self, request: Request) -> None:
        await self.write(self.answer(self.status, self.acceptance(request)) + encode(Frame(PING, b"there?")))

    def outgoing(self, frame: Frame) -> Iterable[Frame]:
        if frame.opcode in (TEXT, BINARY):
            yield Frame(PING, b"who?")
        yield frame


@habit
class honest_latest_ping(Honest):
    """Of Pings that came together only the latest is answered (§5.5.3)."""

    _owed: bytes | None = None

    async def ping(self, payload: bytes) -> None:
        self._owed = payload

    async def send(self, frame: Frame) -> None:
        await self._pay()
        await super().send(frame)

    async def more(self) -> None:
        await self._pay()
        await super().more()

    async def _pay(self) -> None:
        if self._owed is not None:
            owed, self._owed = self._owed, None
            await super().send(Frame(PONG, owed))


@habit
class honest_other_heads(Honest):
    """Its heads have other cases, another order, more fields and another phrase (RFC 2616 §4.2, §6.1.1)."""

    status = "101 Web Socket Protocol Handshake"

    def acceptance(self, request: Request) -> Fields:
        fields = [(name.lower(), value) for name, value in reversed(super().acceptance(request))]
        other = {"upgrade": "WebSocket", "connection": "keep-alive, upgrade"}
        fields = [(name, other.get(name, value)) for name, value in fields]
        return [("DATE", "Mon, 23 Nov 2026 00:00:00 GMT"), *fields, ("Server", "by hand"), ("X-Empty", "")]

    def answer(self, status: str, fields: Fields) -> bytes:
        return super().answer(status, fields).replace(b": ", b":", 2)


@habit
class honest_hints(Honest):
    """Two interim answers go before the 101, which a client of HTTP/1.1 can read (RFC 9110 §15.2)."""

    async def accept(self, request: Request) -> None:
        await self.write(self.answer("100 Continue", []) + self.answer("103 Early Hints", [("Link", "</style.css>")]))
        await super().accept(request)


@habit
class honest_octets(Honest):
    """The first octets of what it sends go out one by one."""

    async def write(self, data: bytes) -> None:
        for at in range(min(len(data), 40)):
            await super().write(data[at : at + 1])
            await asyncio.sleep(0)
        if len(data) > 40:
            await super().write(data[40:])


@habit
class honest_drops(Honest):
    """What is wrong is met with the FIN of TCP alone, in the opening handshake and later (§7.1.7, §10.7)."""

    async def refuse(self, refusal: Refusal, request: Request | None) -> None:
        told = [each for each in refusal.fields if each[0] == "Sec-WebSocket-Version"]
        if told or refusal.status.startswith(("404", "426")):  # these have a MUST of their own (§4.2.2, §4.4)
            await super().refuse(refusal, request)
        else:
            await self.end()

    async def fail(self, fault: Fault) -> None:
        await self.end()


@habit
class honest_resets(Honest):
    """A bad frame is met with a RST and no Close (§7.1.1: "via any means available when necessary")."""

    async def fail(self, fault: Fault) -> None:
        self.reset()


@habit
class honest_terse(Honest):
    """Its Close frames say no more than they must: no reason, and no code in answer to the client's (§5.5.1)."""

    async def answer_close(self, body: bytes) -> None:
        await self.send(Frame(CLOSE))

    async def fail(self, fault: Fault) -> None:
        await super().fail(Fault(fault.name, fault.code, ""))


@habit
class honest_normal(Honest):
    """It answers each Close by 1000, and calls a message that is too big a breach of its policy (§7.4.1)."""

    async def answer_close(self, body: bytes) -> None:
        await self.send(Frame(CLOSE, b"\x03\xe8bye"))

    async def fail(self, fault: Fault) -> None:
        await super().fail(Fault(fault.name, 1008 if fault.code == 1009 else fault.code, fault.why))


class _Whole(codecs.IncrementalDecoder):
    def __init__(self) -> None:
        super().__init__()
        self._all = b""

    def decode(self, data: bytes, final: bool = False) -> str:  # type: ignore[override]
        self._all += data
        return self._all.decode() if final else ""


@habit
class honest_lenient(Honest):
    """It takes lengths in any form, and looks at a text when it is whole: no reaction is prescribed (§5.2, §8.1)."""

    unchecked = frozenset({"form"})

    def new_decoder(self) -> codecs.IncrementalDecoder:
        return _Whole()


@habit
class honest_any_path(Honest):
    """It offers its service under every name (§4.2.2 step 4 /resource name/)."""

    unchecked = frozenset({"path"})


@habit
class honest_keys(Honest):
    """It takes keys of any length, for "it is not necessary for the server to base64-decode" them (§4.2.2 step 4)."""

    def overlooks(self, fault: str, request: Request) -> bool:
        key = (request.values("Sec-WebSocket-Key") or [""])[0]
        return fault == "key" and re.fullmatch(r"(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2,3}={1,2})?", key) is not None


@habit
class honest_keeps_http(Honest):
    """A handshake that is refused leaves the connection to HTTP, for another try."""

    async def opening(self) -> bool:
        while not await super().opening():
            if self.over:
                return False
        return True

    async def refuse(self, refusal: Refusal, request: Request | None) -> None:
        if request is None or request.version < (1, 1) or request.values("Content-Length"):
            await super().refuse(refusal, request)
            return
        body = f"{refusal.body}\n" if request.method != "HEAD" else ""
        fields = [*refusal.fields, ("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        await self.write(self.answer(refusal.status, fields) + body.encode("latin-1"))
