"""Socket options by their names, as controllers write them: `SO_RCVBUF`, `TCP_NODELAY`, `TCP_INFO` …"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Final

from lab.server import tcp_info
from lab.server.protocol import CallError, ErrorKind

_LEVELS: Final = (
    ("SO_", socket.SOL_SOCKET),
    ("TCP_", socket.IPPROTO_TCP),
    ("IPV6_", socket.IPPROTO_IPV6),
    ("IP_", socket.IPPROTO_IP),
)
# What Linux has and Python's socket module does not name (tcp(7), include/uapi/linux/tcp.h).
_UNNAMED: Final = {
    "TCP_THIN_LINEAR_TIMEOUTS": 16,
    "TCP_REPAIR": 19,
    "TCP_TIMESTAMP": 24,
    "TCP_SAVE_SYN": 27,
    "TCP_SAVED_SYN": 28,
    "TCP_FASTOPEN_CONNECT": 30,
    "TCP_FASTOPEN_NO_COOKIE": 34,
    "TCP_INQ": 36,
    "TCP_RTO_MAX_MS": 44,
    "IP_FREEBIND": 15,
    "IP_BIND_ADDRESS_NO_PORT": 24,
    "IP_MTU": 14,
    "IP_MTU_DISCOVER": 10,
    "SO_RCVBUFFORCE": 33,
    "SO_SNDBUFFORCE": 32,
}
_TEXT: Final = frozenset({"TCP_CONGESTION", "TCP_ULP", "SO_BINDTODEVICE"})
_PAIRS: Final = frozenset({"SO_LINGER", "SO_RCVTIMEO", "SO_SNDTIMEO"})
_LONG_PAIR: Final = frozenset({"SO_RCVTIMEO", "SO_SNDTIMEO"})


def number_of(name: str) -> tuple[int, int]:
    """Level and number of a TCP, IP or socket option. Raises CallError(ARGUMENT) where there is none of that name."""
    for prefix, level in _LEVELS:
        if name.startswith(prefix):
            number = getattr(socket, name, _UNNAMED.get(name))
            if isinstance(number, int):
                return level, number
    raise CallError(ErrorKind.ARGUMENT, f"there is no socket option {name[:40]!r}")


def _pair(name: str) -> struct.Struct:
    return struct.Struct("@ll" if name in _LONG_PAIR else "@ii")


def set_option(target: socket.socket, name: str, value: int | str | list[int]) -> None:
    """Set an option: a whole number, text (`TCP_CONGESTION`), or two numbers (`SO_LINGER`: on, seconds).

    Raises CallError(ARGUMENT) for an unknown name or a value of the wrong form, OSError where the kernel refuses.
    """
    level, number = number_of(name)
    if name in _PAIRS:
        if not isinstance(value, list):
            raise CallError(ErrorKind.ARGUMENT, f"{name} takes two whole numbers")
        try:
            target.setsockopt(level, number, _pair(name).pack(*value))
        except struct.error:
            raise CallError(ErrorKind.ARGUMENT, f"{name} takes two whole numbers of the kernel's size") from None
    elif name in _TEXT:
        if not isinstance(value, str):
            raise CallError(ErrorKind.ARGUMENT, f"{name} takes text")
        target.setsockopt(level, number, value.encode())
    else:
        if not isinstance(value, int):
            raise CallError(ErrorKind.ARGUMENT, f"{name} takes a whole number")
        try:
            target.setsockopt(level, number, value)
        except (OverflowError, TypeError):
            raise CallError(ErrorKind.ARGUMENT, f"{name} takes a whole number of 32 bits") from None


def urgent_inline(target: socket.socket) -> None:
    """Has all octets come in the stream, and what a listener accepts after it (RFC 6093 §6).

    Otherwise the kernel takes the one before the urgent pointer out of it, which no RFC does (RFC 9293 §3.8.5).
    """
    target.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)


def get_option(target: socket.socket, name: str) -> int | str | list[int] | dict[str, int]:
    """An option's value in the form in which `set_option` takes it; `TCP_INFO` as its fields by name."""
    level, number = number_of(name)
    if name == "TCP_INFO":
        return tcp_info.parse(target.getsockopt(level, number, tcp_info.SIZE))
    if name in _PAIRS:
        return list(_pair(name).unpack(target.getsockopt(level, number, _pair(name).size)))
    if name in _TEXT:
        return target.getsockopt(level, number, 64).rstrip(b"\0").decode(errors="replace")
    return int.from_bytes(target.getsockopt(level, number, 4), sys.byteorder, signed=True)
