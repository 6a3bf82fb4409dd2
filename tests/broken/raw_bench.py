"""Two network namespaces and a veth pair: one of this folder's servers at one end, the kernel's own TCP at the other.

Run as a program of its own: `python raw_bench.py MODULE:FUNCTION CONTROL_FD ERRAND_FD`. It serves the control
connection from the server's namespace, and on the errand connection hands out sockets of the client's namespace: one
octet asks for one, "4" and "6" for TCP, "p" for a packet socket.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SERVER = {"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"}
CLIENT = {"ipv4": "198.51.100.2", "ipv6": "2001:db8::2"}
FACTS = {"interface": "srv0", "mac": "02:00:00:00:00:01", "addresses": SERVER}
READY = b"+"
PATIENCE = 10.0


def _namespaces() -> tuple[int, int]:
    """Make both namespaces and the pair: descriptors of the server's and of the client's."""
    # The plumbing is the lab's own; what is on trial here is TCP.
    from lab.testbed import namespaces
    from lab.testbed.rtnetlink import Route

    if not namespaces.may_make_namespaces():
        namespaces.enter_user_namespace()
    namespaces.enter_network_namespace()
    server = namespaces.current_network_namespace()
    namespaces.write_settings({"net.ipv6.conf.default.disable_ipv6": "1"}, required=False)
    namespaces.enter_network_namespace()
    client = namespaces.current_network_namespace()
    quiet = {"net.ipv6.conf.default.accept_dad": "0", "net.ipv6.conf.default.dad_transmits": "0"}
    namespaces.write_settings(quiet, required=False)
    with Route() as here, here.events() as events:
        here.add_veth("peer0", b"\2\0\0\0\0\2", "srv0", b"\2\0\0\0\0\1", server)
        index = socket.if_nametoindex("peer0")
        namespaces.without_offloads("peer0")
        here.add_address(index, CLIENT["ipv4"], 24)
        here.add_address(index, CLIENT["ipv6"], 64)
        here.up(index)
        namespaces.return_to(server)
        with Route() as there, there.events() as its_events:
            its_index = socket.if_nametoindex("srv0")
            there.up(its_index)
            there.wait_running(its_index, its_events, PATIENCE)
        here.wait_running(index, events, PATIENCE)
        while here.is_tentative(index, CLIENT["ipv6"]):
            events.recv(65536)
    return server, client


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
    from lab.testbed import namespaces

    namespaces.die_with(os.getppid())
    module, function = entry.split(":")
    serve = getattr(importlib.import_module(module), function)
    errands = socket.socket(fileno=errand_fd)
    control = socket.socket(fileno=control_fd)
    try:
        server, client = _namespaces()
    except OSError as problem:
        errands.sendall(str(problem).encode())
        return
    parent = os.getpid()
    if os.fork() == 0:
        namespaces.die_with(parent)
        errands.close()
        namespaces.return_to(server)
        serve(control, FACTS)
        os._exit(0)
    control.close()
    namespaces.return_to(client)
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
        made.settimeout(PATIENCE)
        return made


class BenchRefused(Exception):
    """This machine allows no namespaces."""


@contextlib.contextmanager
def bench(entry: str) -> Iterator[Bench]:
    """A server in a sandbox of its own. Raises BenchRefused where the system forbids that."""
    control, control_far = socket.socketpair()
    errands, errands_far = socket.socketpair()
    with control, errands:
        with control_far, errands_far:
            fds = (control_far.fileno(), errands_far.fileno())
            process = subprocess.Popen(
                [sys.executable, __file__, entry, *map(str, fds)],
                pass_fds=fds,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )
        try:
            if (said := errands.recv(4096)) != READY:
                raise BenchRefused(said.decode() or "the bench ended without a word")
            yield Bench(control, errands)
        finally:
            control.close()
            errands.close()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()  # nothing to one that has ended
                process.wait()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
