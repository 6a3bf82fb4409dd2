"""The agent: does the socket calls it is told to, and reports what the kernel has of them.

One controller over a socketpair in the sandbox (`run_on`), any number of them over TCP elsewhere (`Listening`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lab.server.control import Control
from lab.server.services import Handler, Services, listening
from lab.server.sockets import KernelSockets
from lab.server.words import Words

_SIOCGIFADDR: Final = 0x8915
_GLOBAL: Final = "00"
"""Scope of a global (or documentation) address in /proc/net/if_inet6."""


def run_on(channel: socket.socket, addresses: dict[str, str | None], *, websocket: Handler | None = None) -> None:
    """Serve the one controller at the other end of `channel`, until it goes. Needs no token: who holds it may.

    `websocket` serves the connections of that service in place of the lab's own program.
    """
    asyncio.run(_run_on(channel, addresses, websocket))


async def _run_on(channel: socket.socket, addresses: dict[str, str | None], websocket: Handler | None) -> None:
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    services = Services(websocket=websocket)
    channel.setblocking(False)
    await loop.connect_accepted_socket(
        lambda: Control(
            lambda transport: KernelSockets(addresses, services.start, services.words, services.faults),
            token=None,
            gone=lambda control: gone.set(),
        ),
        channel,
    )
    await gone.wait()
    await services.close()


class Listening:
    """The agent on a TCP port, for those who know the token. Runs in the caller's event loop."""

    def __init__(
        self, *, token: str, services: Callable[[], dict[str, int]] = dict, words: Words | None = None
    ) -> None:
        """`services` says the ports of the services that run beside it, `words` what the WebSocket one was told.

        Raises ValueError for an empty token.
        """
        if not token:
            raise ValueError("the control port needs a token: whoever reaches it could open any connection otherwise")
        self._token = token
        self._services = services
        self._words = words
        self._controls: set[Control] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen on `host` and `port` (0: the kernel chooses); returns the port. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = listening(family, host, port)
        self._server = await asyncio.get_running_loop().create_server(self._control, sock=listener)
        return int(listener.getsockname()[1])

    def _control(self) -> Control:
        control = Control(self._backend, token=self._token, gone=self._controls.discard)
        self._controls.add(control)
        return control

    def _backend(self, transport: asyncio.Transport) -> KernelSockets:
        control: socket.socket = transport.get_extra_info("socket")
        # A controller whose host vanished says no FIN: ask it now and then whether it is still there.
        control.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, seconds in ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
            control.setsockopt(socket.IPPROTO_TCP, option, seconds)
        control.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000)
        return KernelSockets(own_addresses(transport.get_extra_info("sockname")[0]), self._services, self._words)

    async def close(self) -> None:
        """Stop listening, send every controller away and close what they had opened."""
        if self._server is None:
            return
        self._server.close()
        for control in list(self._controls):
            control.close()
        while self._controls:
            await asyncio.sleep(0)
        await self._server.wait_closed()
        self._server = None


def own_addresses(reached_at: str) -> dict[str, str | None]:
    """This host's addresses by family, as they stand on the interface that has `reached_at`.

    `reached_at` is the address at which a controller reached it; that one is taken for its own family.
    """
    ipv4 = _ipv4_by_interface()
    ipv6 = _ipv6_by_interface()
    found: dict[str, str | None] = {"ipv4": None, "ipv6": None}
    for known, family, other, of_other in ((ipv4, "ipv4", "ipv6", ipv6), (ipv6, "ipv6", "ipv4", ipv4)):
        for interface, address in known.items():
            if address == reached_at:
                return {**found, family: address, other: of_other.get(interface)}
    return {**found, "ipv6" if ":" in reached_at else "ipv4": reached_at}


def _ipv4_by_interface() -> dict[str, str]:
    found: dict[str, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack("16s24x", name.encode())
            with contextlib.suppress(OSError):
                found[name] = socket.inet_ntoa(fcntl.ioctl(asking, _SIOCGIFADDR, request)[20:24])
    return found


def _ipv6_by_interface() -> dict[str, str]:
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            raw, _, _, scope, _, name = line.split()
            if scope == _GLOBAL or name == "lo":
                found.setdefault(name, socket.inet_ntop(socket.AF_INET6, bytes.fromhex(raw)))
    return found
