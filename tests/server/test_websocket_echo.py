"""The WebSocket service as a client sees it octet by octet, and what its program says of it."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from clients import everything, exactly, frame, opened
from websockets.asyncio.client import connect

from lab.server.client import Agent, AgentError
from lab.server.sock_diag import SockDiag
from lab.tcp.state import State


def told(served: Agent, client: socket.socket) -> tuple[bool, int | None, str, int]:
    program = served.program("ipv4", client.getsockname()[:2])
    return program.open, program.code, program.reason, program.messages


def test_the_first_frame_and_the_close_of_the_rfc(served: Agent, port: int) -> None:
    with opened(port) as client:
        # §5.7: "Hello", masked with 37 fa 21 3d; and as a server sends it.
        client.sendall(bytes.fromhex("818537fa213d7f9f4d5158"))
        exactly(client, bytes.fromhex("810548656c6c6f"))
        assert served.program("ipv4", client.getsockname()[:2], timeout=0).open
        client.sendall(frame(0x88, b"\x03\xe8bye"))
        exactly(client, b"\x88\x05\x03\xe8bye")
        assert client.recv(1) == b""  # the server closes TCP first
        own = client.getsockname()[1]
        client.shutdown(socket.SHUT_WR)
        assert told(served, client) == (False, 1000, "bye", 1)
    with SockDiag() as diag:
        assert diag.state("ipv4", ("127.0.0.1", port), ("127.0.0.1", own)) == State.TIME_WAIT


def test_any_client_over_either_family(port: int) -> None:
    async def converse(host: str) -> None:
        async with connect(f"ws://{host}:{port}/echo", compression="deflate") as client:
            assert not client.protocol.extensions  # the deflate that it offers is declined
            for message in ("", "héllo", b"\x00\xff", "a" * 125, "b" * 126, b"c" * 65535, b"d" * 65536, "e" * 1048576):
                await client.send(message)
                assert await client.recv() == message
            await client.send(["in ", "three ", "frames"])
            assert await client.recv() == "in three frames"
            await (await client.ping(b"?"))

    for host in ("127.0.0.1", "[::1]"):
        asyncio.run(converse(host))


@pytest.mark.parametrize("data", [b"", b"\x88\x80\x00\x00\x00\x00"], ids=["fin", "close"])
def test_a_connection_without_a_code(data: bytes, served: Agent, port: int) -> None:
    with opened(port) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert everything(client) == data[:1] + data[1:2].replace(b"\x80", b"\x00")
        assert told(served, client) == (False, 1005 if data else 1006, "", 0)


def test_a_reset_is_1006(served: Agent, port: int) -> None:
    with opened(port) as client:
        client.sendall(frame(0x81, b"x"))
        exactly(client, b"\x81\x01x")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
        remote = client.getsockname()[:2]
    program = served.program("ipv4", remote)
    assert (program.code, program.messages, program.path, program.dropped) == (1006, 1, "/echo", "")


def test_the_program_is_asked_before_the_connection_ends(served: Agent, port: int) -> None:
    with opened(port) as client:
        remote = list(client.getsockname()[:2])
        asked = served.begin("program", 30, family="ipv4", remote=remote, timeout=30)
        served.ping()
        client.sendall(frame(0x88, b"\x0b\xb8"))
        client.shutdown(socket.SHUT_WR)
        assert asked.result()["code"] == 3000


def test_the_program_of_no_connection(served: Agent, port: int) -> None:
    with pytest.raises(
        AgentError, match=r"no WebSocket connection from 127\.0\.0\.1 port 1", check=lambda e: e.kind == "timeout"
    ):
        served.program("ipv4", ("127.0.0.1", 1), timeout=0.01)
    with pytest.raises(AgentError, match="of the family"):
        served.program("ipv6", ("127.0.0.1", 1), timeout=0)


def test_a_controller_that_goes_while_it_waits(port: int, served: Agent) -> None:
    served.begin("program", 30, family="ipv4", remote=["127.0.0.1", 1], timeout=30)


def test_small_messages_do_not_wait(port: int) -> None:
    with opened(port) as client:
        # Three in one segment: with Nagle's algorithm the second answer would wait for our delayed ACK, some 40 ms.
        client.sendall(b"".join(frame(0x81, b"%d" % n) for n in range(3)))
        exactly(client, b"\x81\x010\x81\x011\x81\x012")
