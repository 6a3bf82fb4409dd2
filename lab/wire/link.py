"""One packet socket kept open on one interface: every frame that comes, none of those it sent itself.

A packet socket is not shown what it sends itself, but is shown what the local kernel sends (`Captured.outgoing`), so a
RST that the lab did not send cannot hide. The kernel counts what it captured and what it had to drop.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import select
import socket
import struct
import time
from array import array
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from lab.wire import offload
from lab.wire.errors import FrameTooLong, LinkError

SNAPLEN: Final = 256 * 1024
"""Octets kept of a frame: more than any frame has, merged ones (GRO, BIG TCP below 256 KiB) included."""
RECEIVE_BUFFER: Final = 32 * 1024 * 1024
"""Octets asked of the kernel for frames not yet read."""
AT_MOST: Final = 65536
"""Frames that one `drain` returns at most, so that a flood cannot hold its caller for ever."""
CARRIER_WITHIN: Final = 2.0
"""Seconds that an interface has to come up entirely. Until then the kernel silently drops what is sent on it."""

# From linux/if_packet.h, linux/if_ether.h, asm-generic/socket.h, linux/sockios.h: Python's socket lacks these.
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_STATISTICS = 6
_PACKET_AUXDATA = 8
_PACKET_VNET_HDR = 15
_PACKET_MR_PROMISC = 1
_TP_STATUS_CSUMNOTREADY = 1 << 3
_TP_STATUS_VLAN_VALID = 1 << 4
_TP_STATUS_VLAN_TPID_VALID = 1 << 6
_ETH_P_ALL = 0x0003
_ARPHRD_ETHER = 1
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_SIOCGIFFLAGS = 0x8913
_SIOCGIFHWADDR = 0x8927
_SIOCGIFINDEX = 0x8933
_SIOCETHTOOL = 0x8946
_ETHTOOL_GLINK = 0x0A
_IFF_UP = 1
_IFF_LOOPBACK = 8
_IFF_RUNNING = 0x40

_AUXDATA = struct.Struct("=IIIHHHH")
_TIMESPEC = struct.Struct("@ll")
_ANCILLARY = socket.CMSG_SPACE(_AUXDATA.size) + socket.CMSG_SPACE(_TIMESPEC.size) + 64


@dataclass(frozen=True, slots=True)
class Captured:
    """One frame as the kernel handed it over."""

    frame: bytes
    """From the Ethernet header on; a VLAN tag that the kernel took off is put back."""
    timestamp: float
    """Seconds since the epoch, the kernel's clock."""
    outgoing: bool = False
    """Sent by the local kernel, that is, not by the lab."""
    checksum_ready: bool = True
    """False where the sender left the checksum to hardware that the frame never met: it says nothing then."""
    length: int = 0
    """Octets on the wire; more than `len(frame)` where the frame was cut."""


def packet_socket(interface: str, *, carrier: bool = True) -> socket.socket:
    """A packet socket bound to `interface`, set up as `Link` needs it, in the caller's network namespace.

    Without `carrier` the interface may still be without one: its other end is brought up later.

    Raises LinkError: no right to open one, no such interface, not Ethernet, or down.
    """
    try:
        # Protocol 0: nothing is captured before bind, hence no frame of another interface.
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    except PermissionError as error:
        raise LinkError(
            "The lab may not open packet sockets here: run it as root, with the capability CAP_NET_RAW, "
            "or in the default sandbox."
        ) from error
    except OSError as error:
        raise LinkError(
            f"This system offers no packet sockets ({error.strerror}): run the lab on Linux with CONFIG_PACKET."
        ) from error
    try:
        _configure(sock, interface, carrier=carrier)
        sock.bind((interface, _ETH_P_ALL))
    except OSError as error:
        sock.close()
        raise LinkError(_explain(error, interface)) from error
    except LinkError:
        sock.close()
        raise
    return sock


class Link:
    """A packet socket on one interface. Not for several threads at once."""

    def __init__(self, sock: socket.socket, interface: str) -> None:
        """Takes over `sock`, which must be as `packet_socket` makes it. Use `open` or `adopt`."""
        self._socket = sock
        self._cuts = False
        self.interface = interface
        self.mac = _mac(sock, interface)
        self._buffer = bytearray(SNAPLEN)
        self._view = memoryview(self._buffer)
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)
        self._captured = 0
        self._dropped = 0

    @classmethod
    def open(cls, interface: str) -> Link:
        """Opens a packet socket on `interface`. Raises LinkError, see `packet_socket`."""
        sock = packet_socket(interface)
        try:
            link = cls(sock, interface)
            with contextlib.suppress(OSError):  # then merged frames stay merged
                sock.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
                link._cuts = True
            return link
        except BaseException:
            sock.close()
            raise

    @classmethod
    def adopt(cls, fd: int, interface: str) -> Link:
        """Takes over a bound packet socket from elsewhere, of another network namespace perhaps; it owns `fd` then.

        Raises LinkError where `fd` is no packet socket, or `interface` is not in its namespace; `fd` is closed then.
        """
        try:
            sock = socket.socket(fileno=fd)
        except OSError as error:
            raise LinkError(f"File descriptor {fd} is no socket ({error.strerror}).") from error
        try:
            if sock.family != socket.AF_PACKET:
                raise LinkError(f"File descriptor {fd} is no packet socket.")
            _configure(sock, interface, carrier=True)
            return cls(sock, interface)
        except OSError as error:
            sock.close()
            raise LinkError(_explain(error, interface)) from error
        except BaseException:
            sock.close()
            raise

    def send(self, frame: bytes) -> None:
        """Sends one whole frame, from the Ethernet header on. On a veth pair the other kernel has handled it on return.

        Raises LinkError where the interface is gone or down, or the frame is longer than it takes.
        """
        try:
            self._socket.send(offload.PLAIN + frame if self._cuts else frame)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                self.check()  # an interface without a carrier has no room either
            kind = FrameTooLong if error.errno == errno.EMSGSIZE else LinkError
            raise kind(_explain(error, self.interface, len(frame))) from error

    def drain(self) -> list[Captured]:
        """All frames queued now, oldest first, without waiting. Raises LinkError where the interface is down."""
        found: list[Captured] = []
        receive, view = self._socket.recvmsg_into, self._view
        buffers = [view]
        for _ in range(AT_MOST):
            try:
                size, ancillary, _, address = receive(buffers, _ANCILLARY, socket.MSG_DONTWAIT | socket.MSG_TRUNC)
            except BlockingIOError:
                break
            except OSError as error:
                raise LinkError(_explain(error, self.interface)) from error
            frame = view[: min(size, SNAPLEN)].tobytes()
            if not self._cuts:
                found.append(_captured(frame, size, ancillary, address[2]))
                continue
            header, frame = frame[: offload.HEADER.size], frame[offload.HEADER.size :]
            whole = _captured(frame, size - offload.HEADER.size, ancillary, address[2])
            if len(pieces := offload.segments(whole.frame, header)) == 1:
                found.append(whole)
            else:
                found += [replace(whole, frame=piece, length=len(piece)) for piece in pieces]
        return found

    def wait(self, timeout: float) -> list[Captured]:
        """The frames queued, as soon as there is one; [] where none came within `timeout` seconds."""
        end = time.monotonic() + timeout
        while not (found := self.drain()):
            left = end - time.monotonic()
            if left <= 0:
                break
            self._poll.poll(math.ceil(left * 1000))
        return found

    def check(self) -> None:
        """Raises LinkError where the interface is gone, down or without a carrier: then nothing comes and goes."""
        try:
            _flags(self._socket, self.interface)
            carries = _has_carrier(self._socket, self.interface)
        except OSError as error:
            raise LinkError(_explain(error, self.interface)) from error
        if not carries:
            raise LinkError(_no_carrier(self.interface))

    def statistics(self) -> tuple[int, int]:
        """Frames captured for this socket, and frames dropped for want of room, since it was opened.

        Captured ones are those that were read or still are to be read; the two together are all there were.
        """
        try:
            raw = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        except OSError as error:
            raise LinkError(_explain(error, self.interface)) from error
        both, dropped = struct.unpack("=II", raw)  # reading sets them to zero: packet(7)
        self._captured += both - dropped
        self._dropped += dropped
        return self._captured, self._dropped

    def fileno(self) -> int:
        """For `select` and its like; -1 once closed."""
        return self._socket.fileno()

    def close(self) -> None:
        """Closes the socket. A second time it does nothing."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _captured(frame: bytes, size: int, ancillary: list[tuple[int, int, bytes]], kind: int) -> Captured:
    timestamp, ready = 0.0, True
    for level, what, data in ancillary:
        if what == _SO_TIMESTAMPNS and level == socket.SOL_SOCKET:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            timestamp = seconds + nanoseconds * 1e-9
        elif what == _PACKET_AUXDATA and level == _SOL_PACKET and len(data) >= _AUXDATA.size:
            status, size, _, _, _, tag, protocol = _AUXDATA.unpack_from(data)
            ready = not status & _TP_STATUS_CSUMNOTREADY
            if status & _TP_STATUS_VLAN_VALID:
                protocol = protocol if status & _TP_STATUS_VLAN_TPID_VALID else 0x8100
                frame = frame[:12] + struct.pack("!HH", protocol, tag) + frame[12:]
                size += 4
    # A frame queued before an adopted socket was set up carries no time of its own.
    return Captured(frame, timestamp or time.time(), kind == socket.PACKET_OUTGOING, ready, size)


def _configure(sock: socket.socket, interface: str, *, carrier: bool) -> None:
    """The socket's options. All can be set on a bound socket too."""
    flags = _wait_until_running(sock, interface) if carrier else 0
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if not flags & _IFF_LOOPBACK:
        # The multicast MAC of our solicited-node address is in no filter of the interface (RFC 4861 §7.2.1).
        (index,) = struct.unpack_from("=i", _ask(sock, _SIOCGIFINDEX, interface), 16)
        sock.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, struct.pack("=iHH8s", index, _PACKET_MR_PROMISC, 0, b""))


def _wait_until_running(sock: socket.socket, interface: str) -> int:
    """The interface's flags once it can send: a carrier that just came is noticed by the kernel a moment later."""
    end = time.monotonic() + CARRIER_WITHIN
    while True:
        flags = _flags(sock, interface)
        if flags & _IFF_RUNNING:
            return flags
        if time.monotonic() > end:
            raise LinkError(_no_carrier(interface))
        time.sleep(0.0005)


def _flags(sock: socket.socket, interface: str) -> int:
    """The flags of an interface that is up. Raises LinkError where it is not."""
    flags: int = struct.unpack_from("=H", _ask(sock, _SIOCGIFFLAGS, interface), 16)[0]
    if not flags & _IFF_UP:
        raise LinkError(f"Interface {interface} is down: bring it up with `ip link set {interface} up`.")
    return flags


def _has_carrier(sock: socket.socket, interface: str) -> bool:
    """Asked of the device itself: IFF_RUNNING follows up to a second later. One that cannot say has it."""
    answer = array("I", [_ETHTOOL_GLINK, 1])
    request = struct.pack("16sP16x", interface.encode(), answer.buffer_info()[0])
    try:
        fcntl.ioctl(sock.fileno(), _SIOCETHTOOL, request)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
    return bool(answer[1])


def _no_carrier(interface: str) -> str:
    return f"Interface {interface} has no carrier: plug it in, or bring its other end up."


def _mac(sock: socket.socket, interface: str) -> bytes:
    try:
        raw = _ask(sock, _SIOCGIFHWADDR, interface)
    except OSError as error:
        raise LinkError(_explain(error, interface)) from error
    (kind,) = struct.unpack_from("=H", raw, 16)
    if kind not in (_ARPHRD_ETHER, socket.AF_UNSPEC, 772):  # 772: loopback, whose frames have Ethernet headers too
        raise LinkError(f"Interface {interface} is not Ethernet: name one that is (see `ip -details link`).")
    return raw[18:24]


def _ask(sock: socket.socket, request: int, interface: str) -> bytes:
    """An interface ioctl, asked of the socket so that its own network namespace answers."""
    name = interface.encode()
    if not 0 < len(name) < 16:
        raise OSError(errno.ENODEV, "No such device")
    return fcntl.ioctl(sock.fileno(), request, struct.pack("16s24x", name))


def _explain(error: OSError, interface: str, size: int = 0) -> str:
    match error.errno:
        case errno.ENODEV | errno.ENXIO:
            return f"There is no interface {interface}: `ip -brief link` lists those that there are."
        case errno.ENETDOWN:
            return f"Interface {interface} is down: bring it up with `ip link set {interface} up`."
        case errno.EMSGSIZE:
            return f"A frame of {size} octets is longer than {interface} takes: send less data at once."
        case errno.EPERM | errno.EACCES:
            return f"The lab may not use {interface} so: run it as root or with the capability CAP_NET_RAW."
        case errno.EBADF:
            return f"The link on {interface} is closed: open it anew."
        case _:
            return f"The link on {interface} failed ({error.strerror}): see `ip -statistics link show {interface}`."
