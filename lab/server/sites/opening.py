"""The opening handshake from the server's end (RFC 6455 §4.2): what makes a request good, and what answers others."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from websockets.exceptions import InvalidHeaderFormat
from websockets.headers import parse_connection, parse_extension, parse_subprotocol, parse_upgrade
from websockets.http11 import Request
from websockets.utils import accept_key

from lab.server.sites.pages import NoSuchPage, Visit, WrongQuery, find

VERSION: Final = "13"
"""The version of the protocol (RFC 6455 §4.1 item 9)."""
SUBPROTOCOLS: Final = ("chat.lab", "json.lab", "echo.lab")
"""The subprotocols that can be agreed on; the service speaks the same under each."""
LONGEST_HOST: Final = 300

_UPGRADE: Final = (("Upgrade", "websocket"),)
_VERSIONS: Final = (("Sec-WebSocket-Version", VERSION),)
# RFC 9110 §7.2, RFC 3986 §3.2: a name or an address, an IPv6 one in brackets, and maybe a port.
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(:[0-9]*)?")


@dataclass(frozen=True, slots=True)
class Agreed:
    """A request that opens a WebSocket connection."""

    accept: str
    """Sec-WebSocket-Accept (RFC 6455 §4.2.2 step 5.4)."""
    subprotocol: str | None
    visit: Visit


class Refused(Exception):
    """A request that does not: the status and fields of the answer, and one sentence for its body."""

    def __init__(self, status: int, sentence: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.fields = fields


def consider(request: Request) -> Agreed:
    """Hold a request against RFC 6455 §4.2.1, and choose what §4.2.2 leaves to choose. Raises Refused."""
    if request.method != "GET":
        raise Refused(405, "a WebSocket is opened with GET", (("Allow", "GET"),))
    if request.protocol != "HTTP/1.1":
        raise Refused(505, "a WebSocket is opened with HTTP/1.1")
    host = _one(request, "Host")
    if len(host) > LONGEST_HOST or not _HOST.fullmatch(host):
        raise Refused(400, "the Host field names no host")
    try:
        upgrade = [token for line in request.headers.get_all("Upgrade") for token in parse_upgrade(line)]
        connection = [token for line in request.headers.get_all("Connection") for token in parse_connection(line)]
    except InvalidHeaderFormat as error:
        raise Refused(400, f"malformed {error}") from None
    if "websocket" not in map(str.lower, upgrade):
        raise Refused(426, "this is a WebSocket service: the request needs Upgrade: websocket", _UPGRADE)
    if "upgrade" not in map(str.lower, connection):
        raise Refused(426, "this is a WebSocket service: the request needs Connection: Upgrade", _UPGRADE)
    version = _one(request, "Sec-WebSocket-Version", _VERSIONS)
    if version != VERSION:
        # §4.4: all versions that this server is willing to use.
        raise Refused(426, f"this service speaks version {VERSION} of the protocol", (*_VERSIONS, *_UPGRADE))
    key = _one(request, "Sec-WebSocket-Key")
    try:
        decoded = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != 16:
        raise Refused(400, "Sec-WebSocket-Key must be 16 octets in base64")
    try:
        for line in request.headers.get_all("Sec-WebSocket-Extensions"):
            parse_extension(line)  # none is taken up; but a malformed list fails the connection (§9.1)
        offered = [
            token for line in request.headers.get_all("Sec-WebSocket-Protocol") for token in parse_subprotocol(line)
        ]
    except InvalidHeaderFormat as error:
        raise Refused(400, f"malformed {error}") from None
    try:
        visit = find(request.path)
    except NoSuchPage as error:
        raise Refused(404, str(error)) from None
    except WrongQuery as error:
        raise Refused(400, str(error)) from None
    # A request without Origin comes from no browser (§4.2.1 item 7), which alone it protects (§10.2).
    origins = request.headers.get_all("Origin")
    if visit.page.origin and origins and origins != [visit.page.origin]:
        raise Refused(403, f"this resource takes requests from {visit.page.origin} alone")
    # The client names what it likes best first (§4.1 item 10). None in common: none is named (§4.2.2).
    chosen = next((name for name in offered if name in SUBPROTOCOLS), None)
    return Agreed(accept_key(key), chosen, visit)


def _one(request: Request, name: str, fields: tuple[tuple[str, str], ...] = ()) -> str:
    lines = request.headers.get_all(name)
    if len(lines) != 1:
        raise Refused(400, f"the request has {'more than one' if lines else 'no'} {name}", fields)
    value: str = lines[0]
    return value
