"""The few words of rtnetlink(7) that the sandbox needs: a veth pair, its addresses and neighbours, up and running.

Hand-packed, because the whole of it is a hundred lines, takes no import time and leaves no thread behind in a process
that is going to fork.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

_NLMSG_ERROR: Final = 2
_RTM_NEWLINK: Final = 16
_RTM_GETLINK: Final = 18
_RTM_NEWADDR: Final = 20
_RTM_GETADDR: Final = 22
_RTM_NEWNEIGH: Final = 28
_REQUEST: Final = 1
_ACK: Final = 4
_EXCL: Final = 0x200
_CREATE: Final = 0x400
_REPLACE: Final = 0x100

_IFLA_ADDRESS: Final = 1
_IFLA_IFNAME: Final = 3
_IFLA_OPERSTATE: Final = 16
_IFLA_LINKINFO: Final = 18
_IFLA_AF_SPEC: Final = 26
_IFLA_NET_NS_FD: Final = 28
_IFLA_INET6_ADDR_GEN_MODE: Final = 8
_IN6_ADDR_GEN_MODE_NONE: Final = 1
_IFLA_INFO_KIND: Final = 1
_IFLA_INFO_DATA: Final = 2
_VETH_INFO_PEER: Final = 1
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_F_TENTATIVE: Final = 0x40
_NDA_DST: Final = 1
_NDA_LLADDR: Final = 2
_NUD_PERMANENT: Final = 0x80
_IFF_UP: Final = 1
_IFF_NOARP: Final = 0x80
_OPERSTATE_UP: Final = 6
_RTMGRP_LINK: Final = 1
_RTMGRP_IPV6_IFADDR: Final = 0x100

_HEADER: Final = struct.Struct("=IHHII")
_IFINFO: Final = struct.Struct("=BxHiII")
_IFADDR: Final = struct.Struct("=BBBBi")
_NDMSG: Final = struct.Struct("=BxxxiHBB")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)


def _packed(address: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


class Route:
    """A netlink socket of the network namespace in which it was opened, and stays there. Methods raise OSError."""

    def __init__(self) -> None:
        self._socket = self._open(0)
        self._number = 0

    @staticmethod
    def _open(groups: int) -> socket.socket:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        opened.bind((0, groups))
        return opened

    def add_veth(self, name: str, mac: bytes, other: str, other_mac: bytes, other_namespace: int) -> None:
        """Make a veth pair: `name` here, `other` in the network namespace of that file descriptor."""
        there = (
            _IFINFO.pack(0, 0, 0, 0, 0)
            + _attribute(_IFLA_IFNAME, other.encode() + b"\0")
            + _attribute(_IFLA_ADDRESS, other_mac)
            + _attribute(_IFLA_NET_NS_FD, struct.pack("=I", other_namespace))
        )
        self._ask(
            _RTM_NEWLINK,
            _CREATE | _EXCL,
            _IFINFO.pack(0, 0, 0, 0, 0)
            + _attribute(_IFLA_IFNAME, name.encode() + b"\0")
            + _attribute(_IFLA_ADDRESS, mac)
            + _attribute(
                _IFLA_LINKINFO,
                _attribute(_IFLA_INFO_KIND, b"veth") + _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, there)),
            ),
        )

    def up(self, index: int) -> None:
        """Bring an interface up."""
        self._ask(_RTM_NEWLINK, 0, _IFINFO.pack(0, 0, index, _IFF_UP, _IFF_UP))

    def without_own_address(self, index: int) -> None:
        """Have the kernel give the interface no link-local address when it comes up (addr_gen_mode none).

        Without one it solicits no routers and joins no group of its own. A kernel without IPv6 has none anyway.
        """
        mode = _attribute(_IFLA_INET6_ADDR_GEN_MODE, bytes([_IN6_ADDR_GEN_MODE_NONE]))
        with contextlib.suppress(OSError):
            self._ask(
                _RTM_NEWLINK,
                0,
                _IFINFO.pack(0, 0, index, 0, 0) + _attribute(_IFLA_AF_SPEC, _attribute(socket.AF_INET6, mode)),
            )

    def resolving(self, index: int, on: bool) -> None:
        """Whether the interface resolves addresses, by ARP and neighbour discovery (IFF_NOARP off)."""
        self._ask(_RTM_NEWLINK, 0, _IFINFO.pack(0, 0, index, 0 if on else _IFF_NOARP, _IFF_NOARP))

    def add_address(self, index: int, address: str, prefix: int) -> None:
        """Give an interface an address. An IPv6 address is tentative at first: see `wait_settled`."""
        family, packed = _packed(address)
        self._ask(
            _RTM_NEWADDR,
            _CREATE | _EXCL,
            _IFADDR.pack(family, prefix, 0, 0, index)
            + _attribute(_IFA_LOCAL, packed)
            + _attribute(_IFA_ADDRESS, packed),
        )

    def is_tentative(self, index: int, address: str) -> bool:
        """Whether the kernel has not finished with giving an IPv6 address to an interface (RFC 4862 §5.4)."""
        family, packed = _packed(address)
        question = _IFADDR.pack(family, 0, 0, 0, index) + _attribute(_IFA_ADDRESS, packed)
        answer = self._ask(_RTM_GETADDR, 0, question, wants_ack=False)
        return bool(answer[_HEADER.size + 2] & _IFA_F_TENTATIVE)

    def wait_settled(self, index: int, address: str, events: socket.socket, timeout: float) -> None:
        """Wait until an IPv6 address is no longer tentative. `events` must have been opened before it was added."""
        self._wait(lambda: not self.is_tentative(index, address), events, timeout)

    def add_neighbour(self, index: int, address: str, mac: bytes) -> None:
        """Tell the kernel once and for all whose MAC address that is, so that it need not ask."""
        family, packed = _packed(address)
        self._ask(
            _RTM_NEWNEIGH,
            _CREATE | _REPLACE,
            _NDMSG.pack(family, index, _NUD_PERMANENT, 0, 0)
            + _attribute(_NDA_DST, packed)
            + _attribute(_NDA_LLADDR, mac),
        )

    def is_running(self, index: int) -> bool:
        """Whether an interface passes frames: its carrier is there, and the kernel has put its queue in place."""
        answer = self._ask(_RTM_GETLINK, 0, _IFINFO.pack(0, 0, index, 0, 0), wants_ack=False)
        at = _HEADER.size + _IFINFO.size
        while at + 4 <= len(answer):
            length, kind = struct.unpack_from("=HH", answer, at)
            if length < 4:
                break
            if kind == _IFLA_OPERSTATE:
                return answer[at + 4] == _OPERSTATE_UP
            at += length + 3 & ~3
        return False

    def events(self) -> socket.socket:
        """A socket that becomes readable when an interface or an IPv6 address changes in the caller's namespace."""
        return self._open(_RTMGRP_LINK | _RTMGRP_IPV6_IFADDR)

    def wait_running(self, index: int, events: socket.socket, timeout: float) -> None:
        """Wait until an interface passes frames. `events` must have been opened before it was brought up.

        The kernel does that in a worker of its own, and drops without a word what is sent before.
        """
        self._wait(lambda: self.is_running(index), events, timeout)

    @staticmethod
    def _wait(holds: Callable[[], bool], events: socket.socket, timeout: float) -> None:
        end = time.monotonic() + timeout
        poll = select.poll()
        poll.register(events, select.POLLIN)
        while not holds():
            left = end - time.monotonic()
            if left <= 0:
                raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            if poll.poll(left * 1000):
                events.recv(65536)

    def _ask(self, kind: int, flags: int, body: bytes, *, wants_ack: bool = True) -> bytes:
        self._number += 1
        flags |= _REQUEST | (_ACK if wants_ack else 0)
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._number, 0) + body)
        while True:
            answer = self._socket.recv(65536)
            length, what, _, number, _ = _HEADER.unpack_from(answer)
            if number != self._number:
                continue
            if what == _NLMSG_ERROR:
                (code,) = struct.unpack_from("=i", answer, _HEADER.size)
                if code:
                    raise OSError(-code, os.strerror(-code))
            return answer[:length]

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
