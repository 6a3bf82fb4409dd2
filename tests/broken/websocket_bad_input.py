"""Servers that say what no client can use: garbage, heads without end, lengths that no machine has."""

from __future__ import annotations

import random

import websocket_frames as wire
from websocket_frames import BINARY, TEXT, Frame
from websocket_opening import Request
from websocket_raw import Honest
from websocket_registry import broken


class _NoServer(Honest):
    """Reads the request and says `words`, as often as it likes."""

    async def serve(self) -> None:
        await self.head()
        await self.speak()

    async def speak(self) -> None:
        pass


class _Opened(Honest):
    """A handshake as it should be, and then `speak`."""

    async def opened(self) -> None:
        await self.speak()

    async def speak(self) -> None:
        pass


@broken("4.2.2", "response", caught_by="exact_101")
class garbage_for_http(_NoServer):
    """Octets at random in place of a response, and the end."""

    async def speak(self) -> None:
        await self.write(random.Random(6455).randbytes(2000))
        await self.end()


@broken("4.2.2", "response", caught_by="exact_101")
class nulls_for_http(_NoServer):
    """Zeros in place of a response, without end."""

    async def speak(self) -> None:
        while True:
            await self.write(bytes(4096))


@broken("4.2.2", "response", caught_by="exact_101")
class endless_status_line(_NoServer):
    """A status line without end."""

    async def speak(self) -> None:
        await self.write(b"HTTP/1.1 101 ")
        while True:
            await self.write(b"Switching Protocols " * 200)


@broken("4.2.2", "response", caught_by="exact_101")
class endless_head(_NoServer):
    """A 101 whose header fields never end."""

    async def speak(self) -> None:
        await self.write(b"HTTP/1.1 101 Switching Protocols\r\n")
        while True:
            await self.write(b"X-Padding: and so on\r\n" * 200)


@broken("4.2.2", "response", caught_by="exact_101")
class endless_continue(_NoServer):
    """100 Continue, without end."""

    async def speak(self) -> None:
        while True:
            await self.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 200)


@broken("4.2.2", "status", caught_by="exact_101")
class huge_content_length(_NoServer):
    """A page of 10^15 octets, and it is being sent."""

    async def speak(self) -> None:
        await self.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\n")
        while True:
            await self.write(b"and so on " * 400)


@broken("4.2.2", "response", caught_by="exact_101")
class half_a_head(_NoServer):
    """A 101 that ends in the middle of its head."""

    async def speak(self) -> None:
        await self.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso")
        await self.end()


@broken("4.2.2", "silence", caught_by="exact_101")
class silent(_NoServer):
    """Not a word, until the client goes."""

    async def speak(self) -> None:
        while True:
            await self.more()
            self.buffer.clear()


@broken("4.2.2", "response", "end", "silence", caught_by="exact_101")
class resets_at_once(Honest):
    """A RST, before the client has said anything."""

    async def serve(self) -> None:
        self.reset()


@broken("4.2.2", "response", "end", "silence", caught_by="exact_101")
class closes_at_once(Honest):
    """A FIN, before the client has said anything."""

    async def serve(self) -> None:
        await self.end()


@broken("4.2.2", "response", "end", caught_by="exact_101")
class resets_at_request(_NoServer):
    """A RST in answer to the request."""

    async def speak(self) -> None:
        self.reset()


@broken("5.2", "RSV", caught_by="exact_101")
class garbage_for_frames(_Opened):
    """Octets at random behind the 101."""

    async def speak(self) -> None:
        await self.write(b"\xff" + random.Random(6455).randbytes(2000))


@broken("5.2", "length", caught_by="exact_101")
class frame_of_2_to_the_63(_Opened):
    """A frame that announces 2^63 octets."""

    async def speak(self) -> None:
        await self.write(wire.encode(Frame(BINARY, b"and so on", announced=1 << 63)))


@broken("10.4", "frame", "length", caught_by="exact_101")
class frame_of_2_to_the_62(_Opened):
    """A frame that announces 2^62 octets, which are being sent."""

    async def speak(self) -> None:
        await self.write(wire.encode(Frame(BINARY, announced=1 << 62)))
        while True:
            await self.write(b"and so on " * 400)


@broken("10.4", "opcode", "silence", caught_by="exact_101 nothing_before_the_101")
class message_without_end(_Opened):
    """A message of fragments without end."""

    async def speak(self) -> None:
        await self.write(wire.encode(Frame(TEXT, fin=False)))
        while True:
            await self.write(wire.encode(Frame(wire.CONTINUATION, b"and so on " * 400, fin=False)))


@broken("7.1.1", "payload", caught_by="exact_101")
class fin_in_a_frame(_Opened):
    """A FIN in the middle of a frame."""

    async def speak(self) -> None:
        await self.write(wire.encode(Frame(TEXT, b"half", announced=8)))
        await self.end()


@broken("7.1.1", "payload", "end", caught_by="text_and_binary")
class reset_in_a_frame(_Opened):
    """A RST in the middle of a frame."""

    async def speak(self) -> None:
        await self.write(wire.encode(Frame(TEXT, b"half", announced=8)))
        self.reset()


@broken("7.1.1", "opcode", "end", caught_by="text_and_binary")
class fin_without_close(Honest):
    """After the first message the server closes TCP without a Close frame."""

    async def message(self, kind: int, parts: list[bytes]) -> None:
        await super().message(kind, parts)
        await self.end()


@broken("4.2.2", "response", caught_by="exact_101")
class http_2(Honest):
    """The 101 calls itself HTTP/2."""

    async def accept(self, request: Request) -> None:
        head = self.answer(self.status, self.acceptance(request))
        await self.write(head.replace(b"HTTP/1.1", b"HTTP/2", 1))
