"""A desk to try the servers of this folder at: each over loopback, with octets written down by hand.

Nothing here waits for time to pass. `settled` returns when the server has done all that it can do without another
octet: a segment over loopback has arrived when `send` returns, and the server's loop has turned often enough.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

TURNS = 12
"""Turns of the server's loop after which a server that only reads and writes is waiting for the client."""
PATIENCE = 20
"""Seconds after which a test has failed."""

ENOUGH = 1 << 19
"""Octets after which a server is taken to be one that never ends."""

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The key of RFC 6455 §1.3 and its proof."""

REQUEST = (
    b"GET /echo HTTP/1.1\r\n"
    b"Host: server.example.com\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"\r\n"
)


class Client:
    """One connection to a server, octet by octet."""

    def __init__(self, desk: Desk, sock: socket.socket) -> None:
        self._desk = desk
        self.sock = sock
        self.heard = b""
        self.end = ""
        """"fin" or "reset" when the server has said so; "endless" when it says more than can be listened to."""

    def send(self, *pieces: bytes) -> None:
        """Send each piece as a segment, and let the server settle after it."""
        for piece in pieces:
            try:
                self.sock.sendall(piece)
            except OSError:  # it is reset; what it said before can be read all the same
                return
            self._desk.settled()

    def finish(self) -> None:
        """Close this side."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return
        self._desk.settled()

    def hear(self) -> bytes:
        """All that is here now; `heard` and `end` keep it."""
        self.sock.setblocking(False)
        try:
            while more := self.sock.recv(1 << 20):
                self.heard += more
                if len(self.heard) > ENOUGH:
                    self.end = "endless"
                    return self.heard
                self._desk.settled()
            self.end = "fin"
        except BlockingIOError:
            pass
        except OSError:
            self.end = "reset"
        finally:
            self.sock.settimeout(PATIENCE)
        return self.heard

    def all(self) -> bytes:
        """All until the server's FIN or RST."""
        try:
            while more := self.sock.recv(1 << 20):
                self.heard += more
            self.end = "fin"
        except TimeoutError:
            raise
        except OSError:
            self.end = "reset"
        return self.heard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.sock.close()


class Desk:
    """Servers on loopback, in a thread of their own."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._ports: dict[Serve, int] = {}
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.raised: list[BaseException] = []
        """What a server let escape."""

    def port(self, serve: Serve) -> int:
        """Where that server listens."""
        if serve not in self._ports:
            self._ports[serve] = self._ask(self._listen(serve))
        return self._ports[serve]

    def call(self, serve: Serve) -> Client:
        """A new connection to that server."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        client = Client(self, socket.socket(family, socket.SOCK_STREAM))
        client.sock.settimeout(PATIENCE)
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(
            ConnectionResetError
        ):  # the handshake was through, and that server was quick; `hear` will find out
            client.sock.connect((self.host, self.port(serve)))
        self.settled()
        return client

    def serving(self) -> int:
        """Connections that a server has not done with."""
        return len(self._tasks)

    def settled(self) -> None:
        """Return when the server has done what it can."""
        self._ask(self._turns())

    async def _turns(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def _listen(self, serve: Serve) -> int:
        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await serve(reader, writer)
            except asyncio.CancelledError:  # by `_end`; asyncio 3.11 would log it
                pass
            except Exception as error:
                self.raised.append(error)
                writer.transport.abort()
            finally:
                self._tasks.discard(task)

        server = await asyncio.start_server(one, self.host, 0)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._turns()

    def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(question, self._loop).result(PATIENCE)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ask(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
