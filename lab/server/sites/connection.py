"""A connection of the WebSocket service: the library's, with an `Endpoint`, limits, and a word for the program."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection, broadcast
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Data

from lab.server.sites.endpoint import Endpoint
from lab.server.sites.pages import Visit
from lab.server.words import Word

CLOSE_WITHIN: Final = 30.0
"""Seconds that a client has to close its end once the server has closed its own."""
SEND_BUFFER: Final = 64 * 1024
"""SO_SNDBUF of a subscriber's connection (Linux doubles it). What may wait beyond that is the query's `backlog`."""
FLOOD: Final = 4 << 20
"""Octets of unasked answers (Pongs) that may wait for any client."""

_IN_A_ROW: Final = 64
_RESET: Final = struct.pack("@ii", 1, 0)


class Connection(ServerConnection):
    """One client's connection."""

    protocol: Endpoint
    word: Word | None = None
    """What the program knows of it, once it is open."""

    def __init__(self, protocol: ServerProtocol, server: Server, **options: Any) -> None:
        super().__init__(Endpoint(), server, **options)
        self._waits = False  # whether the program waits for a message
        self._ended = False  # whether the client's FIN came while its Close was not answered
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def visit(self) -> Visit:
        """What the client asked for, once it is open."""
        assert self.protocol.agreed is not None
        return self.protocol.agreed.visit

    @property
    def socket(self) -> socket.socket:
        """Its socket, for options."""
        found: socket.socket = self.transport.get_extra_info("socket")
        return found

    # What asyncio says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        super().connection_made(transport)
        # Small messages must not wait for the acknowledgement of others (RFC 9293 §3.7.4). asyncio does this by itself
        # only where it has made the listener.
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Some more octets have come."""
        super().data_received(data)
        self._answer_close()
        if self._deadline is None and (self.protocol.eof_sent or self.protocol.owes_close):
            # A client that never sends its FIN, or reads no answer, would hold the connection for ever.
            self._deadline = self.loop.call_later(CLOSE_WITHIN, self.transport.abort)
        if self.paused:
            self.transport.pause_reading()
        if self.transport.get_write_buffer_size() > FLOOD:
            self.drop("it sent Pings and did not read the Pongs")

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client's FIN has come. Where its Close is not answered yet, that comes first."""
        self._ended = self.protocol.owes_close
        if self._ended:
            return True
        super().eof_received()
        return None

    def _answer_close(self) -> None:
        """Answer the client's Close if the program waits for more, and has had all that came before it."""
        if self.word is None or not self._waits or not self.protocol.owes_close:
            return
        if self.protocol.whole > self.word.messages:
            return
        self.protocol.answer_close()
        self.send_data()
        if self._ended:
            self.transport.close()

    def pause_writing(self) -> None:
        """The client does not read what is sent to it, so it is not read from either: each Ping would be a Pong."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if not self.recv_messages.paused:
            self.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has gone, however it went."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(error)

    # What the library and the program do.

    async def handshake(self, *arguments: Any, **options: Any) -> None:
        """Read and answer the request; then read what has come behind it."""
        await super().handshake(*arguments, **options)
        if self.protocol.state is OPEN and not self.protocol.reader.eof:
            self.data_received(b"")

    async def recv(self, decode: bool | None = None) -> Data:  # type: ignore[override]
        """The next message.

        Raises websockets.exceptions.ConnectionClosed, also when as many have come as the query's `after` says.
        """
        word, numbers = self.word, self.visit.numbers
        assert word is not None
        if word.messages >= numbers.get("after", math.inf):
            await self.close(int(numbers["code"]), "that was the last")
            raise self.protocol.close_exc  # what came meanwhile is not looked at
        if word.messages % _IN_A_ROW == _IN_A_ROW - 1:
            await asyncio.sleep(0)  # whoever sends many at once must not keep the others waiting
        self._waits = True
        try:
            self._answer_close()
            message = await super().recv(decode)
        finally:
            self._waits = False
        word.messages += 1
        return message

    def publish(self, message: str | bytes) -> None:
        """Send a message without waiting: a client that does not read it in time is dropped, and delays nobody."""
        broadcast([self], message)
        if self.transport.get_write_buffer_size() > self.visit.numbers["backlog"]:
            self.drop("more waited for it than may wait for a subscriber")

    def subscribe(self) -> None:
        """Keep little in the kernel for this client, so that `backlog` says how far it may stay behind."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def drop(self, why: str) -> None:
        """Let go of the client with a RST: a Close would wait behind all that it does not read (RFC 6455 §7.1.1)."""
        if self.transport.is_closing():
            return
        if self.word is not None:
            self.word.dropped = why
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    async def watch(self) -> None:
        """Look whether the client is still there, as the query asks: by Pings (until cancelled), by TCP's probes."""
        numbers = self.visit.numbers
        if (idle := numbers.get("keepalive")) is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in (
                (socket.TCP_KEEPIDLE, int(idle)),
                (socket.TCP_KEEPINTVL, int(idle)),
                (socket.TCP_KEEPCNT, 2),
            ):
                self.socket.setsockopt(socket.IPPROTO_TCP, option, value)
        if (every := numbers.get("ping")) is None:
            return
        while True:
            await asyncio.sleep(every)
            try:
                async with asyncio.timeout(every):
                    await (await self.ping())
            except TimeoutError:
                self.drop(f"no Pong within {every:g} seconds")
