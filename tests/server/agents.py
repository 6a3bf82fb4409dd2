"""Agents for tests: over a socketpair in a thread, or over TCP on loopback in a thread with its event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

from lab.server.agent import Listening, run_on
from lab.server.client import Agent

LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}
TOKEN = "a token for tests"


@contextlib.contextmanager
def over_socketpair() -> Iterator[Agent]:
    """An agent of this process's own network namespace, and its controller."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=run_on, args=(theirs, dict(LOOPBACK)))
    thread.start()
    try:
        with Agent(ours) as agent:
            yield agent
    finally:
        thread.join(10)
        assert not thread.is_alive(), "the agent did not end with its controller"


@contextlib.contextmanager
def over_tcp(token: str = TOKEN) -> Iterator[int]:
    """An agent on a port of loopback; gives the port."""
    ready: threading.Event = threading.Event()
    ports: list[int] = []
    loop = asyncio.new_event_loop()
    enough = asyncio.Event()

    async def serve() -> None:
        listening = Listening(token=token)
        ports.append(await listening.start("127.0.0.1", 0))
        ready.set()
        await enough.wait()
        await listening.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(10)
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(enough.set)
        thread.join(10)
        assert not thread.is_alive(), "the agent did not end when told to"
