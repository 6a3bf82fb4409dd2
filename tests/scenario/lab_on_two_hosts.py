"""The `lab` command on one of two hosts that a test makes: `python lab_on_two_hosts.py FAMILIES ARGUMENT ...`.

It takes the network of tests/testbed/two_hosts.py, and becomes `lab ARGUMENT ...`, with CONTROL for the agent's port.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "testbed"))

import two_hosts

from lab.testbed import namespaces
from lab.testbed.rtnetlink import Route


def main(families: list[str], arguments: list[str]) -> None:
    if not namespaces.may_make_namespaces():
        namespaces.enter_user_namespace()
    namespaces.enter_network_namespace()
    there = namespaces.current_network_namespace()
    quiet = {**two_hosts.AT_ONCE, "net.ipv4.tcp_invalid_ratelimit": "0"}
    namespaces.write_settings(quiet, required=False)
    namespaces.enter_network_namespace()
    namespaces.write_settings(quiet, required=False)
    with Route() as route:
        route.add_veth("lab0", bytes.fromhex("02aa00000002"), "srv0", bytes.fromhex("02aa00000001"), there)
        route.up(socket.if_nametoindex("lab0"))
    control = two_hosts._start_server(there, families)
    two_hosts._set_up("lab0", two_hosts.OWN)
    os.environ["LAB_TOKEN"] = two_hosts.TOKEN
    words = [word.replace("CONTROL", str(control)) for word in arguments]
    os.execv(sys.executable, [sys.executable, "-c", "from lab.cli import main; main()", *words])


if __name__ == "__main__":
    main(sys.argv[1].split(","), sys.argv[2:])
