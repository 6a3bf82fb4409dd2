"""The services that need no telling, and `serve`, as a client of them sees them."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import agents
import pytest
from processes import Serving, serving

from lab.server import health
from lab.server.client import Agent
from lab.server.errors import ServeError
from lab.server.serve import serve
from lab.server.sock_diag import SockDiag
from lab.tcp.state import State

SERVE = """
import json, sys
from lab.server.serve import serve
def ready(serving):
    print(json.dumps([dict(serving.services), serving.control]), flush=True)
names = ("echo", "discard", "half-close", "close-first")
serve(dict.fromkeys(names, 0), control=("127.0.0.1", 0), token="a token for tests", on_ready=ready)
"""


class Served:
    """`serve` in a process of its own."""

    def __init__(self, served: Serving) -> None:
        self.process, self.end = served.process, served.end
        self.ports, (_, self.control) = served.said


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(SERVE) as one:
        yield Served(one)


def everything(client: socket.socket) -> bytes:
    heard = b""
    while more := client.recv(65536):
        heard += more
    return heard


@pytest.mark.parametrize("host", agents.LOOPBACK.values())
def test_echo_sends_back_and_closes_when_the_client_has(served: Served, host: str) -> None:
    with socket.create_connection((host, served.ports["echo"]), 10) as client:
        said = os.urandom(300_000)
        client.sendall(said[:7])
        assert client.recv(7, socket.MSG_WAITALL) == said[:7]
        client.sendall(said[7:])
        client.shutdown(socket.SHUT_WR)
        assert everything(client) == said[7:]


def test_discard_says_nothing(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.ports["discard"]), 10) as client:
        client.sendall(bytes(1_000_000))
        client.shutdown(socket.SHUT_WR)
        assert everything(client) == b""


def test_half_close_goes_on_sending_after_the_clients_fin(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.ports["half-close"]), 10) as client:
        client.sendall(b"12345")
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(10)
        client.shutdown(socket.SHUT_WR)
        lines = everything(client).decode().splitlines()
    assert lines == [f"half-close read 5 octets; line {n} of 3, sent after your FIN." for n in (1, 2, 3)]


def test_close_first_ends_in_time_wait(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.ports["close-first"]), 10) as client:
        own, port = client.getsockname()[1], served.ports["close-first"]
        client.sendall(b"not asked for")
        assert everything(client) == b"Hello from close-first: I close now.\n"
    with SockDiag() as diag:
        assert diag.state("ipv4", ("127.0.0.1", port), ("127.0.0.1", own)) == State.TIME_WAIT


def test_a_client_that_resets_is_no_news(served: Served) -> None:
    for name, port in served.ports.items():
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(name.encode())
    with socket.create_connection(("127.0.0.1", served.ports["echo"]), 10) as client:
        client.sendall(b"still there")
        assert client.recv(100) == b"still there"
    assert served.end(signal.SIGTERM) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_clean_with_clients_in_the_middle(served: Served, number: signal.Signals) -> None:
    with (
        socket.create_connection(("127.0.0.1", served.ports["echo"]), 10) as one,
        socket.create_connection(("127.0.0.1", served.ports["half-close"]), 10) as two,
        Agent.connect("127.0.0.1", served.control, agents.TOKEN) as agent,
    ):
        one.sendall(b"x")
        assert one.recv(1) == b"x"
        two.sendall(b"x")
        agent.listen("ipv4")
        assert served.end(number) == (0, "")
        assert not agent.alive


def test_the_agent_beside_them_knows_their_ports(served: Served) -> None:
    with Agent.connect("127.0.0.1", served.control, agents.TOKEN) as agent:
        assert agent.services() == served.ports
        assert agent.addresses["ipv4"] == "127.0.0.1"


def test_health(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    echo, control = str(served.ports["echo"]), str(served.control)
    assert health.main(["--echo", echo, "--control", control]) == 0
    assert capsys.readouterr().out == "well\n"
    assert health.main(["--echo", str(served.ports["discard"])]) == 1
    assert "does not echo" in capsys.readouterr().err
    assert health.main(["--echo", echo, "--control", echo]) == 1
    assert "no agent of the lab" in capsys.readouterr().err
    served.end(signal.SIGTERM)
    assert health.main(["--echo", echo]) == 1
    assert "not well: the echo service" in capsys.readouterr().err


def test_what_cannot_be_served_is_said_in_a_sentence() -> None:
    with pytest.raises(ServeError, match="no service 'chargen'"):
        serve({"chargen": 0})
    with pytest.raises(ServeError, match="needs a token"):
        serve({}, control=("127.0.0.1", 0))
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=r"cannot have port \d+: .*Does it run already\?"):
            serve({"echo": 0, "discard": port})
        with pytest.raises(ServeError, match="cannot listen"):
            serve({}, control=("127.0.0.1", port), token="x")
