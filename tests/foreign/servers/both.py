"""What these servers share: to listen at every address, of either family, and to wait until another does."""

from __future__ import annotations

import os
import socket
import time

PATIENCE = 60.0
"""Seconds that a server may take to start, on a busy machine."""


def listen(port: int) -> list[socket.socket]:
    """A listening socket for IPv4 and one for IPv6."""
    sockets = []
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        listening = socket.socket(family)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(100)
        listening.setblocking(False)
        sockets.append(listening)
    return sockets


def wait_for(address: str, port: int, child: int) -> None:
    """Wait until the server, our process `child`, takes connections there.

    Raises SystemExit where it ends or takes too long.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection((address, port), timeout=PATIENCE).close()
            return
        except ConnectionRefusedError:  # not yet
            if os.waitpid(child, os.WNOHANG)[0] or time.monotonic() > end:
                raise SystemExit(f"the foreign server does not listen on {address} port {port}") from None
            time.sleep(0.01)
