"""The WebSocket service: `lab.server.sites` on one port, served with the `websockets` library.

Imported only where the service is asked for: the library takes tens of milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from websockets.asyncio.server import Server, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from lab.server.sites.chat import Chat
from lab.server.sites.connection import CLOSE_WITHIN, Connection
from lab.server.sites.echo import echo
from lab.server.sites.edit import Documents
from lab.server.sites.endpoint import MAX_SIZE, QUIET
from lab.server.sites.feeds import Feeds
from lab.server.sites.game import Game
from lab.server.words import Words

OPEN_WITHIN: Final = 60.0
"""Seconds that a client has for its request."""
GOING: Final = 1.0
"""Seconds that clients have to answer the Close with which the service ends."""

Handler = Callable[[Connection], Awaitable[None]]
_NO_DESCRIPTOR: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class WebSockets:
    """The service, on listeners that it is given, in the running event loop."""

    def __init__(self, listeners: list[socket.socket], words: Words) -> None:
        """Serves at once, and owns the listeners."""
        self._words = words
        feeds = Feeds()
        self._handlers: Mapping[str, Handler] = {
            "echo": echo,
            "members": echo,
            "chat": Chat().serve,
            "game": Game().serve,
            "edit": Documents().serve,
            "ticker": feeds.serve,
            "score": feeds.serve,
            "map": feeds.serve,
        }
        self._servers: list[Server] = []
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_without_descriptors)
        self._starting = loop.create_task(self._start(listeners))

    async def _start(self, listeners: list[socket.socket]) -> None:
        for listener in listeners:
            self._servers.append(
                await serve(
                    self._serve,
                    sock=listener,
                    create_connection=self._connection,  # type: ignore[arg-type]
                    compression=None,
                    open_timeout=OPEN_WITHIN,
                    ping_interval=None,
                    close_timeout=CLOSE_WITHIN,
                    max_size=MAX_SIZE,
                    server_header=None,
                    logger=QUIET,
                )
            )

    def _connection(self, *arguments: Any, **options: Any) -> Connection:
        connection = Connection(*arguments, **options)
        self._connections.add(connection)
        return connection

    async def _serve(self, connection: Any) -> None:
        """One client, from the 101 to the end of its connection."""
        assert isinstance(connection, Connection)
        word = connection.word = self._words.begin(connection.remote_address[:2], connection.visit.target)
        watch = asyncio.get_running_loop().create_task(connection.watch())
        code = CloseCode.NORMAL_CLOSURE
        try:
            with contextlib.suppress(ConnectionClosed):
                await self._handlers[connection.visit.page.path](connection)
        except Exception:
            code = CloseCode.INTERNAL_ERROR
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await connection.close(code)
            self._words.end(word, connection.close_code or CloseCode.ABNORMAL_CLOSURE, connection.close_reason or "")

    async def close(self, within: float = GOING) -> None:
        """Stop listening, send every client a Close (1001), and let go of those that have not closed `within` s."""
        await self._starting
        for server in self._servers:
            server.close()
        gone = [asyncio.ensure_future(server.wait_closed()) for server in self._servers]
        if gone:
            _, late = await asyncio.wait(gone, timeout=within)
            if late:
                for connection in list(self._connections):
                    connection.transport.abort()  # does nothing where it has gone
                await asyncio.wait(late)


def _without_descriptors(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """asyncio waits a second and goes on accepting when no descriptor is left: that needs no traceback."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in _NO_DESCRIPTOR:
        return
    loop.default_exception_handler(context)
