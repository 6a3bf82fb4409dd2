"""What this host knows of one of its interfaces: its networks, the gateways behind it, whether it forwards."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import socket
import struct
from pathlib import Path
from typing import Final

_SIOCGIFADDR: Final = 0x8915
_SIOCGIFNETMASK: Final = 0x891B
_SIOCGIFFLAGS: Final = 0x8913
_IFF_LOOPBACK: Final = 0x8
_GATEWAY: Final = 0x2
_GLOBAL: Final = "00"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(interface: str) -> dict[str, Network]:
    """The interface's networks by family ("ipv4", "ipv6"), the first of each; those of link-local scope left out."""
    found: dict[str, Network] = {}
    request = struct.pack("16s24x", interface.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, contextlib.suppress(OSError):
        address, mask = (
            socket.inet_ntoa(fcntl.ioctl(asking, what, request)[20:24]) for what in (_SIOCGIFADDR, _SIOCGIFNETMASK)
        )
        found["ipv4"] = ipaddress.ip_network(f"{address}/{mask}", strict=False)
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            raw, _, prefix, scope, _, name = line.split()
            if name == interface and scope == _GLOBAL:
                network = ipaddress.IPv6Network((int(raw, 16), int(prefix, 16)), strict=False)
                if network.prefixlen < 128:
                    found.setdefault("ipv6", network)
    return found


def default_gateway(interface: str, family: str) -> str | None:
    """The gateway of the default route over this interface, None where there is none."""
    if family == "ipv4":
        with contextlib.suppress(OSError):
            for line in Path("/proc/net/route").read_text().splitlines()[1:]:
                name, destination, gateway, flags, *_ = line.split()
                if name == interface and destination == "00000000" and int(flags, 16) & _GATEWAY:
                    return socket.inet_ntoa(struct.pack("=I", int(gateway, 16)))
        return None
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/ipv6_route").read_text().splitlines():
            destination, prefix, _, _, gateway, _, _, _, flags, name = line.split()
            if name == interface and int(prefix, 16) == 0 and int(flags, 16) & _GATEWAY:
                return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(gateway))
    return None


def is_loopback(interface: str) -> bool:
    """Whether it is this machine's way to itself."""
    request = struct.pack("16s24x", interface.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, contextlib.suppress(OSError):
        (flags,) = struct.unpack_from("=H", fcntl.ioctl(asking, _SIOCGIFFLAGS, request), 16)
        return bool(flags & _IFF_LOOPBACK)
    return False


def forwards(interface: str) -> bool:
    """Whether this host passes on what comes in on this interface for other hosts."""
    for family in ("ipv4", "ipv6"):
        with contextlib.suppress(OSError):
            if Path(f"/proc/sys/net/{family}/conf", interface, "forwarding").read_text().strip() == "1":
                return True
    return False


def mac_beside(mac: bytes) -> bytes:
    """A MAC address that is nobody's: locally administered, derived from `mac` and different from it."""
    return bytes([(mac[0] & 0xFC | 0x02) ^ (0x04 if mac[0] & 0x02 else 0)]) + mac[1:]
