"""Expressions on a connection whose numbers are known, and a watch that none of them reaches beyond itself."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pytest
from scapy.packet import Packet

from lab.explore.expression.evaluate import ExpressionError, packet
from lab.tcp.segment import Segment
from lab.tcp.sequence import Seq
from lab.wire.scapy_side import complete

X, Y = Seq(1000), Seq(4294967290)
NAMES: Mapping[str, int | str | bytes | None] = {
    "x": X,
    "y": Y,
    "snd_nxt": Seq(4294967295),
    "rcv_nxt": None,
    "window": 64240,
    "server": "198.51.100.1",
    "key": b"\x00\xff",
}
SERVER = {"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"}
PEER = {"ipv4": "198.51.100.2", "ipv6": "2001:db8::2"}


@pytest.fixture(autouse=True)
def nothing_reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No look-up, no socket, no warning of Scapy's that would land in the middle of a prompt."""
    reached: list[object] = []

    def reach(*args: object, **more: object) -> None:
        reached.append((args, more))
        raise AssertionError(f"an expression reached out: {args}")

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            reached.append(record.getMessage())

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "socket", "create_connection"):
        monkeypatch.setattr(socket, name, reach)
    heard = Heard(level=logging.WARNING)
    loggers = [logging.getLogger("scapy"), logging.getLogger("scapy.runtime")]
    for logger in loggers:
        logger.addHandler(heard)
    yield
    for logger in loggers:
        logger.removeHandler(heard)
    assert not reached


def made(text: str, family: Literal["ipv4", "ipv6"] = "ipv4", *, confined: bool = False) -> Any:
    return packet(
        text,
        NAMES,
        family=family,
        server_address=SERVER[family],
        confined=confined,
        peer_address=PEER[family] if confined else None,
    )


def on_the_wire(sent: Packet, defaults: Segment, family: str = "ipv4") -> bytes:
    return complete(
        sent,
        segment_defaults=defaults,
        source=PEER[family],
        destination=SERVER[family],
        sport=40000,
        dport=80,
        source_mac=b"\2" * 6,
        destination_mac=b"\4" * 6,
    )


def layers(first: Packet) -> list[type[Packet]]:
    found = [type(first)]
    while first.payload:
        first = first.payload
        found.append(type(first))
    return found


def refusal(text: str, **more: Any) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        made(text, **more)
    error = caught.value
    sentence = str(error)
    assert sentence == sentence.strip()
    assert sentence[0] == sentence[0].upper() or sentence.split()[0] in {*NAMES, "a"}
    assert "\n" not in sentence
    assert error.at is None or 0 <= error.at <= len(text)
    return error
