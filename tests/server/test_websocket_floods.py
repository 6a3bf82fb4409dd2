"""What clients may do to the WebSocket service: it stays, says nothing on standard error, and does not grow."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import everything, exactly, frame, head, opened, request
from processes import Serving, serving

SERVE = """
import json, resource, sys
from lab.server.serve import serve
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
def ready(serving):
    print(json.dumps(dict(serving.services)), flush=True)
serve({"websocket": 0}, on_ready=ready)
"""
ABORT = struct.pack("@ii", 1, 0)


class Running:
    """The service in a process of its own, with few descriptors."""

    def __init__(self, served: Serving) -> None:
        self.process, self.end = served.process, served.end
        self.port: int = served.said["websocket"]

    def resident(self) -> int:
        """Octets of memory that it holds."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (line,) = (each for each in lines if each.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def works(self) -> None:
        """Whether it serves a well-behaved client."""
        with opened(self.port) as client:
            client.sendall(frame(0x81, b"well?") + frame(0x88, b"\x03\xe8"))
            exactly(client, b"\x81\x05well?")
            assert everything(client) in (b"\x88\x02\x03\xe8", b"")


@pytest.fixture
def running() -> Iterator[Running]:
    with serving(SERVE) as served:
        yield Running(served)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_a_close_to_every_client(running: Running, number: signal.Signals) -> None:
    with (
        opened(running.port, "/ticker?every=0.01") as follower,
        opened(running.port) as silent,
        socket.create_connection(("127.0.0.1", running.port)) as dumb,
    ):
        dumb.sendall(b"GET /")
        assert running.end(number) == (0, "")
        assert everything(silent) == b"\x88\x02\x03\xe9"  # 1001: going away
        assert everything(follower).endswith(b"\x88\x02\x03\xe9")


def test_more_clients_than_descriptors(running: Running) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", running.port), 10)) for _ in range(100)]
        clients[0].sendall(request())
        assert "101" in head(clients[0])[0]
    running.works()


def test_garbage_at_any_time(running: Running) -> None:
    draw = random.Random(3)
    good = [request(), frame(0x81, b"hello"), frame(0x01, b"a"), frame(0x80, b"b"), frame(0x89, b"?"), frame(0x88)]
    before = running.resident()
    for _ in range(400):
        octets = bytearray(b"".join(good[:1] + draw.choices(good[1:], k=draw.randint(0, 5))))
        for _ in range(draw.randint(0, 3)):
            octets[draw.randrange(len(octets))] = draw.randrange(256)
        octets += draw.randbytes(draw.choice((0, 0, 10, 1000)))
        with socket.create_connection(("127.0.0.1", running.port), 10) as client, contextlib.suppress(OSError):
            cut = draw.randint(0, len(octets))
            client.sendall(octets[:cut])
            client.sendall(octets[cut:])
            if draw.random() < 0.5:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            else:
                client.shutdown(socket.SHUT_WR)
                everything(client)
    running.works()
    assert running.resident() < before + (32 << 20)


@pytest.mark.parametrize("target", ["/chat/r", "/game/f", "/edit/d", "/ticker?every=0.01&pad=100", "/map?every=0.01"])
def test_subscribers_that_vanish(target: str, running: Running) -> None:
    with opened(running.port, target) as staying:
        for n in range(100):
            with opened(running.port, target) as client:
                if n % 2:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        running.works()
        staying.sendall(frame(0x81, b"{}") + frame(0x88, b"\x03\xe8"))
        assert everything(staying).endswith(b"\x88\x02\x03\xe8")


@pytest.mark.parametrize(
    ("first", "flood"),
    [
        (frame(0x01, b""), frame(0x00, b"") * 10_000),
        (frame(0x01, b""), frame(0x00, b"x") * 10_000),
        (b"", frame(0x8A, bytes(125)) * 1000),
        (b"", frame(0x89, b"") * 1000),
        (b"", frame(0x82, bytes(1000)) * 100),
        (b"\x82\xff\x3f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", bytes(100_000)),
        (frame(0x88), bytes(100_000)),
    ],
    ids=["empty fragments", "fragments", "pongs", "pings", "messages", "2^62 octets", "after the close"],
)
def test_floods_of_one_who_does_not_read(first: bytes, flood: bytes, running: Running) -> None:
    before = running.resident()
    with opened(running.port) as client:
        client.settimeout(0.3)
        with contextlib.suppress(TimeoutError, ConnectionError):
            client.sendall(first)
            for _ in range(200):
                client.sendall(flood)
        running.works()
        assert running.resident() < before + (48 << 20)
