"""The control protocol, version 1, as data: one JSON object a line, UTF-8, at most `MAX_LINE` octets a line.

A request is `{"id": n, "call": name, …arguments}`; its answer `{"id": n, "ok": {…}}` or
`{"id": n, "error": {"kind": …, "errno": …, "message": …}}`. Answers may come out of order; octets travel as base64.
The first request must be `hello`. `CALLS` says for each call which arguments it takes and what they may be.
"""

from __future__ import annotations

import base64
import binascii
import errno as errno_names
import ipaddress
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

VERSION: Final = 1
MAX_LINE: Final = 1 << 20
"""Octets in a line, its newline included."""
MAX_FIRST_LINE: Final = 4096
"""Octets in the first line, as long as nobody has shown a token."""
MAX_DATA: Final = 512 * 1024
"""Octets of data in one `send` or `receive`: in base64 they fit a line."""
MAX_TIMEOUT: Final = 3600.0
"""Seconds that a call may wait."""

FAMILIES: Final = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}

Message = dict[str, Any]
"""A JSON object."""


class ErrorKind(StrEnum):
    """Why a call was refused or failed."""

    MALFORMED = "malformed"
    """Not a message of this protocol: the connection is closed after it."""
    VERSION = "version"
    """The controller speaks another version: the connection is closed after it."""
    TOKEN = "token"
    """The token is missing or wrong: the connection is closed after it."""
    UNKNOWN = "unknown"
    """No call of that name."""
    ARGUMENT = "argument"
    """An argument is missing, of the wrong type or out of range, or names a socket that is not there."""
    TIMEOUT = "timeout"
    """What was waited for did not happen in time."""
    OS = "os"
    """The kernel said no: `errno` has its name for it."""


FATAL: Final = frozenset({ErrorKind.MALFORMED, ErrorKind.VERSION, ErrorKind.TOKEN})
"""Kinds of error after which the agent closes the connection."""


class CallError(Exception):
    """A call that cannot be answered with `ok`: its kind, the kernel's name for it where there is one, one sentence."""

    def __init__(self, kind: ErrorKind, message: str, errno: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.errno = errno

    @classmethod
    def of(cls, error: OSError) -> CallError:
        """The kernel's refusal as an answer."""
        name = errno_names.errorcode.get(error.errno or 0)
        return cls(ErrorKind.OS, error.strerror or str(error) or "the kernel refused", name)


Check = Callable[[str, object], Any]
"""Takes an argument's name and value, returns what the call works with, raises CallError(ARGUMENT)."""

_REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call: its name, what it may be, and its default (`_REQUIRED` where there is none)."""

    name: str
    check: Check
    default: object = _REQUIRED


def _refuse(name: str, wants: str) -> CallError:
    return CallError(ErrorKind.ARGUMENT, f"{name} must be {wants}")


def _integer(low: int, high: int) -> Check:
    def check(name: str, value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            raise _refuse(name, f"a whole number from {low} to {high}")
        return value

    return check


def _one_of(*names: str) -> Check:
    def check(name: str, value: object) -> str:
        if value not in names or not isinstance(value, str):
            raise _refuse(name, "one of " + ", ".join(names))
        return value

    return check


def _seconds(name: str, value: object) -> float:
    if type(value) not in (int, float) or not 0 <= value <= MAX_TIMEOUT:  # type: ignore[operator]
        raise _refuse(name, f"a number of seconds from 0 to {MAX_TIMEOUT:.0f}")
    return float(value)  # type: ignore[arg-type]


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > 256:
        raise _refuse(name, "text of at most 256 characters")
    return value


def _address(name: str, value: object) -> str:
    try:
        return str(ipaddress.ip_address(value)) if isinstance(value, str) else _raise_value_error()
    except ValueError:
        raise _refuse(name, "an IPv4 or IPv6 address as text") from None


def _raise_value_error() -> str:
    raise ValueError


def _endpoint(name: str, value: object) -> tuple[str, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise _refuse(name, "[address, port]")
    return _address(name, value[0]), _PORT(name, value[1])


def _data(name: str, value: object) -> bytes:
    try:
        octets = base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        octets = None
    if octets is None or len(octets) > MAX_DATA:
        raise _refuse(name, f"base64 text of at most {MAX_DATA} octets")
    return octets


def _option_value(name: str, value: object) -> int | str | list[int]:
    if type(value) is int or isinstance(value, str):
        return value
    if isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value):
        return value
    raise _refuse(name, "a whole number, text, or two whole numbers")


def _options(name: str, value: object) -> dict[str, int | str | list[int]]:
    if not isinstance(value, dict):
        raise _refuse(name, "an object of option names and values")
    return {key: _option_value(f"{name}.{key}", v) for key, v in value.items()}


def _optional_text(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _refuse(name, "true or false")
    return value


def _anything(name: str, value: object) -> object:
    return value


_PORT: Final = _integer(0, 65535)
_SOCKET: Final = Argument("socket", _integer(0, 2**53))
_FAMILY: Final = Argument("family", _one_of(*FAMILIES))
_TIMEOUT: Final = Argument("timeout", _seconds)
_OPTIONS: Final = Argument("options", _options, {})

CALLS: Final[Mapping[str, tuple[Argument, ...]]] = {
    "hello": (Argument("version", _anything), Argument("token", _optional_text, None)),
    "listen": (_FAMILY, Argument("port", _PORT, 0), Argument("backlog", _integer(0, 65535), 16), _OPTIONS),
    "connect": (
        _FAMILY,
        Argument("address", _address),
        Argument("port", _PORT),
        Argument("local_port", _PORT, 0),
        _OPTIONS,
    ),
    "connected": (_SOCKET, _TIMEOUT),
    "accept": (_SOCKET, _TIMEOUT),
    "send": (_SOCKET, Argument("data", _data), _TIMEOUT),
    "receive": (_SOCKET, Argument("size", _integer(1, MAX_DATA)), _TIMEOUT),
    "shutdown": (_SOCKET, Argument("how", _one_of("write", "read", "both"))),
    "close": (_SOCKET,),
    "abort": (_SOCKET,),
    "set": (_SOCKET, Argument("option", _text), Argument("value", _option_value)),
    "get": (_SOCKET, Argument("option", _text)),
    "state": (_FAMILY, Argument("local", _endpoint), Argument("remote", _endpoint), Argument("info", _flag, True)),
    "closed_port": (_FAMILY,),
    "ping": (),
    "services": (),
    "faults": (),
    "program": (_FAMILY, Argument("remote", _endpoint), _TIMEOUT),
}
"""Every call of version 1 with its arguments, in order."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has the right form: the call is known and its arguments are what they must be."""

    id: int
    call: str
    arguments: dict[str, Any]


def encode(message: Message) -> bytes:
    """A message as a line."""
    return _dumps(message).encode() + b"\n"


_dumps: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_loads: Final = json.JSONDecoder().decode


def decode(line: bytes) -> Message:
    """The JSON object in a line. Raises CallError(MALFORMED) for anything else, however long, deep or odd."""
    try:
        message = _loads(line.decode())
    except (ValueError, RecursionError):
        raise CallError(
            ErrorKind.MALFORMED, "a message must be one JSON object on a line of its own, in UTF-8"
        ) from None
    if not isinstance(message, dict):
        raise CallError(ErrorKind.MALFORMED, "a message must be a JSON object")
    return message


def request_id(message: Message) -> int:
    """The request's id. Raises CallError(MALFORMED) where there is none."""
    number = message.get("id")
    if type(number) is not int or not 0 <= number <= 2**53:
        raise CallError(ErrorKind.MALFORMED, 'a request must have an "id", a whole number')
    return number


def parse_request(message: Message) -> Request:
    """The request in a message.

    Raises CallError: MALFORMED where id or call are missing, UNKNOWN for a call that is not in `CALLS`, ARGUMENT for
    arguments that are missing, of a wrong type, out of range, or not the call's.
    """
    number = request_id(message)
    call = message.get("call")
    if not isinstance(call, str):
        raise CallError(ErrorKind.MALFORMED, 'a request must have a "call", the name of what to do')
    arguments = CALLS.get(call)
    if arguments is None:
        raise CallError(ErrorKind.UNKNOWN, f"there is no call {call[:40]!r}; there are " + ", ".join(CALLS))
    values: dict[str, Any] = {}
    given = 2
    for argument in arguments:
        value = message.get(argument.name, _REQUIRED)
        if value is not _REQUIRED:
            values[argument.name] = argument.check(argument.name, value)
            given += 1
        elif argument.default is _REQUIRED:
            raise CallError(ErrorKind.ARGUMENT, f"{call} needs {argument.name}")
        else:
            values[argument.name] = argument.default
    if given != len(message):
        extra = next(key for key in message if key not in values and key not in ("id", "call"))
        raise CallError(ErrorKind.ARGUMENT, f"{call} takes no {extra[:40]!r}")
    return Request(number, call, values)


def ok(number: int, result: Mapping[str, Any]) -> bytes:
    """The line that answers request `number` with a result."""
    return encode({"id": number, "ok": result})


def failure(number: int | None, error: CallError) -> bytes:
    """The line that answers request `number` with an error; None where the request had no id."""
    return encode(
        {"id": number, "error": {"kind": error.kind, "errno": error.errno, "message": error.message}},
    )


def octets(data: bytes) -> str:
    """Octets as the protocol's text."""
    return base64.b64encode(data).decode()
