"""The benchmark's helper processes: what each does in its namespace.

Each is started by exec and single-threaded, as setns(2) asks for. It speaks on a socketpair, one JSON object a line:
first `{"ready": facts}` or `{"obstacle": sentence}`, then an answer for every request. It ends when the other end does.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from lab.server.protocol import FAMILIES
from lab.server.services import listening
from lab.testbed import addresses, namespaces
from lab.testbed.rtnetlink import Route

PATIENCE: Final = 5
"""Seconds after which a connection on which nothing happens is given up."""
SERVER: Final = {"ipv4": "203.0.113.1", "ipv6": "2001:db8:1::1"}
"""The server's addresses on its second interface, towards the kernel that is the client (RFC 5737, RFC 3849)."""
CLIENT: Final = {"ipv4": "203.0.113.2", "ipv6": "2001:db8:1::2"}

_SIOCGSKNS: Final = 0x894C
_BACKLOG: Final = 1024
_LISTEN: Final = "0A"
_WITHIN: Final = 10.0
_QUIET: Final = {"net.ipv6.conf.default.accept_dad": "0", "net.ipv6.conf.default.dad_transmits": "0"}
# Who closes first keeps TIME-WAIT for a minute (RFC 9293 §3.6.1): at thousands a second all ports would soon be in it.
# With timestamps a port may be taken again after a second (RFC 6191), and 64,000 of them last for longer than that.
_MANY_CONNECTIONS: Final = {
    "net.ipv4.ip_local_port_range": "1024 65535",
    "net.ipv4.tcp_tw_reuse": "1",
    "net.ipv4.tcp_max_tw_buckets": "262144",
}

Message = dict[str, Any]


class Requests:
    """The channel to the benchmark."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self._lines = channel.makefile("rb")

    def say(self, message: Message) -> None:
        """Send one message. Raises OSError where the benchmark is gone."""
        self.channel.sendall(json.dumps(message).encode() + b"\n")

    def each(self, answer: Callable[[Message], Message], wait: Callable[[], None] = lambda: None) -> None:
        """Answer every request until the benchmark goes. `wait` returns when the channel can be read."""
        while True:
            wait()
            line = self._lines.readline()
            if not line:
                return
            self.say(answer(json.loads(line)))


def main(role: str, channel: socket.socket, parent: int, order: Message) -> None:
    """Be that helper of the process `parent`. What goes wrong is told as one sentence."""
    requests = Requests(channel)
    try:
        join(order["pid"])
        namespaces.die_with(parent)
        ROLES[role](order, requests)
    except (BrokenPipeError, ConnectionResetError):
        pass  # nobody wants it any more
    except Exception as error:
        with contextlib.suppress(OSError):
            requests.say({"obstacle": f"{error}" if isinstance(error, OSError) else f"{type(error).__name__}: {error}"})


def join(pid: int) -> None:
    """Enter the user namespace, where it is another, and the network namespace of a process. Raises OSError."""
    own, its = Path("/proc/self/ns/user"), Path(f"/proc/{pid}/ns/user")
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if own.readlink() != its.readlink():
        user = os.open(its, os.O_RDONLY | os.O_CLOEXEC)
        _enter(user)
        os.close(user)
    _enter(network)
    os.close(network)


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, 0) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


# The server's program


class Closer:
    """The server's program: takes a connection, reads to its end, closes; one after the other."""

    def __init__(self, listener: socket.socket) -> None:
        """`listener` does not block."""
        # Accepted sockets inherit it: nobody can hold the program up for ever.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", PATIENCE, 0))
        self.listener = listener
        self.ended = 0
        """Connections whose client said FIN, and nothing before."""
        self.broken = 0
        """Others: reset, with data, or silent for too long."""

    def take(self) -> None:
        """Serve the connections that are there."""
        while True:
            try:
                accepted, _ = self.listener.accept()
            except BlockingIOError:
                return
            with accepted:
                try:
                    whole = not accepted.recv(1)
                except OSError:
                    whole = False
            self.ended += whole
            self.broken += not whole

    def serve_until(self, other: socket.socket) -> None:
        """Serve until there is something to read on `other`."""
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        poll.register(other, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll()]
            if self.listener.fileno() in ready:
                self.take()
            else:
                return


def _server(order: Message, requests: Requests) -> None:
    """`{"within": seconds}`: what was counted so far, once no connection is left or that time is over."""
    family = order["family"]
    with listening(FAMILIES[family], "::" if family == "ipv6" else "0.0.0.0", 0, _BACKLOG) as listener:
        closer = Closer(listener)
        port = listener.getsockname()[1]

        def counts(request: Message) -> Message:
            end = time.monotonic() + request["within"]
            while (left := _left(family)) and time.monotonic() < end:
                closer.take()
                time.sleep(0.001)  # a connection's last ACK wakes nobody
            kernel = _tcp_counters()
            return {
                "ended": closer.ended,
                "broken": closer.broken,
                "left": left,
                "opened": kernel["PassiveOpens"],
                "reset": kernel["EstabResets"],
            }

        requests.say({"ready": {"port": port}})
        requests.each(counts, lambda: closer.serve_until(requests.channel))


def _left(family: str) -> int:
    """TCP connections that this network namespace's kernel still has, in any state."""
    table = Path("/proc/self/net/tcp6" if family == "ipv6" else "/proc/self/net/tcp").read_text()
    return sum(line.split()[3] != _LISTEN for line in table.splitlines()[1:])


def _tcp_counters() -> dict[str, int]:
    """The TCP counters of this network namespace's kernel (RFC 4022)."""
    both = [line.split()[1:] for line in Path("/proc/self/net/snmp").read_text().splitlines() if line[:4] == "Tcp:"]
    return dict(zip(both[0], map(int, both[1]), strict=True))


# The clients


def turns(seconds: float) -> Iterator[None]:
    """Goes on until that many seconds are over, once at least."""
    end = time.perf_counter() + seconds
    while True:
        yield
        if time.perf_counter() >= end:
            return


def timed(one: Callable[[], None], seconds: float) -> Message:
    """Do `one` again and again for that long; how often it was done, and how long that took."""
    count = 0
    began = time.perf_counter()
    for _ in turns(seconds):
        one()
        count += 1
    return {"connections": count, "seconds": time.perf_counter() - began}


def _kernel(order: Message, requests: Requests) -> None:
    """`{"seconds": n}`: connect() and close() for that long, from a namespace of its own that has an address."""
    _connect_namespaces()
    family, where = FAMILIES[order["family"]], (SERVER[order["family"]], order["port"])

    def one() -> None:
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.connect(where)
            client.shutdown(socket.SHUT_WR)
            if client.recv(1):
                raise OSError(0, "the server sent data")

    requests.say({"ready": {}})
    requests.each(lambda request: timed(one, request["seconds"]))


def _connect_namespaces() -> None:
    """Move from the server's namespace into a new one, with a veth pair between the two."""
    server = namespaces.current_network_namespace()
    namespaces.enter_network_namespace()
    client = namespaces.current_network_namespace()
    namespaces.write_settings({**_QUIET, **_MANY_CONNECTIONS}, required=False)
    with Route() as here, here.events() as events:
        here.add_veth("lab1", bytes.fromhex("020000000012"), "srv1", bytes.fromhex("020000000011"), server)
        namespaces.return_to(server)
        _address("srv1", SERVER)
        namespaces.return_to(client)
        index = _address("lab1", CLIENT)
        here.wait_running(index, events, _WITHIN)
        if Path("/proc/sys/net/ipv6").exists():
            here.wait_settled(index, CLIENT["ipv6"], events, _WITHIN)
    namespaces.return_to(server)
    with Route() as there, there.events() as events:
        there.wait_running(socket.if_nametoindex("srv1"), events, _WITHIN)
        if Path("/proc/sys/net/ipv6").exists():
            there.wait_settled(socket.if_nametoindex("srv1"), SERVER["ipv6"], events, _WITHIN)
    namespaces.return_to(client)
    os.close(server)
    os.close(client)


def _address(interface: str, given: dict[str, str]) -> int:
    """Give an interface of this namespace its addresses, the sandbox's way, and bring it up; its index."""
    index = socket.if_nametoindex(interface)
    namespaces.without_offloads(interface)
    with Route() as route:
        for family, address in given.items():
            if family == "ipv4" or Path("/proc/sys/net/ipv6").exists():
                route.add_address(index, address, addresses.PREFIX[family])
        route.up(index)
    return index


def _sr1(order: Message, requests: Requests) -> None:
    """`{"seconds": n}`: Scapy's `sr1()` for that long, from the sandbox's peer side."""
    # The packet socket that was passed on knows the namespace that it was opened in (SIOCGSKNS, Linux 4.10).
    namespace = fcntl.ioctl(order["link"], _SIOCGSKNS)
    _enter(namespace)
    os.close(namespace)
    os.close(order["link"])
    from lab.bench.tutorial import Tutorial  # Scapy looks at the interfaces when it is imported

    tutorial = Tutorial(order["family"], order["port"])
    requests.say({"ready": {}})
    requests.each(lambda request: timed(tutorial.open_and_close, request["seconds"]))


def _websockets(order: Message, requests: Requests) -> None:
    """`{"seconds": n, "ahead": n}`: the `websockets` client for that long, from the kernel client's namespace."""
    from lab.bench import by_websockets

    by_websockets.without_proxies()
    family, where = order["family"], (SERVER[order["family"]], order["port"])
    requests.say({"ready": {}})
    requests.each(lambda request: by_websockets.run(where, family, ahead=request["ahead"], seconds=request["seconds"]))


ROLES: Final[dict[str, Callable[[Message, Requests], None]]] = {
    "server": _server,
    "kernel": _kernel,
    "sr1": _sr1,
    "websockets": _websockets,
}
"""What a helper can be."""
