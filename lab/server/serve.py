"""The test server by itself: the services on their ports, and an agent for those who know the token."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lab.server.agent import Listening
from lab.server.errors import ServeError
from lab.server.services import NAMES, PORTS, PortError, Services

CONTROL_PORT: Final = 7000
"""The agent's port, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served, once it is."""

    services: Mapping[str, int] = field(default_factory=dict)
    """The port of each service."""
    control: tuple[str, int] | None = None
    """Address and port of the agent; None where there is none."""


def serve(
    ports: Mapping[str, int] = PORTS,
    *,
    control: tuple[str, int] | None = None,
    token: str | None = None,
    on_ready: Callable[[Serving], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; returns then, with everything closed. For the main thread.

    `ports` names the services (those of `lab.server.services.NAMES`) and their ports, IPv4 and IPv6; 0: the kernel
    chooses. `control` is where the agent listens, "0.0.0.0" or "::" for every address; it needs a `token`. `on_ready`
    is called when all ports are open. Raises ServeError.
    """
    unknown = sorted(set(ports) - set(NAMES))
    if unknown:
        raise ServeError(f"There is no service {unknown[0]!r}: there are {', '.join(NAMES)}.")
    if control is not None and not token:
        raise ServeError("The control port needs a token: give one, the same to the server and to the lab.")
    asyncio.run(_serve(ports, control, token or "", on_ready))


def _why_no_port(error: PortError) -> str:
    if error.errno == errno.EACCES:
        step = f"Ports below 1024 need root: choose another, --service {error.service}=8080 say."
    elif error.errno == errno.EADDRINUSE:
        step = f"Does it run already? --service {error.service}=0 lets the kernel choose."
    else:
        step = "Choose another."
    return f"{error.service} cannot have port {error.port}: {error.strerror}. {step}"


async def _serve(
    ports: Mapping[str, int],
    control: tuple[str, int] | None,
    token: str,
    on_ready: Callable[[Serving], None] | None,
) -> None:
    loop = asyncio.get_running_loop()
    enough = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, enough.set)
    services = Services(ports)
    agent: Listening | None = None
    try:
        try:
            open_ports = services.start()
        except PortError as error:
            raise ServeError(_why_no_port(error)) from error
        reached: tuple[str, int] | None = None
        if control is not None:
            agent = Listening(token=token, services=services.start, words=services.words)
            try:
                reached = control[0], await agent.start(*control)
            except OSError as error:
                raise ServeError(
                    f"The agent cannot listen on {control[0]} port {control[1]} ({error.strerror}): choose another."
                ) from error
        if on_ready is not None:
            on_ready(Serving(open_ports, reached))
        await enough.wait()
    finally:
        if agent is not None:
            await agent.close()
        await services.close()
