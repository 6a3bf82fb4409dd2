"""The status codes of a Close frame, as data (RFC 6455 §7.4, and IANA's registry, which it opens in §11.7)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CloseCode:
    """One status code."""

    code: int
    name: str
    may_be_sent: bool
    """Whether it may stand in a Close frame; the others are words for the program alone (RFC 6455 §7.4.1)."""
    meaning: str
    section: str


CODES: tuple[CloseCode, ...] = (
    CloseCode(1000, "normal closure", True, "the connection has done its work", "RFC 6455 §7.4.1"),
    CloseCode(1001, "going away", True, "the server goes down, or the browser has left the page", "RFC 6455 §7.4.1"),
    CloseCode(1002, "protocol error", True, "the other end broke a rule of the protocol", "RFC 6455 §7.4.1"),
    CloseCode(1003, "unsupported data", True, "a type of data that this end cannot take", "RFC 6455 §7.4.1"),
    CloseCode(1004, "reserved", False, "has no meaning yet", "RFC 6455 §7.4.1"),
    CloseCode(1005, "no status received", False, "the Close frame had no code", "RFC 6455 §7.4.1"),
    CloseCode(1006, "abnormal closure", False, "the connection ended without a Close frame", "RFC 6455 §7.4.1"),
    CloseCode(1007, "invalid payload data", True, "the data is not of its type, such as bad UTF-8", "RFC 6455 §7.4.1"),
    CloseCode(1008, "policy violation", True, "a message that this end's policy forbids", "RFC 6455 §7.4.1"),
    CloseCode(1009, "message too big", True, "a message too big to process", "RFC 6455 §7.4.1"),
    CloseCode(1010, "mandatory extension", True, "the client misses an extension in the answer", "RFC 6455 §7.4.1"),
    CloseCode(1011, "internal error", True, "the server met a condition it did not expect", "RFC 6455 §7.4.1"),
    CloseCode(1012, "service restart", True, "the server starts anew", "RFC 6455 §11.7"),
    CloseCode(1013, "try again later", True, "the server has too much to do", "RFC 6455 §11.7"),
    CloseCode(1014, "bad gateway", True, "a gateway had no good answer from the server behind it", "RFC 6455 §11.7"),
    CloseCode(1015, "TLS handshake", False, "the TLS handshake failed", "RFC 6455 §7.4.1"),
)
"""The codes that have a meaning; 1012 to 1014 are registered with IANA since."""

_BY_CODE = {code.code: code for code in CODES}


def may_be_sent(code: int) -> bool:
    """Whether `code` may stand in a Close frame (RFC 6455 §7.4): of any int, also one that no 16 bits hold."""
    known = _BY_CODE.get(code)
    return known.may_be_sent if known else 3000 <= code <= 4999


def lookup(code: int) -> CloseCode:
    """What is known of `code`, whatever int it is: an entry of CODES, or what its range says (RFC 6455 §7.4.2)."""
    known = _BY_CODE.get(code)
    if known:
        return known
    section = "RFC 6455 §7.4.2"
    if 3000 <= code <= 3999:
        return CloseCode(code, "registered", True, "registered with IANA by a library or framework", section)
    if 4000 <= code <= 4999:
        return CloseCode(code, "private", True, "agreed upon by the two ends alone", section)
    if 1000 <= code <= 2999:
        return CloseCode(code, "undefined", False, "kept for later versions of the protocol", section)
    return CloseCode(code, "unused", False, "lies outside every range", section)


def describe(code: int) -> str:
    """The code and its name, such as "1002 (protocol error)"."""
    return f"{code} ({lookup(code).name})"
