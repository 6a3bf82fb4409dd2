"""The kernel's word for a four-tuple, on connections over loopback whose state is known by other means."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lab.server.sock_diag import SockDiag
from lab.tcp.state import State

FAMILIES = {"ipv4": (socket.AF_INET, "127.0.0.1"), "ipv6": (socket.AF_INET6, "::1")}
ANYWHERE = {"ipv4": "0.0.0.0", "ipv6": "::"}


@pytest.fixture
def diag() -> Iterator[SockDiag]:
    with SockDiag() as opened:
        yield opened


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    try:
        with socket.socket(FAMILIES[name][0], socket.SOCK_STREAM) as trying:
            trying.bind((FAMILIES[name][1], 0))
    except OSError:
        pytest.skip(f"this machine has no {name}")
    return name


def end(of: socket.socket) -> tuple[str, int]:
    name = of.getsockname()
    return name[0], name[1]


def test_states_of_a_connection_from_both_ends(diag: SockDiag, family: str) -> None:
    number, host = FAMILIES[family]
    with socket.socket(number, socket.SOCK_STREAM) as listener:
        listener.bind((host, 0))
        listener.listen()
        server = end(listener)
        assert diag.state(family, server, (ANYWHERE[family], 0)) == State.LISTEN
        with socket.socket(number, socket.SOCK_STREAM) as caller:
            caller.connect(server)
            client = end(caller)
            accepted, _ = listener.accept()
            with accepted:
                assert diag.state(family, server, client) == State.ESTABLISHED
                assert diag.state(family, client, server) == State.ESTABLISHED
                # The lookup falls back to the listener for any other caller: that must not be taken for an answer.
                assert diag.state(family, server, (client[0], client[1] ^ 1)) == State.CLOSED
                caller.sendall(b"12345")
                caller.shutdown(socket.SHUT_WR)
                assert accepted.recv(10) == b"12345"
                # The ACK of the FIN may be delayed: this asks for it now.
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                assert diag.state(family, client, server) == State.FIN_WAIT_2
                assert diag.state(family, server, client) == State.CLOSE_WAIT
                state, info = diag.lookup(family, client, server)
                assert state == State.FIN_WAIT_2
                assert info is not None
                assert info["bytes_acked"] >= 5
            assert diag.state(family, server, client) == State.CLOSED
            assert diag.lookup(family, client, server) == (State.TIME_WAIT, None)


def test_no_such_connection_is_closed(diag: SockDiag, family: str) -> None:
    host = FAMILIES[family][1]
    assert diag.lookup(family, (host, 1), (host, 2)) == (State.CLOSED, None)


def test_a_kernel_that_knows_nothing_is_not_believed(diag: SockDiag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diag, "_find", lambda *arguments, **more: None)
    with pytest.raises(OSError, match="tcp_diag"):
        diag.state("ipv4", ("127.0.0.1", 1), ("127.0.0.1", 2))


def test_an_address_of_the_other_family_is_refused(diag: SockDiag) -> None:
    with pytest.raises(OSError, match="illegal"):
        diag.state("ipv4", ("::1", 1), ("::1", 2))
