"""The agent's control port: who is obeyed, what garbage does, and what is left when a controller vanishes."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import agents
import pytest

from lab.server import control
from lab.server.client import Agent, AgentError, AgentGone


@pytest.fixture
def port() -> Iterator[int]:
    with agents.over_tcp() as opened:
        yield opened


def said_to(port: int, data: bytes, *, end: bool = False) -> list[dict[str, Any]]:
    """What the agent answers before it closes the connection."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(data)
        if end:
            client.shutdown(socket.SHUT_WR)
        try:
            while more := client.recv(65536):
                heard += more
        except ConnectionResetError:  # it closed with some of our garbage unread
            pass
    return [json.loads(line) for line in heard.splitlines()]


HELLO = b'{"id":1,"call":"hello","version":1,"token":"a token for tests"}\n'


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "malformed"),
        (b"\n", "malformed"),
        (bytes(range(256)) + b"\n", "malformed"),
        (b"x" * 5000, "malformed"),
        (b"[" * 4000 + b"\n", "malformed"),
        (b'{"id":1,"call":"ping"}\n', "malformed"),
        (b'{"id":1,"call":"listen","family":"ipv4"}\n' + HELLO, "malformed"),
        (b'{"id":1,"call":"hello","version":2,"token":"a token for tests"}\n', "version"),
        (b'{"id":1,"call":"hello","version":true,"token":"a token for tests"}\n', "version"),
        (b'{"id":1,"call":"hello","version":1}\n', "token"),
        (b'{"id":1,"call":"hello","version":1,"token":""}\n', "token"),
        (b'{"id":1,"call":"hello","version":1,"token":7}\n', "token"),
        (b'{"id":1,"call":"hello","version":1,"token":"a token for testz"}\n', "token"),
        (b'{"id":1,"call":"hello","version":1,"token":"\\ud800"}\n', "token"),
        (b'{"id":1,"call":"hello","version":1,"token":"a token for tests","x":1}\n', "argument"),
    ],
)
def test_who_does_not_say_hello_properly_gets_one_error_and_is_sent_away(port: int, data: bytes, kind: str) -> None:
    answers = said_to(port, data)
    assert [answer["error"]["kind"] for answer in answers] == [kind]
    assert answers[0]["error"]["message"]
    with Agent.connect("127.0.0.1", port, agents.TOKEN) as agent:  # and the agent lives on
        agent.ping()


def test_garbage_after_hello_ends_the_connection_too(port: int) -> None:
    answers = said_to(port, HELLO + b'{"id":2,"call":"ping"}\n\x00\xff garbage\n{"id":3,"call":"ping"}\n')
    assert answers[0]["ok"]["version"] == 1
    assert answers[1] == {"id": 2, "ok": {}}
    assert answers[2]["error"]["kind"] == "malformed"
    assert len(answers) == 3


def test_a_line_without_end_is_refused_at_one_mebibyte(port: int) -> None:
    answers = said_to(port, HELLO + b" " * ((1 << 20) + 1))
    assert answers[1]["error"]["kind"] == "malformed"


def test_a_line_may_come_in_pieces(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in HELLO:
            client.sendall(bytes([octet]))
        assert b'"version":1' in client.recv(65536)


def test_random_octets_never_harm_it(port: int) -> None:
    for size in (1, 10, 100, 1000, 10_000, 100_000):
        answers = said_to(port, os.urandom(size) + b"\n")
        assert all(answer["error"]["kind"] == "malformed" for answer in answers)
    with Agent.connect("127.0.0.1", port, agents.TOKEN) as agent:
        agent.ping()


def test_who_goes_without_a_word_gets_none(port: int) -> None:
    assert said_to(port, b"", end=True) == []
    assert said_to(port, b'{"id":1,"call":"hel', end=True) == []


def test_who_says_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "HELLO_WITHIN", 0.1)
    with agents.over_tcp() as port:
        assert said_to(port, b"")[0]["error"]["kind"] == "token"


def test_the_client_says_what_was_wrong(port: int) -> None:
    with pytest.raises(AgentError) as caught:
        Agent.connect("127.0.0.1", port, "wrong")
    assert caught.value.kind == "token"
    with pytest.raises(AgentError) as caught:
        Agent.connect("127.0.0.1", port)
    assert caught.value.kind == "token"


def test_where_no_agent_is_the_client_says_so() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(AgentGone, match="lab serve"):
            Agent.connect("127.0.0.1", bound.getsockname()[1], "x")


def test_a_vanished_controller_loses_what_it_had_opened(port: int) -> None:
    with Agent.connect("127.0.0.1", port, agents.TOKEN) as other:
        gone = Agent.connect("127.0.0.1", port, agents.TOKEN)
        listener, listening = gone.listen("ipv4")
        reserved = gone.closed_port("ipv4")
        with socket.create_connection(("127.0.0.1", listening), 10) as client:
            accepted = gone.accept(listener)
            pending = gone.begin("receive", 30, socket=accepted.socket, size=1, timeout=30)
            gone._socket.close()  # as if it had been killed
            del pending
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        other.ping()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", listening), 10).close()
        other.listen("ipv4", reserved)


def test_controllers_have_nothing_of_each_others(port: int) -> None:
    with (
        Agent.connect("127.0.0.1", port, agents.TOKEN) as one,
        Agent.connect("127.0.0.1", port, agents.TOKEN) as two,
    ):
        listener, _ = one.listen("ipv4")
        with pytest.raises(AgentError) as caught:
            two.accept(listener, timeout=0)
        assert caught.value.kind == "argument"


def test_a_controller_that_reads_no_answers_is_not_read_from(port: int) -> None:
    """Requests without end, no answer read: the agent stops taking them in, and serves others."""
    with socket.create_connection(("127.0.0.1", port), 10) as greedy:
        greedy.sendall(HELLO)
        greedy.settimeout(0.5)
        line = b'{"id":1,"call":"state","family":"ipv4","local":["127.0.0.1",1],"remote":["127.0.0.1",2]}\n' * 100
        with pytest.raises(TimeoutError):
            greedy.sendall(line * 10_000)
        with Agent.connect("127.0.0.1", port, agents.TOKEN) as agent:
            agent.ping()


def test_an_agent_without_a_token_does_not_listen() -> None:
    from lab.server.agent import Listening

    with pytest.raises(ValueError, match="token"):
        Listening(token="")
