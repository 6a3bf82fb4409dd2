"""Holds a network namespace with a veth pair for the tests, and does there what it is told. Run as a program.

va is the lab's end and has no address; vb is a kernel's: 198.51.100.1/24, 2001:db8::1/64; on vc and vd no kernel says
anything. All goes with the process. It gets and answers JSON, one object a line, on the socket named by its argument.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import json
import os
import socket
import struct
import sys
import time
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from lab.wire.errors import LinkError
from lab.wire.link import Link, packet_socket

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "unshare")


def enter() -> None:
    """A network namespace of our own; as an ordinary user in a user namespace of our own."""
    uid, gid = os.getuid(), os.getgid()
    try:
        unshare(CLONE_NEWNET)
    except PermissionError:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def make_pair(route: Any) -> None:
    for name in ("all", "default"):  # no router solicitations and listener reports of va's and vb's own
        Path(f"/proc/sys/net/ipv6/conf/{name}/accept_ra").write_text("0")
    route.link("add", ifname="va", kind="veth", peer={"ifname": "vb"})
    route.link("add", ifname="vc", kind="veth", peer={"ifname": "vd"})
    for name in ("va", "vc", "vd"):
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    Path("/proc/sys/net/ipv6/conf/vb/accept_dad").write_text("0")
    for name, mac in (
        ("va", "02:00:00:00:00:0a"),
        ("vb", "02:00:00:00:00:01"),
        ("vc", "02:00:00:00:00:0c"),
        ("vd", "02:00:00:00:00:0d"),
    ):
        index = route.link_lookup(ifname=name)[0]
        route.link("set", index=index, address=mac)
        route.link("set", index=index, state="up")
    for name in ("va", "vb", "vc", "vd"):  # it waits until they can send
        packet_socket(name).close()
    add_address(route, "198.51.100.1", 24)
    add_address(route, "2001:db8::1", 64)


def add_address(route: Any, address: str, prefix: int) -> None:
    """Gives vb's kernel an address, and waits until it also takes in what is sent to it.

    An IPv6 address may be sent from at once, but its local route comes a moment later, by a kernel worker.
    """
    index = route.link_lookup(ifname="vb")[0]
    if ":" not in address:
        route.addr("add", index=index, address=address, prefixlen=prefix)
        return
    route.addr("add", index=index, address=address, prefixlen=prefix, flags=0x02)  # IFA_F_NODAD
    local = f"{ip_address(address).packed.hex()} 80 "
    end = time.monotonic() + 10
    while not any(line.startswith(local) for line in Path("/proc/self/net/ipv6_route").read_text().splitlines()):
        if time.monotonic() > end:
            raise TimeoutError(f"{address} is not routed")
        time.sleep(0.001)


def obey(route: Any, order: dict[str, Any], channel: socket.socket) -> None:
    answer: dict[str, Any] = {}
    match order:
        case {"do": "open", "interface": interface}:
            with packet_socket(interface) as sock:
                fds = array.array("i", [sock.fileno()])
                channel.sendmsg([b'{"fd": 1}\n'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
            return
        case {"do": "try", "interface": interface}:
            try:
                Link.open(interface).close()
            except LinkError as error:
                answer["error"] = str(error)
        case {"do": "udp", "to": to, "data": data}:
            family = socket.AF_INET6 if ":" in to else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.sendto(data.encode(), (to, 9))
        case {"do": "address", "address": address, "prefix": prefix}:
            add_address(route, address, prefix)
        case {"do": "promiscuity", "interface": interface}:
            (found,) = route.get_links(route.link_lookup(ifname=interface)[0])
            answer["promiscuity"] = found.get_attr("IFLA_PROMISCUITY")
        case {"do": "state", "interface": interface, "state": state}:
            route.link("set", index=route.link_lookup(ifname=interface)[0], state=state)
            if state == "down" and interface in _OTHER_END:
                until_without_carrier(_OTHER_END[interface])
        case {"do": "delete", "interface": interface}:
            route.link("del", index=route.link_lookup(ifname=interface)[0])
    channel.sendall(json.dumps(answer).encode() + b"\n")


_OTHER_END = {"va": "vb", "vb": "va", "vc": "vd", "vd": "vc"}


def until_without_carrier(interface: str) -> None:
    """Wait until the kernel has noticed that an interface lost its other end: it takes a moment (linkwatch)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            request = struct.pack("16s24x", interface.encode())
            (flags,) = struct.unpack_from("=H", fcntl.ioctl(asking, 0x8913, request), 16)  # SIOCGIFFLAGS
            if not flags & 0x40:  # IFF_RUNNING
                return
            time.sleep(0.001)


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    try:
        enter()
        from pyroute2 import IPRoute

        route = IPRoute()
        make_pair(route)
    except Exception as error:
        channel.sendall(json.dumps({"cannot": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        return
    channel.sendall(b'{"ready": true}\n')
    with route, channel.makefile("rb") as orders:
        for line in orders:
            obey(route, json.loads(line), channel)


if __name__ == "__main__":
    main()
