"""The second witness: which state the kernel has for a four-tuple, by one exact `sock_diag` lookup.

Hand-packed netlink (sock_diag(7), include/uapi/linux/inet_diag.h): some 10 µs a lookup. States that no file
descriptor stands for any more, or yet, are there too: SYN-RECEIVED, FIN-WAIT-2 after close, TIME-WAIT.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from types import TracebackType
from typing import Final, Self

from lab.server import tcp_info
from lab.server.protocol import FAMILIES
from lab.tcp.state import State

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_NLMSG_ERROR: Final = 2
_INET_DIAG_INFO: Final = 2
_ANY_COOKIE: Final = b"\xff" * 8

_HEADER: Final = struct.Struct("=IHHII")
_REQUEST: Final = struct.Struct("=BBBxI2s2s16s16sI8s")
_ANSWER: Final = struct.Struct("=BBBB2s2s16s16sI8s5I")

_STATES: Final = {
    1: State.ESTABLISHED,
    2: State.SYN_SENT,
    3: State.SYN_RECEIVED,
    4: State.FIN_WAIT_1,
    5: State.FIN_WAIT_2,
    6: State.TIME_WAIT,
    7: State.CLOSED,
    8: State.CLOSE_WAIT,
    9: State.LAST_ACK,
    10: State.LISTEN,
    11: State.CLOSING,
    12: State.SYN_RECEIVED,  # TCP_NEW_SYN_RECV: the request socket
}


class SockDiag:
    """Looks up connections of the network namespace in which it was opened. Close it, or use it as a context."""

    def __init__(self) -> None:
        """Raises OSError where the kernel has no `sock_diag`."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
        self._number = 0
        self._proven = False

    def state(self, family: str, local: tuple[str, int], remote: tuple[str, int]) -> State:
        """The state of the connection from `local` to `remote`, CLOSED where the kernel has none.

        Family is "ipv4" or "ipv6". Raises OSError where the kernel does not answer such questions.
        """
        return self.lookup(family, local, remote, info=False)[0]

    def lookup(
        self, family: str, local: tuple[str, int], remote: tuple[str, int], *, info: bool = True
    ) -> tuple[State, dict[str, int] | None]:
        """State and, where `info` is asked for and the kernel keeps it in that state, `struct tcp_info` by name."""
        found = self._find(FAMILIES[family], local, remote, info=info)
        if found is None and not self._proven:
            self._prove()
        if found is None:
            return State.CLOSED, None
        self._proven = True
        return found

    def _find(
        self, family: int, local: tuple[str, int], remote: tuple[str, int], *, info: bool
    ) -> tuple[State, dict[str, int] | None] | None:
        local_address = socket.inet_pton(family, local[0]).ljust(16, b"\0")
        remote_address = socket.inet_pton(family, remote[0]).ljust(16, b"\0")
        remote_port = remote[1].to_bytes(2)
        self._number = self._number + 1 & 0xFFFFFFFF
        extensions = 1 << _INET_DIAG_INFO - 1 if info else 0
        self._socket.send(
            _HEADER.pack(_HEADER.size + _REQUEST.size, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, self._number, 0)
            + _REQUEST.pack(
                family,
                socket.IPPROTO_TCP,
                extensions,
                0xFFFFFFFF,
                local[1].to_bytes(2),
                remote_port,
                local_address,
                remote_address,
                0,
                _ANY_COOKIE,
            )
        )
        while True:
            answer = self._socket.recv(8192)
            length, kind, _, number, _ = _HEADER.unpack_from(answer)
            if number == self._number:
                break
        if kind == _NLMSG_ERROR:
            code = -struct.unpack_from("=i", answer, _HEADER.size)[0]
            if code == errno.ENOENT:
                return None
            raise OSError(code, os.strerror(code))
        _, state, _, _, _, to_port, _, to_address, *_ = _ANSWER.unpack_from(answer, _HEADER.size)
        if to_port != remote_port or to_address != remote_address:
            # With no such connection the kernel's lookup falls back to the port's listener: that is not ours.
            return None
        return _STATES[state], _info_in(answer[_HEADER.size + _ANSWER.size : length]) if info else None

    def _prove(self) -> None:
        """A kernel without tcp_diag says ENOENT to everything: believe it only if it finds what is surely there."""
        for name, family in FAMILIES.items():
            try:
                listener = socket.socket(family, socket.SOCK_STREAM)
            except OSError:
                continue
            with listener:
                try:
                    listener.listen(1)
                except OSError:
                    continue
                nowhere = "0.0.0.0" if name == "ipv4" else "::"
                port = listener.getsockname()[1]
                if self._find(family, (nowhere, port), (nowhere, 0), info=False) is None:
                    raise OSError(errno.EOPNOTSUPP, "this kernel does not report socket states (it has no tcp_diag)")
                self._proven = True
                return

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _info_in(attributes: bytes) -> dict[str, int] | None:
    at = 0
    while at + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, at)
        if length < 4:
            break
        if kind == _INET_DIAG_INFO:
            # LISTEN has numbers of another meaning in it, a closed or nascent socket an empty one.
            raw = attributes[at + 4 : at + length]
            return tcp_info.parse(raw) if any(raw) else None
        at += length + 3 & ~3
    return None
