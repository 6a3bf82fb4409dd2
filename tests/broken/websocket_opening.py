"""The opening handshake of RFC 6455 §4.2 by hand: a request as text, and what a server checks of it, by name."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
TOKEN = re.compile(_TOKEN)
EXTENSION = re.compile(rf"{_TOKEN}(?:\s*;\s*{_TOKEN}(?:\s*=\s*(?:{_TOKEN}|\"{_TOKEN}\"))?)*")
KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
"""Sixteen octets in base64 (§4.2.1 item 5)."""
REQUEST_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP/(\d)\.(\d)")
FIELD = re.compile(rf"({_TOKEN}):([\t\x20-\x7e\x80-\xff]*)")
ABSOLUTE = re.compile(r"https?://[^/?#]+", re.IGNORECASE)


@dataclass
class Request:
    """The head of a request."""

    method: str
    target: str
    version: tuple[int, int]
    fields: list[tuple[str, str]]
    """Names as written, values with their blanks."""
    exact: bool = False
    """Names are compared letter by letter, which is wrong."""

    def untrimmed(self, name: str) -> list[str]:
        """The values of all fields of that name, with their blanks."""
        if self.exact:
            return [value for each, value in self.fields if each == name]
        return [value for each, value in self.fields if each.lower() == name.lower()]

    def values(self, name: str) -> list[str]:
        """The values of all fields of that name."""
        return [value.strip(" \t") for value in self.untrimmed(name)]

    def elements(self, name: str) -> list[str]:
        """The elements of the lists in all fields of that name; empty ones do not count (RFC 2616 §2.1)."""
        listed = [each.strip(" \t") for value in self.values(name) for each in value.split(",")]
        return [each for each in listed if each]

    def path(self) -> str:
        """The resource name without its query; of an absolute URI what follows the authority (§4.2.1 item 1)."""
        return (ABSOLUTE.sub("", self.target) or "/").partition("?")[0] or "/"


@dataclass(frozen=True)
class Refusal:
    """An answer of HTTP in place of the handshake."""

    status: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""


class BadRequest(Exception):
    """What came is no request of HTTP/1."""


def parse(head: bytes) -> Request:
    """The request in these octets, without the empty line. Raises BadRequest."""
    first, *lines = head.decode("latin-1").split("\r\n")
    line = REQUEST_LINE.fullmatch(first)
    if line is None:
        raise BadRequest(f"no request line: {first[:80]!r}")
    fields = []
    for each in lines:
        found = FIELD.fullmatch(each)
        if found is None:
            raise BadRequest(f"no header field: {each[:80]!r}")
        fields.append((found[1], found[2]))
    return Request(line[1], line[2], (int(line[3]), int(line[4])), fields)


def accept(key: str) -> str:
    """The Sec-WebSocket-Accept of a key (§4.2.2 step 5.4)."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode("latin-1")).digest()).decode()


def well_formed(elements: list[str], fields: list[str], form: re.Pattern[str]) -> bool:
    """Whether fields that may be absent hold `1#` of something: at least one element, and each of that form."""
    return not fields or (bool(elements) and all(form.fullmatch(each) for each in elements))


def faults(request: Request, paths: tuple[str, ...]) -> Iterator[tuple[str, Refusal]]:
    """All that departs from §4.2.1 in a request, by name, with the answer that it deserves."""
    keys, versions = request.values("Sec-WebSocket-Key"), request.values("Sec-WebSocket-Version")
    known = ("Sec-WebSocket-Version", "13")
    extensions, subprotocols = "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"
    if request.method != "GET":
        yield "method", Refusal("405 Method Not Allowed", [("Allow", "GET")])
    if not (1, 1) <= request.version < (2, 0):
        yield "http", Refusal("400 Bad Request", body="HTTP/1.1 is needed")
    hosts = request.values("Host")
    if not hosts or not hosts[0]:
        yield "host", Refusal("400 Bad Request", body="no Host")
    if len(hosts) > 1:
        yield "hosts", Refusal("400 Bad Request", body="more than one Host")
    if any(size != "0" for size in request.values("Content-Length")) or request.values("Transfer-Encoding"):
        yield "body", Refusal("400 Bad Request", body="a body is not expected")
    if "#" in request.target:
        yield "fragment", Refusal("400 Bad Request", body="a fragment is not expected")
    if request.path() not in paths:
        yield "path", Refusal("404 Not Found", body="no such service")
    if "websocket" not in [each.lower() for each in request.elements("Upgrade")]:
        yield "upgrade", Refusal("426 Upgrade Required", [("Upgrade", "websocket")], "WebSocket is spoken here")
    if "upgrade" not in [each.lower() for each in request.elements("Connection")]:
        yield "connection", Refusal("400 Bad Request", body="no Connection: Upgrade")
    if len(versions) > 1:
        yield "versions", Refusal("400 Bad Request", [known], "more than one Sec-WebSocket-Version")
    if not versions:
        yield "no version", Refusal("426 Upgrade Required", [("Upgrade", "websocket"), known], "no version")
    if versions and versions[0] != "13":
        yield "version", Refusal("426 Upgrade Required", [("Upgrade", "websocket"), known], "version 13 is spoken here")
    if len(keys) > 1:
        yield "keys", Refusal("400 Bad Request", body="more than one Sec-WebSocket-Key")
    if not keys:
        yield "no key", Refusal("400 Bad Request", body="no Sec-WebSocket-Key")
    if keys and not KEY.fullmatch(keys[0]):
        yield "key", Refusal("400 Bad Request", body="the key is not sixteen octets in base64")
    if not well_formed(request.elements(extensions), request.values(extensions), EXTENSION):
        yield "extensions", Refusal("400 Bad Request", body="Sec-WebSocket-Extensions is no list of extensions")
    if not well_formed(request.elements(subprotocols), request.values(subprotocols), TOKEN):
        yield "subprotocols", Refusal("400 Bad Request", body="Sec-WebSocket-Protocol is no list of tokens")
