"""Socket options by name."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lab.server import options
from lab.server.protocol import CallError, ErrorKind


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    with socket.socket() as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "value", "level", "number"),
    [
        ("TCP_NODELAY", 1, socket.IPPROTO_TCP, socket.TCP_NODELAY),
        ("TCP_SYNCNT", 2, socket.IPPROTO_TCP, socket.TCP_SYNCNT),
        ("SO_KEEPALIVE", 1, socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        ("IP_TTL", 7, socket.IPPROTO_IP, socket.IP_TTL),
    ],
)
def test_numbers_reach_the_kernel(tcp: socket.socket, name: str, value: int, level: int, number: int) -> None:
    options.set_option(tcp, name, value)
    assert tcp.getsockopt(level, number) == value
    assert options.get_option(tcp, name) == value


def test_linger_and_congestion_control_have_their_own_forms(tcp: socket.socket) -> None:
    options.set_option(tcp, "SO_LINGER", [1, 5])
    assert options.get_option(tcp, "SO_LINGER") == [1, 5]
    options.set_option(tcp, "TCP_CONGESTION", "reno")
    assert options.get_option(tcp, "TCP_CONGESTION") == "reno"


def test_tcp_info_is_a_dict(tcp: socket.socket) -> None:
    info = options.get_option(tcp, "TCP_INFO")
    assert isinstance(info, dict)
    assert info["state"] == 7  # TCP_CLOSE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NODELAY", 1),
        ("TCP_NO_SUCH", 1),
        ("SOCK_STREAM", 1),
        ("TCP_NODELAY", "on"),
        ("TCP_NODELAY", 2**40),
        ("SO_LINGER", 1),
        ("SO_LINGER", [1, 2**40]),
        ("TCP_CONGESTION", 1),
    ],
)
def test_what_cannot_be_set_is_refused(tcp: socket.socket, name: str, value: int | str | list[int]) -> None:
    with pytest.raises(CallError) as caught:
        options.set_option(tcp, name, value)
    assert caught.value.kind == ErrorKind.ARGUMENT
