"""Two network namespaces and a veth pair: one of this folder's servers at one end, the kernel's own TCP at the other.

Run as a program of its own: `python raw_bench.py MODULE:FUNCTION CONTROL_FD ERRAND_FD`. It serves the control
connection from the server's namespace, and on the errand connection hands out sockets of the client's namespace: one
octet asks for one, "4" and "6" for TCP, "p" for a packet socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib
import os
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

SERVER = {"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"}
CLIENT = {"ipv4": "198.51.100.2", "ipv6": "2001:db8::2"}
FACTS = {"interface": "srv0", "mac": "02:00:00:00:00:01", "addresses": SERVER}

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCETHTOOL, ETHTOOL_STXCSUM, ETHTOOL_SGSO = 0x8946, 0x17, 0x24
PR_SET_PDEATHSIG = 1
READY = b"+"

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _offloads_off(interface: str) -> None:
    """Make the kernel write checksums itself: a stack by hand sees what would be on a cable."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in (ETHTOOL_STXCSUM, ETHTOOL_SGSO):
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            fcntl.ioctl(any_socket, SIOCETHTOOL, request)


def _die_with_parent(parent: int) -> None:
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != parent:
        os._exit(1)


def _namespaces() -> int:
    """Make both namespaces and the pair. Ends in the client's; returns a descriptor of the server's."""
    from pyroute2 import IPRoute

    if os.geteuid():
        uid, gid = os.getuid(), os.getgid()
        _check(_libc.unshare(CLONE_NEWUSER))
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _check(_libc.unshare(CLONE_NEWNET))
    server = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    _check(_libc.unshare(CLONE_NEWNET))
    Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")
    client = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    with IPRoute() as ip:
        ip.link("add", ifname="peer0", kind="veth", peer={"ifname": "srv0", "net_ns_fd": server})
        index = ip.link_lookup(ifname="peer0")[0]
        ip.addr("add", index=index, address=CLIENT["ipv4"], prefixlen=24)
        ip.addr("add", index=index, address=CLIENT["ipv6"], prefixlen=64, flags=0x02)  # no duplicate detection
        ip.link("set", index=index, state="up")
    _offloads_off("peer0")
    _check(_libc.setns(server, CLONE_NEWNET))
    with IPRoute() as ip:
        index = ip.link_lookup(ifname="srv0")[0]
        ip.link("set", index=index, address=FACTS["mac"])
        ip.link("set", index=index, state="up")
    _check(_libc.setns(client, CLONE_NEWNET))
    os.close(client)
    return server


def _errands(errands: socket.socket) -> None:
    while wanted := errands.recv(1):
        if wanted == b"p":
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            made.bind(("peer0", 3))
        else:
            made = socket.socket(socket.AF_INET6 if wanted == b"6" else socket.AF_INET, socket.SOCK_STREAM)
        with made:
            socket.send_fds(errands, [wanted], [made.fileno()])


def main(entry: str, control_fd: int, errand_fd: int) -> None:
    """Be the bench until the errand connection ends."""
    _die_with_parent(os.getppid())
    module, function = entry.split(":")
    serve = getattr(importlib.import_module(module), function)
    errands = socket.socket(fileno=errand_fd)
    control = socket.socket(fileno=control_fd)
    try:
        server = _namespaces()
    except OSError as problem:
        errands.sendall(str(problem).encode())
        return
    parent = os.getpid()
    if os.fork() == 0:
        _die_with_parent(parent)
        errands.close()
        _check(_libc.setns(server, CLONE_NEWNET))
        serve(control, FACTS)
        os._exit(0)
    control.close()
    errands.sendall(READY)
    _errands(errands)


class Bench:
    """The test's end: the control connection of the server, and sockets of the client's kernel."""

    def __init__(self, control: socket.socket, errands: socket.socket) -> None:
        self.control, self._errands = control, errands

    def socket(self, kind: str) -> socket.socket:
        """A new socket in the client's namespace: "ipv4", "ipv6" or "packet"."""
        self._errands.sendall({"ipv4": b"4", "ipv6": b"6", "packet": b"p"}[kind])
        _, (fd,), _, _ = socket.recv_fds(self._errands, 1, 1)
        made = socket.socket(fileno=fd)
        made.settimeout(10)
        return made


class BenchRefused(Exception):
    """This machine allows no namespaces."""


@contextlib.contextmanager
def bench(entry: str) -> Iterator[Bench]:
    """A server in a sandbox of its own. Raises BenchRefused where the system forbids that."""
    import subprocess

    control, control_far = socket.socketpair()
    errands, errands_far = socket.socketpair()
    with control, errands:
        with control_far, errands_far:
            fds = (control_far.fileno(), errands_far.fileno())
            process = subprocess.Popen(
                [sys.executable, __file__, entry, *map(str, fds)], pass_fds=fds, cwd=Path(__file__).parent
            )
        try:
            if (said := errands.recv(4096)) != READY:
                raise BenchRefused(said.decode() or "the bench ended without a word")
            yield Bench(control, errands)
        finally:
            control.close()
            errands.close()
            process.wait(10)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
