"""The `lab` command on one of two hosts, a foreign WebSocket server on the other: `rig.py SERVER ARGUMENT ...`.

It makes two network namespaces and a veth pair, in a user namespace where it must, and starts SERVER (a file of
servers/, after a colon its argument) on port 8080 in one of them. When that takes connections it becomes `lab ARGUMENT
...` in the other. The server ends with it, and leaves what it said in `server.log`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "testbed"), str(HERE / "servers")]

import two_hosts  # noqa: E402  from tests/testbed
from both import wait_for  # noqa: E402  from tests/foreign/servers

from lab.testbed import namespaces  # noqa: E402

PORT = 8080


def main(server: str, arguments: list[str]) -> None:
    there = two_hosts.enter(two_hosts.UNLIMITED)
    child = _start(server, there)
    two_hosts.set_up("lab0", two_hosts.OWN)
    for address in two_hosts.SERVER.values():
        wait_for(address, PORT, child)
    os.execv(sys.executable, [sys.executable, "-c", "from lab.cli import main; main()", *arguments])


def _start(server: str, namespace: int) -> int:
    """Start the server in that namespace, until this process goes; returns its process's number."""
    name, _, argument = server.partition(":")
    parent = os.getpid()
    ready, started = os.pipe()
    child = os.fork()
    if child:
        os.close(started)
        os.read(ready, 1)  # its addresses are settled, or it is gone
        os.close(ready)
        return child
    try:
        namespaces.die_with(parent)
        namespaces.return_to(namespace)
        two_hosts.set_up("srv0", two_hosts.SERVER)
        os.write(started, b"!")
        log = os.open("server.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)  # what it says is not the lab's
        os.dup2(log, 1)
        os.dup2(log, 2)
        program = str(HERE / "servers" / f"{name}.py")
        os.execv(sys.executable, [sys.executable, program, str(PORT), argument])
    finally:
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
