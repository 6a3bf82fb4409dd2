"""Whether a test server on this host is well: `python -m lab.server.health`, for a container's HEALTHCHECK.

Says so in one line; exit code 0 well, 1 not. Needs no token: of the agent it asks only for a refusal.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys

TIMEOUT = 3.0
"""Seconds that each question may take."""


def check_echo(host: str, port: int) -> None:
    """Raises OSError or ValueError where the echo service does not send back what it is sent."""
    said = os.urandom(16)
    heard = b""
    with socket.create_connection((host, port), TIMEOUT) as asking:
        asking.sendall(said)
        asking.shutdown(socket.SHUT_WR)
        while data := asking.recv(64):
            heard += data
    if heard != said:
        raise ValueError("it does not echo")


def check_agent(host: str, port: int) -> None:
    """Raises OSError or ValueError where no agent refuses a wrong version of its protocol."""
    heard = b""
    with socket.create_connection((host, port), TIMEOUT) as asking:
        asking.sendall(b'{"id":0,"call":"hello","version":0}\n')
        while b"\n" not in heard and (data := asking.recv(4096)):
            heard += data
    try:
        kind = json.loads(heard)["error"]["kind"]
    except (ValueError, TypeError, KeyError):
        kind = None
    if kind != "version":
        raise ValueError("it is no agent of the lab")


def main(arguments: list[str] | None = None) -> int:
    """Ask as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lab.server.health", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--echo", type=int, default=7007, help="the echo service's port (%(default)s)")
    parser.add_argument("--control", type=int, help="the agent's port; not asked where it is left out")
    chosen = parser.parse_args(arguments)
    try:
        what = f"the echo service on port {chosen.echo}"
        check_echo(chosen.host, chosen.echo)
        if chosen.control is not None:
            what = f"the agent on port {chosen.control}"
            check_agent(chosen.host, chosen.control)
    except (OSError, ValueError) as error:
        print(f"not well: {what}: {error}", file=sys.stderr)
        return 1
    print("well")
    return 0


if __name__ == "__main__":
    sys.exit(main())
