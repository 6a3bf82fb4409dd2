"""What a scenario asks of the server that it is played against, and which server offers it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Needs(StrEnum):
    """What a scenario needs; a server may offer several."""

    AGENT = "agent"
    """A server whose program does what the script says."""
    LISTENER = "listener"
    """Any TCP server: told nothing and asked nothing."""
    WEBSOCKET = "websocket"
    """Any WebSocket server (RFC 6455), whatever it does with messages."""
    ECHO = "echo"
    """A WebSocket server that sends each message back."""
    SERVICES = "services"
    """The lab's own test server and its services."""


WEBSOCKET = frozenset({Needs.WEBSOCKET, Needs.ECHO, Needs.SERVICES})
"""Those that speak WebSocket."""

EVERYTHING = frozenset(Needs)
"""What the lab's own test server offers."""

_WHY_NOT = {
    Needs.AGENT: "they need a program that does what they say, and there is no agent for it",
    Needs.LISTENER: "they need a TCP server that listens",
    Needs.WEBSOCKET: "they need a WebSocket server: --target ws://HOST:PORT/PATH names one",
    Needs.ECHO: "they need a WebSocket server that echoes: say --echo if this one does",
    Needs.SERVICES: "they need the services of the lab's own test server",
}


def why_not(needs: Needs, *, many: bool = False) -> str:
    """Why a scenario with that need is left out: "it needs …", "they need …" where there are `many`."""
    reason = _WHY_NOT[needs]
    return reason if many else reason.replace("they need", "it needs").replace("they say", "it says")


def offered(testbed: str, options: Mapping[str, Any]) -> frozenset[Needs]:
    """What the server of a testbed offers; `options` are a plan's `testbed_options`.

    A target offers WebSocket where its `resource` is known, a sandbox with a server of the user's own (`serve`) where
    that is a program (`program` True) or may be one (None); either echoes where `echoes` says so.
    """
    own = "serve" in options
    if testbed != "target" and not own:
        return EVERYTHING
    known = {Needs.LISTENER}
    if own:
        known.add(Needs.AGENT)
    if options.get("resource") or (own and options.get("program") is not False):
        known |= {Needs.WEBSOCKET, Needs.ECHO} if options.get("echoes") else {Needs.WEBSOCKET}
    return frozenset(known)
