"""The opening handshake: the client's request, and what a correct answer to it is (RFC 6455 §4)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from lab.tcp.world import Finding
from lab.websocket.http import TOKEN, Fields, Headers, Response, ResponseReader, split_list

__all__ = [
    "GUID",
    "Departure",
    "Request",
    "Response",
    "ResponseReader",
    "accept_for",
    "judge",
    "new_key",
    "parse_extensions",
    "parse_request",
]

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What is appended to the key (RFC 6455 §1.3)."""
VERSION = "13"
"""The version of the protocol (RFC 6455 §4.1 item 9)."""


def accept_for(key: str) -> str:
    """The Sec-WebSocket-Accept that answers this Sec-WebSocket-Key (RFC 6455 §4.2.2 step 5.4).

    Blanks around the key count for nothing (RFC 6455 §4.1 check 4).
    """
    return base64.b64encode(hashlib.sha1((key.strip() + GUID).encode("utf-8", "surrogateescape")).digest()).decode()


def new_key() -> str:
    """A fresh Sec-WebSocket-Key: 16 random octets in base64 (RFC 6455 §4.1 item 7)."""
    return base64.b64encode(secrets.token_bytes(16)).decode()


@dataclass(frozen=True, slots=True)
class Departure:
    """One way in which a request is not what RFC 6455 §4.2.1 describes."""

    field: str
    why: str
    section: str
    hidden: bool = False
    """Whether it shows only in what a server need not look into: the key must be right, and need not be decoded
    (RFC 6455 §4.2.2 step 4 /key/)."""


@dataclass(frozen=True)
class Request(Fields):
    """A request, right or wrong: it goes out as it is written."""

    target: str = "/"
    headers: Headers = ()
    method: str = "GET"
    version: str = "HTTP/1.1"

    @classmethod
    def upgrade(
        cls,
        host: str,
        target: str = "/",
        key: str | None = None,
        subprotocols: Sequence[str] = (),
        extensions: str = "",
        extra: Sequence[tuple[str, str]] = (),
        without: Sequence[str] = (),
    ) -> Request:
        """The request of RFC 6455 §4.1.

        `host` as the Host field has it, with the port unless that is 80; `key` None takes a fresh one; `extra` is
        appended; the fields named in `without`, in any case, are left out.
        """
        headers = [
            ("Host", host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", new_key() if key is None else key),
            ("Sec-WebSocket-Version", VERSION),
        ]
        if subprotocols:
            headers.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
        if extensions:
            headers.append(("Sec-WebSocket-Extensions", extensions))
        gone = {name.lower() for name in without}
        return cls(target, tuple(h for h in headers if h[0].lower() not in gone) + tuple(extra))

    def encode(self) -> bytes:
        """The request's octets, the empty line included; characters beyond ASCII go out in UTF-8."""
        lines = [self.line, *(f"{name}: {value}" for name, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")

    @property
    def line(self) -> str:
        """The request line, such as "GET /echo HTTP/1.1"."""
        return f"{self.method} {self.target} {self.version}"

    @property
    def key(self) -> str | None:
        """The first Sec-WebSocket-Key."""
        return self.header("Sec-WebSocket-Key")

    @property
    def departures(self) -> list[Departure]:
        """In what it is not the request of RFC 6455 §4.2.1: a server must refuse it for each that is not hidden."""
        return list(_departures(self))


def parse_request(head: bytes) -> Request | None:
    """The request whose head, the empty line included, is `head`; None where it is none. Never raises."""
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    match = re.fullmatch(r"([^\s]+) ([^\s]+) (HTTP/[0-9]\.[0-9])", lines[0])
    if match is None or not head.endswith(b"\r\n\r\n"):
        return None
    pairs = [line.partition(":") for line in lines[1:-2]]
    if not all(colon and TOKEN.fullmatch(name) for name, colon, _ in pairs):
        return None
    return Request(match[2], tuple((name, value.strip(" \t")) for name, _, value in pairs), match[1], match[3])


def _departures(request: Request) -> list[Departure]:
    found: list[Departure] = []

    def add(field: str, why: str, section: str = "RFC 6455 §4.2.1", *, hidden: bool = False) -> None:
        found.append(Departure(field, why, section, hidden))

    if request.method != "GET":
        add("method", f"the method is {request.method}, not GET (item 1)")
    version = re.fullmatch(r"HTTP/([0-9])\.([0-9])", request.version)
    if version is None or (int(version[1]), int(version[2])) < (1, 1):
        add("version", f"the version is {request.version}, not HTTP/1.1 or higher (item 1)")
    hosts = len(request.all("Host"))
    if hosts != 1:
        add("Host", f"there {'is no' if not hosts else f'are {hosts}'} Host field{'s' * (hosts > 1)} (item 2)")
    if not request.has_token("Upgrade", "websocket"):
        add("Upgrade", 'no Upgrade field says "websocket" (item 3)')
    if not request.has_token("Connection", "Upgrade"):
        add("Connection", 'no Connection field has the token "Upgrade" (item 4)')
    keys = request.all("Sec-WebSocket-Key")
    if len(keys) > 1:
        add("Sec-WebSocket-Key", "there is more than one Sec-WebSocket-Key", "RFC 6455 §11.3.1")
    elif not keys:
        add("Sec-WebSocket-Key", "there is no Sec-WebSocket-Key (item 5)")
    elif not keys[0].strip():
        add("Sec-WebSocket-Key", "the Sec-WebSocket-Key is empty (item 5)")
    elif not _is_key(keys[0]):
        add("Sec-WebSocket-Key", "the Sec-WebSocket-Key does not decode to 16 octets (item 5)", hidden=True)
    versions = request.all("Sec-WebSocket-Version")
    if len(versions) > 1:
        add("Sec-WebSocket-Version", "there is more than one Sec-WebSocket-Version", "RFC 6455 §11.3.5")
    elif versions != (VERSION,):
        add("Sec-WebSocket-Version", f"the Sec-WebSocket-Version is {versions[0] if versions else 'missing'} (item 6)")
    if parse_extensions(request.all("Sec-WebSocket-Extensions")) is None:
        add("Sec-WebSocket-Extensions", "the Sec-WebSocket-Extensions break their grammar", "RFC 6455 §9.1")
    subprotocols = request.tokens("Sec-WebSocket-Protocol")
    if request.all("Sec-WebSocket-Protocol") and not (subprotocols and all(map(TOKEN.fullmatch, subprotocols))):
        add("Sec-WebSocket-Protocol", "the Sec-WebSocket-Protocol is no list of tokens", "RFC 6455 §4.3")
    return found


def _is_key(value: str) -> bool:
    try:
        return len(base64.b64decode(value.strip(), validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def parse_extensions(values: Sequence[str]) -> list[tuple[str, dict[str, str | None]]] | None:
    """The extensions in these header values with their parameters, in order; None where the grammar is broken.

    A quoted parameter must be a token once it is unquoted (RFC 6455 §9.1).
    """
    found = []
    for value in values:
        elements = [element for element in split_list(value) if element.strip(" \t")]
        if not elements:
            return None
        for element in elements:
            name, *parameters = (part.strip(" \t") for part in element.split(";"))
            if not TOKEN.fullmatch(name):
                return None
            settings: dict[str, str | None] = {}
            for parameter in parameters:
                key, equals, setting = (part.strip(" \t") for part in parameter.partition("="))
                if len(setting) > 1 and setting[0] == setting[-1] == '"':
                    setting = setting[1:-1].replace("\\", "")
                if not TOKEN.fullmatch(key) or (equals and not TOKEN.fullmatch(setting)):
                    return None
                settings[key] = setting if equals else None
            found.append((name, settings))
    return found


def judge(request: Request, response: Response) -> list[Finding]:
    """What is wrong with this answer to that request (RFC 6455 §4.1 checks 1 to 6, §4.2.1, §4.2.2, §11.3).

    A refusal, whatever its status, is wrong only where the one thing amiss with the request is that its version is
    another, and the answer does not say which versions there are (RFC 6455 §4.2.2 step 4, §4.4).
    """
    if response.status != 101:
        return _judge_refusal(request, response)
    findings = [
        Finding(
            d.field,
            "an HTTP error such as 400",
            response.line,
            f"A 101 accepts a request that is none: {d.why}.",
            d.section,
        )
        for d in request.departures
        if not d.hidden
    ]
    findings += _judge_101(response)
    findings += _judge_accept(request, response)
    findings += _judge_subprotocol(request, response)
    findings += _judge_extensions(request, response)
    return findings


def _judge_refusal(request: Request, response: Response) -> list[Finding]:
    if {d.field for d in request.departures} != {"Sec-WebSocket-Version"} or response.status < 400:
        return []
    versions = request.all("Sec-WebSocket-Version")
    if len(versions) != 1 or not re.fullmatch("0|[1-9][0-9]{0,2}", versions[0]):
        return []  # it asks for no version (§4.3): as wrong as any other request that is none
    if VERSION in response.tokens("Sec-WebSocket-Version"):
        return []
    section = "RFC 6455 §4.2.2"
    seen = ", ".join(response.all("Sec-WebSocket-Version")) or "no such field"
    message = "A version that the server does not know is answered with those that it does (step 4, and §4.4)."
    return [Finding("Sec-WebSocket-Version", VERSION, seen, message, section)]


def _judge_101(response: Response) -> list[Finding]:
    findings = []
    step = "RFC 6455 §4.2.2"
    if response.version < "HTTP/1.1":
        message = "The status line of a 101 is of HTTP/1.1 or higher (step 5.1): HTTP/1.0 knows no Upgrade."
        findings.append(Finding("version", "HTTP/1.1", response.version, message, step))
    upgrade = response.all("Upgrade")
    if [value.lower() for value in upgrade] != ["websocket"]:
        message = 'The 101 has an Upgrade field of the value "websocket", in any case (step 5.2, §4.1 check 2).'
        findings.append(Finding("Upgrade", "websocket", ", ".join(upgrade) or "no such field", message, step))
    if not response.has_token("Connection", "Upgrade"):
        message = 'The 101 has a Connection field with the token "Upgrade", in any case (step 5.3, §4.1 check 3).'
        seen = ", ".join(response.all("Connection")) or "no such field"
        findings.append(Finding("Connection", "Upgrade", seen, message, step))
    for name in ("Content-Length", "Transfer-Encoding"):
        value = response.header(name)
        if value is not None:
            section = "RFC 9110 §8.6" if name == "Content-Length" else "RFC 9112 §6.1"
            message = f"A 101 has no body, and a server must not send {name} with it."
            findings.append(Finding(name, "no such field", value, message, section))
    return findings


def _judge_accept(request: Request, response: Response) -> list[Finding]:
    name = "Sec-WebSocket-Accept"
    accepts = response.all(name)
    expected = "any" if request.key is None else accept_for(request.key)
    if not accepts:
        message = "The 101 has no Sec-WebSocket-Accept (step 5.4, §4.1 check 4)."
        return [Finding(name, expected, "no such field", message, "RFC 6455 §4.2.2")]
    findings = []
    if request.key is not None and accepts[0] != expected:
        message = "Sec-WebSocket-Accept is the SHA-1 of the key and the GUID in base64 (step 5.4, §4.1 check 4)."
        findings.append(Finding(name, expected, accepts[0], message, "RFC 6455 §4.2.2"))
    return findings + _once(response, name, "RFC 6455 §11.3.3")


def _once(response: Response, name: str, section: str) -> list[Finding]:
    count = len(response.all(name))
    if count < 2:
        return []
    return [Finding(name, "once", f"{count} times", f"{name} must not appear more than once in an answer.", section)]


def _judge_subprotocol(request: Request, response: Response) -> list[Finding]:
    name = "Sec-WebSocket-Protocol"
    chosen = response.all(name)
    if not chosen:
        return []
    offered = request.tokens(name)
    findings = []
    if chosen[0] not in offered:
        said = f'"{chosen[0]}"' if chosen[0] else "an empty value"
        message = (
            f"The server chose {said}, which the client did not offer: it chooses one of the offer, or sends no such "
            "field at all (step 4 /subprotocol/, §4.1 check 6)."
        )
        expected = "one of " + ", ".join(offered) if offered else "no such field"
        findings.append(Finding(name, expected, chosen[0] or "an empty value", message, "RFC 6455 §4.2.2"))
    return findings + _once(response, name, "RFC 6455 §11.3.4")


def _judge_extensions(request: Request, response: Response) -> list[Finding]:
    name = "Sec-WebSocket-Extensions"
    values = response.all(name)
    if not values:
        return []
    chosen = parse_extensions(values)
    if chosen is None:
        message = "The extensions of the answer break their grammar."
        return [Finding(name, "a list of tokens with parameters", ", ".join(values), message, "RFC 6455 §9.1")]
    offered = {extension for extension, _ in parse_extensions(request.all(name)) or []}
    strange = [extension for extension, _ in chosen if extension not in offered]
    if not strange:
        return []
    message = (
        f"The server chose {', '.join(strange)}, which the client did not offer (step 4 /extensions/, "
        "§4.1 check 5, §9): an answer lists only what was asked for."
    )
    expected = "some of " + ", ".join(sorted(offered)) if offered else "no such field"
    return [Finding(name, expected, ", ".join(values), message, "RFC 6455 §4.2.2")]
