"""Two hosts for a test: this process in one network namespace, `serve` in another, each with its own addresses.

Run as a program it makes both, in a user namespace where it must, reaches the server as its arguments say, opens a
connection over each family, and prints what came of it as JSON. So the test that runs it stays where it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from typing import Any

from lab.server.serve import Serving, serve
from lab.tcp.segment import ACK, SYN, Segment
from lab.tcp.sequence import Seq
from lab.testbed import namespaces
from lab.testbed.errors import CannotRun
from lab.testbed.host import Host
from lab.testbed.rtnetlink import Route
from lab.testbed.target import Target
from lab.wire.codec import Decoded, TcpFrame, decode, encode
from lab.wire.neighbours import answer

TOKEN = "a token for tests"
SERVER = {"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"}
OWN = {"ipv4": "198.51.100.10", "ipv6": "2001:db8::10"}
AT_ONCE = {"net.ipv6.conf.default.accept_dad": "0"}
UNLIMITED = {**AT_ONCE, "net.ipv4.tcp_invalid_ratelimit": "0"}
"""For stories, which send in a moment more that is out of window than a kernel would answer."""


def main(arguments: dict[str, Any]) -> dict[str, Any]:
    """Make the hosts and reach the server; `arguments` are those of the program."""
    there = enter(AT_ONCE)
    control = start_server(there, arguments.get("families", ["ipv4", "ipv6"]))
    set_up("lab0", OWN)
    forwards = str(arguments.get("forwards", 0))  # a new namespace has what the first one has
    namespaces.write_settings(
        {"net.ipv4.ip_forward": forwards, "net.ipv6.conf.all.forwarding": forwards}, required=True
    )
    try:
        with _reach(arguments, control) as testbed:
            return {"mac": testbed.peer_mac.hex(":"), "missing": testbed.way.missing, **_try(testbed)}
    except CannotRun as error:
        return {"cannot run": str(error)}


def enter(settings: dict[str, str]) -> int:
    """Make both namespaces with these settings, in a user namespace where it must be, and a veth pair between them.

    This process is in the one with `lab0` then; returns the other, with `srv0`. Neither has an address yet.
    """
    if not namespaces.may_make_namespaces():
        namespaces.enter_user_namespace()
    namespaces.enter_network_namespace()
    there = namespaces.current_network_namespace()
    namespaces.write_settings(settings, required=False)
    namespaces.enter_network_namespace()
    namespaces.write_settings(settings, required=False)
    with Route() as route:
        route.add_veth("lab0", bytes.fromhex("02aa00000002"), "srv0", bytes.fromhex("02aa00000001"), there)
        route.up(socket.if_nametoindex("lab0"))
    return there


def start_server(namespace: int, families: list[str]) -> int:
    """Serve in another namespace until this process goes; returns the agent's port."""
    reading, writing = os.pipe()
    parent = os.getpid()
    if not os.fork():
        namespaces.die_with(parent)
        namespaces.return_to(namespace)
        set_up("srv0", {family: SERVER[family] for family in families})

        def ready(serving: Serving) -> None:
            assert serving.control is not None
            os.write(writing, b"%d\n" % serving.control[1])

        serve({"echo": 7007, "websocket": 7080}, control=("0.0.0.0", 0), token=TOKEN, on_ready=ready)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        return int(lines.readline())


def set_up(interface: str, addresses: dict[str, str]) -> None:
    """Give this namespace's end of the pair its addresses, and wait until they can be used."""
    index = socket.if_nametoindex(interface)
    namespaces.without_offloads(interface)
    with Route() as route, contextlib.closing(route.events()) as events:
        route.up(socket.if_nametoindex("lo"))
        for family, address in addresses.items():
            route.add_address(index, address, 24 if family == "ipv4" else 64)
        route.up(index)
        route.wait_running(index, events, 10)
        if "ipv6" in addresses:
            route.wait_settled(index, addresses["ipv6"], events, 10)


def _reach(arguments: dict[str, Any], control: int) -> Host | Target:
    more = {"spare": arguments.get("spare"), "gateways": arguments.get("gateways")}
    if arguments["testbed"] == "host":
        token = arguments.get("token", TOKEN)
        return Host.open("lab0", ("198.51.100.1", arguments.get("control", control)), token, **more)
    return Target.open("lab0", arguments["target"], 7007, **more)


def _try(testbed: Host | Target) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for family in ("ipv4", "ipv6"):
        peer, server = testbed.peer_address(family), testbed.server_address(family)
        if peer is not None and server is not None:
            found[family] = _Connection(testbed, family, peer, server).outcome()
    return found


class _Connection:
    """A connection to the echo service, by hand, over a real (if virtual) network."""

    def __init__(self, testbed: Host | Target, family: str, peer: str, server: str) -> None:
        self.testbed, self.family, self.peer, self.server = testbed, family, peer, server
        self.others: set[str] = set()

    def send(self, segment: Segment) -> None:
        testbed = self.testbed
        frame = encode(
            segment,
            source=self.peer,
            destination=self.server,
            sport=5000,
            dport=7007,
            source_mac=testbed.peer_mac,
            destination_mac=testbed.server_mac,
        )
        testbed.link.send(frame)

    def received(self, seconds: float) -> list[Segment]:
        """What the server sends, as soon as there is something. Answers who asks for the peer's address meanwhile."""
        end = time.monotonic() + seconds
        segments: list[Segment] = []
        while not segments and (left := end - time.monotonic()) > 0:
            for captured in self.testbed.link.wait(left):
                decoded: Decoded = decode(captured.frame)
                if reply := answer(decoded, (self.peer,), self.testbed.peer_mac):
                    self.testbed.link.send(reply)
                if isinstance(decoded, TcpFrame) and decoded.destination == self.peer and not captured.outgoing:
                    segments.append(decoded.segment)
                elif captured.outgoing and not isinstance(decoded, TcpFrame) and self.peer in str(decoded):
                    self.others.add(f"this host's kernel: {decoded}")
        return segments

    def outcome(self) -> dict[str, Any]:
        """Open, have something echoed, and look for what this host's own kernel has to say about it."""
        self.send(Segment(SYN, Seq(0xFFFFFFFF)))
        syn_ack = self.received(5)[0]
        self.send(Segment(ACK, Seq(0), syn_ack.seq + 1, payload=b"echo"))
        echo = next(s for _ in range(10) for s in self.received(5) if s.payload)
        agent = self.testbed.agent
        state = agent.state(self.family, (self.server, 7007), (self.peer, 5000)) if agent else None
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            self.received(0.1)
        return {
            "peer": self.peer,
            "server": self.server,
            "ack": int(syn_ack.ack),
            "echo": echo.payload.decode(),
            "state": state,
            "others": sorted(self.others),
        }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
