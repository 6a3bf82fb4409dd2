"""The honest stack by hand against the Linux kernel's own TCP, over a real veth pair."""

from __future__ import annotations

import base64
import errno
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from raw_bench import CLIENT, SERVER, Bench, BenchRefused, bench

FAMILIES = ("ipv4", "ipv6")


class Program:
    """The server's program: makes the calls of the control protocol, one after the other."""

    def __init__(self, channel: socket.socket) -> None:
        self.lines = channel.makefile("rwb")
        self.number = 0

    def __call__(self, call: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a call; an error of kind "os" raises OSError, any other AssertionError."""
        self.number += 1
        self.lines.write(json.dumps({"id": self.number, "call": call, **arguments}).encode() + b"\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        assert answer["id"] == self.number
        if "error" in answer:
            error = answer["error"]
            if error["kind"] == "os":
                raise OSError(getattr(errno, error["errno"]), error["message"])
            raise AssertionError(f"{error['kind']}: {error['message']}")
        return answer["ok"]

    def send(self, handle: int, data: bytes) -> None:
        self("send", socket=handle, data=base64.b64encode(data).decode(), timeout=5)

    def read_all(self, handle: int) -> bytes:
        """Everything up to the end of the stream."""
        got = b""
        while True:
            answer = self("receive", socket=handle, size=65536, timeout=5)
            got += base64.b64decode(answer["data"])
            if answer["end"]:
                return got

    def read(self, handle: int, size: int) -> bytes:
        got = b""
        while len(got) < size:
            got += base64.b64decode(self("receive", socket=handle, size=size - len(got), timeout=5)["data"])
        return got

    def state(self, family: str, port: int, client_port: int) -> str:
        return self("state", family=family, local=[SERVER[family], port], remote=[CLIENT[family], client_port])["state"]

    def comes_to(self, wanted: str, family: str, port: int, client_port: int) -> None:
        """Ask for the state until it is there."""
        deadline = time.monotonic() + 5
        while (state := self.state(family, port, client_port)) != wanted:
            assert time.monotonic() < deadline, f"still {state}"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Bench, Program]]:
    try:
        with bench("broken_servers:serve_honest") as made:
            program = Program(made.control)
            assert program("hello", version=1)["raw"] is True
            with program.lines:
                yield made, program
    except BenchRefused as refusal:
        pytest.skip(f"this machine allows no network namespaces: {refusal}")


@pytest.fixture
def program(running: tuple[Bench, Program]) -> Program:
    return running[1]


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def client(running: tuple[Bench, Program], family: str) -> Iterator[socket.socket]:
    with running[0].socket(family) as made:
        yield made


def opened(program: Program, client: socket.socket, family: str) -> tuple[int, int, int]:
    """The kernel connects: the server's socket, its port, the kernel's port."""
    listener = program("listen", family=family)
    client.connect((SERVER[family], listener["port"]))
    accepted = program("accept", socket=listener["socket"], timeout=5)
    own = client.getsockname()
    assert (accepted["address"], accepted["port"]) == (CLIENT[family], own[1])
    program("close", socket=listener["socket"])
    return accepted["socket"], listener["port"], own[1]


def test_kernel_calls_and_closes_first(program: Program, client: socket.socket, family: str) -> None:
    handle, port, own = opened(program, client, family)
    assert program.state(family, port, own) == "ESTABLISHED"
    client.sendall(b"there")
    assert program.read(handle, 5) == b"there"
    program.send(handle, b"and back")
    assert client.recv(100) == b"and back"

    client.shutdown(socket.SHUT_WR)
    assert program.read_all(handle) == b""
    assert program.state(family, port, own) == "CLOSE-WAIT"
    program.send(handle, b"still talking")
    assert client.recv(100) == b"still talking"
    program("close", socket=handle)
    assert client.recv(100) == b""
    program.comes_to("CLOSED", family, port, own)


def test_server_closes_first(program: Program, client: socket.socket, family: str) -> None:
    handle, port, own = opened(program, client, family)
    program("shutdown", socket=handle, how="write")
    assert client.recv(100) == b""
    program.comes_to("FIN-WAIT-2", family, port, own)
    client.sendall(b"half-closed")
    assert program.read(handle, 11) == b"half-closed"
    client.close()
    assert program.read_all(handle) == b""
    assert program.state(family, port, own) == "TIME-WAIT"


def test_server_calls(program: Program, client: socket.socket, family: str) -> None:
    client.bind((CLIENT[family], 0))
    client.listen()
    call = program("connect", family=family, address=CLIENT[family], port=client.getsockname()[1])
    accepted, address = client.accept()
    with accepted:
        assert address[:2] == (SERVER[family], call["port"])
        program("connected", socket=call["socket"], timeout=5)
        program.send(call["socket"], b"hello")
        assert accepted.recv(100) == b"hello"
        program("close", socket=call["socket"])
        assert accepted.recv(100) == b""


def test_closed_port_refuses(program: Program, client: socket.socket, family: str) -> None:
    port = program("closed_port", family=family)["port"]
    with pytest.raises(ConnectionRefusedError):
        client.connect((SERVER[family], port))


def test_kernel_refuses(program: Program, client: socket.socket, family: str) -> None:
    client.bind((CLIENT[family], 0))  # bound, not listening: nobody is there
    call = program("connect", family=family, address=CLIENT[family], port=client.getsockname()[1])
    with pytest.raises(ConnectionRefusedError):
        program("connected", socket=call["socket"], timeout=5)


def test_megabytes_both_ways(program: Program, client: socket.socket, family: str) -> None:
    """More than both windows hold, both ways at once: nothing lost, nothing twice, all in order."""
    handle, port, own = opened(program, client, family)
    there = b"".join(b"%07d\n" % n for n in range(100_000))
    back = there[::-1]
    got = bytearray()

    def read() -> None:
        while piece := client.recv(1 << 16):
            got.extend(piece)

    def write() -> None:
        client.sendall(there)
        client.shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=read), threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    for start in range(0, len(back), 200_000):
        program.send(handle, back[start : start + 200_000])
    received = program.read_all(handle)
    program("close", socket=handle)
    for thread in threads:
        thread.join(10)
    assert received == there
    assert bytes(got) == back
    program.comes_to("CLOSED", family, port, own)


def test_kernel_that_does_not_read_closes_its_window(program: Program, client: socket.socket, family: str) -> None:
    """The stack waits, asks now and then, and goes on when there is room again."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    handle, port, own = opened(program, client, family)
    data = bytes(range(256)) * 400
    program.send(handle, data)
    program("shutdown", socket=handle, how="write")
    time.sleep(0.5)  # the kernel's window is shut meanwhile: this is what is under test
    assert program.state(family, port, own) == "FIN-WAIT-1"
    got = bytearray()
    while piece := client.recv(1 << 16):
        got.extend(piece)
    assert bytes(got) == data
    program.comes_to("FIN-WAIT-2", family, port, own)


def test_unread_data_resets(program: Program, client: socket.socket, family: str) -> None:
    handle, port, own = opened(program, client, family)
    client.sendall(b"nobody reads this")
    program("ping")
    program("close", socket=handle)
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    assert program.state(family, port, own) == "CLOSED"


def test_data_for_a_closed_program_resets(program: Program, client: socket.socket, family: str) -> None:
    handle, port, own = opened(program, client, family)
    program("close", socket=handle)
    assert client.recv(100) == b""
    client.sendall(b"too late")
    program("ping")
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EPIPE  # a RST, as Linux says it in CLOSE-WAIT
    assert program.state(family, port, own) == "CLOSED"


def test_kernel_aborts(program: Program, client: socket.socket, family: str) -> None:
    handle, port, own = opened(program, client, family)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    with pytest.raises(ConnectionResetError):
        program("receive", socket=handle, size=1, timeout=5)
    assert program.state(family, port, own) == "CLOSED"


def test_program_aborts(program: Program, client: socket.socket, family: str) -> None:
    handle, port, own = opened(program, client, family)
    program("abort", socket=handle)
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    assert program.state(family, port, own) == "CLOSED"


def test_time_wait_gives_way_to_a_new_connection(
    running: tuple[Bench, Program], program: Program, client: socket.socket, family: str
) -> None:
    listener = program("listen", family=family)
    client.connect((SERVER[family], listener["port"]))
    own = client.getsockname()[1]
    first = program("accept", socket=listener["socket"], timeout=5)
    program("close", socket=first["socket"])
    assert client.recv(1) == b""
    client.close()
    program.comes_to("TIME-WAIT", family, listener["port"], own)
    with running[0].socket(family) as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind((CLIENT[family], own))
        again.connect((SERVER[family], listener["port"]))
        assert program.state(family, listener["port"], own) == "ESTABLISHED"
    program("close", socket=listener["socket"])
