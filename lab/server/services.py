"""Services that need no telling: what a server of each kind does, for clients that cannot speak to the agent.

| service       | what it does                                                                        |
|---------------|-------------------------------------------------------------------------------------|
| `echo`        | sends back what it reads; closes when the client has                                 |
| `discard`     | reads and says nothing; closes when the client has                                   |
| `half-close`  | reads until the client's FIN, then goes on sending, then closes                      |
| `close-first` | sends a greeting and closes first: its end goes through FIN-WAIT-1, -2 and TIME-WAIT |
| `websocket`   | WebSocket (RFC 6455): the resources of `lab.server.sites.pages`                        |
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab.server import options
from lab.server.words import Words

if TYPE_CHECKING:
    from lab.server.websocket import WebSockets

GREETING: Final = b"Hello from close-first: I close now.\n"
"""What close-first sends."""
REPORT: Final = b"half-close read %d octets; line %d of 3, sent after your FIN.\n"
"""What half-close sends, three times, when it has seen the client's FIN."""
LINGER: Final = 60.0
"""Seconds that close-first waits for the client's FIN before it lets the connection go."""
PAUSE: Final = 1.0
"""Seconds without accepting after the kernel had no descriptor left."""
PORTS: Final[Mapping[str, int]] = {
    "echo": 7007,
    "discard": 7009,
    "half-close": 7010,
    "close-first": 7011,
    "websocket": 7080,
}
"""The ports on which `lab serve` offers them, none of which needs a right."""

_CHUNK: Final = 65536
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()


async def _discard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(_CHUNK):
        pass


async def _half_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    size = 0
    while data := await reader.read(_CHUNK):
        size += len(data)
    for line in (1, 2, 3):
        writer.write(REPORT % (size, line))
        await writer.drain()


async def _close_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(GREETING)
    writer.write_eof()
    # close() with octets unread would send a RST (RFC 9293 §3.10.4); so what still comes is read to its end.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while await reader.read(_CHUNK):
                pass


HANDLERS: Final[Mapping[str, Handler]] = {
    "echo": _echo,
    "discard": _discard,
    "half-close": _half_close,
    "close-first": _close_first,
}
MOST_FAULTS: Final = 5
WEBSOCKET: Final = "websocket"
"""The service that is no `Handler`: `lab.server.websocket`."""
NAMES: Final = (*HANDLERS, WEBSOCKET)
"""Every service."""


def _contained(program: Handler, faults: list[str]) -> Handler:
    """A program of the user's, whose faults cost its connection and nothing else; the first are kept, to be told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await program(reader, writer)
        except OSError:
            writer.transport.abort()  # the client is gone: no fault of the program's
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if len(faults) < MOST_FAULTS:
                faults.append(_fault(error))
            writer.transport.abort()

    return serve


def _fault(error: BaseException) -> str:
    """What was raised, and where: "ValueError: oops (mine.py:28)"."""
    places = traceback.extract_tb(error.__traceback__)
    text = "".join(c if c.isprintable() else "?" for c in str(error)[:200])
    where = f" ({Path(places[-1].filename).name}:{places[-1].lineno})" if places else ""
    return f"{type(error).__name__}: {text}{where}"


def listening(family: socket.AddressFamily, host: str, port: int, backlog: int = 128) -> socket.socket:
    """A listening socket of one family. Port 0: the kernel chooses. Raises OSError."""
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        options.urgent_inline(listener)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def everywhere(port: int) -> list[socket.socket]:
    """Listening sockets on one port for IPv4 and, where the kernel has it, IPv6. Raises OSError: the port is taken."""
    first = listening(socket.AF_INET, "0.0.0.0", port)
    try:
        return [first, listening(socket.AF_INET6, "::", first.getsockname()[1])]
    except OSError as error:
        if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return [first]
        first.close()
        raise


class PortError(OSError):
    """A service cannot have its port."""

    def __init__(self, error: OSError, service: str, port: int) -> None:
        super().__init__(error.errno, error.strerror)
        self.service = service
        self.port = port


class Services:
    """The services, running in the caller's event loop from `start` to `close`."""

    def __init__(self, ports: Mapping[str, int] | None = None, *, websocket: Handler | None = None) -> None:
        """`ports` says which services, and where; None: all of them, on ports that the kernel chooses.

        `websocket` serves the connections of that service in place of the lab's own program.
        """
        self._wanted = dict.fromkeys(NAMES, 0) if ports is None else dict(ports)
        self._handlers = dict(HANDLERS)
        self.faults: list[str] = []
        """What a program of the user's raised, the first MOST_FAULTS of it."""
        if websocket is not None:
            self._handlers[WEBSOCKET] = _contained(websocket, self.faults)
        self.words: Words | None = None if websocket is not None else Words()
        """What the lab's own program was told about its WebSocket connections; another's says nothing."""
        self._websockets: WebSockets | None = None
        self._ports: dict[str, int] = {}
        self._listeners: list[tuple[asyncio.AbstractEventLoop, socket.socket]] = []
        self._connections: set[asyncio.Task[None]] = set()

    def start(self) -> dict[str, int]:
        """Start those that do not run yet; returns the port of each. Raises PortError where one cannot be had."""
        loop = asyncio.get_running_loop()
        for name, port in self._wanted.items():
            if name in self._ports:
                continue
            try:
                listeners = everywhere(port)
            except OSError as error:
                raise PortError(error, name, port) from error
            self._ports[name] = listeners[0].getsockname()[1]
            handler = self._handlers.get(name)
            if handler is None:
                self._start_websockets(listeners)
                continue
            for listener in listeners:
                self._listeners.append((loop, listener))
                loop.add_reader(listener, self._accept, listener, handler)
        return dict(self._ports)

    def _start_websockets(self, listeners: list[socket.socket]) -> None:
        from lab.server.websocket import WebSockets

        assert self.words is not None
        self._websockets = WebSockets(listeners, self.words)

    def _accept(self, listener: socket.socket, handler: Handler) -> None:
        try:
            accepted, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            # No descriptor left: asking again at once would only keep the processor busy.
            loop = asyncio.get_running_loop()
            loop.remove_reader(listener)
            loop.call_later(PAUSE, self._resume, listener, handler)
            return
        task = asyncio.get_running_loop().create_task(_serve(accepted, handler))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    def _resume(self, listener: socket.socket, handler: Handler) -> None:
        if listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener, handler)

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        for loop, listener in self._listeners:
            loop.remove_reader(listener)
            listener.close()
        self._listeners.clear()
        self._ports.clear()
        connections = list(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        if self._websockets is not None:
            await self._websockets.close()
            self._websockets = None


async def _serve(accepted: socket.socket, handler: Handler) -> None:
    accepted.setblocking(False)
    try:
        reader, writer = await asyncio.open_connection(sock=accepted)
    except OSError:
        accepted.close()
        return
    # The client may reset the connection at any time: that is its right, and no news.
    with contextlib.suppress(OSError):
        try:
            await handler(reader, writer)
        except BaseException:
            writer.transport.abort()
            raise
        finally:
            writer.close()
        await writer.wait_closed()
