"""The `websockets` library's asyncio client, over the kernel's own TCP: what the client by hand stands beside."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

from lab.bench.talk import expected, is_right

PATIENCE: Final = 5.0
"""Seconds without a word of the server's after which there is no result."""


def run(where: tuple[str, int], family: str, *, ahead: int, seconds: float) -> dict[str, Any]:
    """One turn over one connection: `{"messages", "seconds", "remote"}`. Raises what the library and asyncio raise."""
    return asyncio.run(_turn(where, family, ahead, seconds))


def without_proxies() -> None:
    """The library would ask the environment for a proxy; the server is on the next interface."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]


async def _turn(where: tuple[str, int], family: str, ahead: int, seconds: float) -> dict[str, Any]:
    host = f"[{where[0]}]" if family == "ipv6" else where[0]
    # As bare as the client by hand: no compression, no Pings of its own.
    async with connect(f"ws://{host}:{where[1]}/echo", compression=None, ping_interval=None) as connection:
        raw: socket.socket = connection.transport.get_extra_info("socket")
        remote = raw.getsockname()[:2]
        count, took = await _talk(connection, ahead, seconds)
    return {"messages": count, "seconds": took, "remote": remote}


async def _talk(connection: ClientConnection, ahead: int, seconds: float) -> tuple[int, float]:
    """`lab.bench.talk.talk`, with this library's calls."""
    sent = came = 0
    began = time.perf_counter()
    end = began + seconds
    while True:
        while sent - came < ahead and (not sent or time.perf_counter() < end):
            await connection.send(expected(sent))
            sent += 1
        if came == sent:
            return came, time.perf_counter() - began
        is_right(await asyncio.wait_for(connection.recv(), PATIENCE), came)
        came += 1
