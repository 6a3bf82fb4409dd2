"""Where a target is, as a user writes it: HOST:PORT, or ws://HOST:PORT/PATH for a WebSocket server."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+")
_LEGAL = re.compile(r"[!-~]*")
"""What a request target may be made of: printable ASCII, no blanks (RFC 3986 §2, RFC 9112 §3.2)."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server, and the resource on it where it speaks WebSocket."""

    host: str
    port: int
    resource: str | None = None
    """Path and query, "/" at least (RFC 6455 §3); None where the server is no WebSocket server."""


def place_of(text: str) -> Place:
    """HOST:PORT or ws://HOST[:PORT][/PATH] taken apart, an IPv6 address in brackets.

    Raises ValueError with a sentence that says what is wrong.
    """
    scheme, found, rest = text.partition("://")
    if not found:
        return Place(*_host_and_port(text, text))
    if scheme.lower() == "wss":
        raise ValueError(f"{text} speaks TLS, inside which the lab cannot see: name the ws:// address behind it")
    if scheme.lower() != "ws":
        raise ValueError(f"{text} is neither HOST:PORT nor ws://HOST:PORT/PATH")
    authority, path = re.fullmatch(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    if "#" in path:
        raise ValueError(f"{text} has a fragment (#…), which a ws address must not have (RFC 6455 §3): write %23")
    if not _LEGAL.fullmatch(path):
        raise ValueError(f"{text} holds characters that a request target cannot: write them as %XX (RFC 6455 §11.1)")
    if "@" in authority:
        raise ValueError("a ws address names no user and password (RFC 6455 §3): send them in a field of the request")
    if re.fullmatch(r"[^\[\]:]+|\[[^\]]*\]", authority.removesuffix(":")):
        authority = authority.removesuffix(":") + ":80"  # RFC 6455 §3: the default
    host, port = _host_and_port(authority, text)
    return Place(host, port, path if path.startswith("/") else "/" + path)


def _host_and_port(text: str, whole: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"{whole} is not HOST:PORT (such as 192.0.2.1:80 or [2001:db8::1]:80)")
    if ":" in host and not (host.startswith("[") and host.endswith("]")) and _ADDRESS.fullmatch(host):
        raise ValueError(f"write an IPv6 address in brackets: [{host}]:{port}")
    if ":" in host.strip("[]") and not host.startswith("["):
        raise ValueError(f"{whole} is not HOST:PORT (such as 192.0.2.1:80 or [2001:db8::1]:80)")
    return host.strip("[]"), int(port)
