"""Servers that are no kernel, for the sandbox to run: `serve` functions."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from typing import Any

from lab.wire.link import Link


def reflect(channel: socket.socket, facts: dict[str, Any]) -> None:
    """Sends each frame back with its MAC addresses changed over; tells each line on the channel what it saw."""
    with Link.open(facts["server_interface"]) as link:
        channel.sendall(json.dumps({"interface": link.interface, "mac": link.mac.hex(":")}).encode() + b"\n")
        while True:
            for captured in link.wait(0.05):
                if not captured.outgoing:
                    link.send(captured.frame[6:12] + captured.frame[:6] + captured.frame[12:])
            try:
                if not channel.recv(1, socket.MSG_DONTWAIT):
                    return
            except BlockingIOError:
                continue


def stubborn(channel: socket.socket, facts: dict[str, Any]) -> None:
    """Ends for nobody: neither at the end of its channel nor at SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()


def hello(channel: socket.socket, facts: dict[str, Any]) -> None:
    """Speaks as much of the agent's protocol as says that it is no kernel."""
    with channel.makefile("rw") as lines:
        for line in lines:
            request = json.loads(line)
            answer = {"version": 1, "raw": True, "kernel": "", "addresses": facts["addresses"], "settings": {}}
            lines.write(json.dumps({"id": request["id"], "ok": answer if request["call"] == "hello" else {}}) + "\n")
            lines.flush()


async def shouting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A program for a kernel's WebSocket service, which is none: what it reads, in capitals. Falls over a question."""
    while data := await reader.read(100):
        if b"?" in data:
            raise ValueError("no question was expected")
        writer.write(data.upper())
        await writer.drain()
