"""A WebSocket client made of a socket and octets, which breaks rules when told to. Knows nothing of the lab's."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""RFC 6455 §1.2's."""
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""What §1.2 answers it with."""
HEAD = (
    "GET {target} HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
)


def request(target: str = "/echo", *more: str, without: str = "") -> bytes:
    """An opening request with some more fields, or without one."""
    lines = HEAD.format(target=target).split("\r\n")[:-1]
    kept = [line for line in lines if not (without and line.lower().startswith(without.lower() + ":"))]
    return "\r\n".join([*kept, *more, "", ""]).encode("latin-1")


def frame(first: int, payload: bytes = b"", *, masked: bool = True, announced: int | None = None) -> bytes:
    """A frame in its shortest form, masked with a key of zeros and ones. `first` is its first octet."""
    key = b"\x00\x01\x00\x01"
    length = len(payload) if announced is None else announced
    bit = 0x80 if masked else 0
    if length < 126:
        head = bytes([first, bit | length])
    elif length < 65536:
        head = bytes([first, bit | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + length.to_bytes(8, "big")
    if not masked:
        return head + payload
    return head + key + bytes(octet ^ key[at % 4] for at, octet in enumerate(payload))


def everything(client: socket.socket) -> bytes:
    """What comes until the server's FIN."""
    heard = b""
    while more := client.recv(1 << 16):
        heard += more
    return heard


def head(client: socket.socket) -> tuple[str, dict[str, str]]:
    """The status line and fields of an answer, and nothing behind them."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        more = client.recv(1)
        assert more, f"the answer ends in its head: {text!r}"
        text += more
    status, *lines = text.decode("latin-1").split("\r\n")[:-2]
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert len(fields) == len(lines), f"a field twice in {lines}"
    return status, fields


@contextlib.contextmanager
def opened(port: int, target: str = "/echo", *more: str) -> Iterator[socket.socket]:
    """A connection that has been opened, behind its 101."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(request(target, *more))
        status, fields = head(client)
        assert status == "HTTP/1.1 101 Switching Protocols"
        assert fields["sec-websocket-accept"] == ACCEPT
        yield client


def exactly(client: socket.socket, octets: bytes) -> None:
    """These come next."""
    heard = b""
    while len(heard) < len(octets):
        more = client.recv(len(octets) - len(heard))
        assert more, f"the stream ends after {heard!r}"
        heard += more
    assert heard == octets
