"""What a scenario script needs: `from lab.scenario import Peer, Server, State, scenario`.

The names are looked up when they are first used: finding scenarios needs none of them, and Scapy takes its time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.scenario.declare import Scenario, scenario
    from lab.scenario.peer import Peer
    from lab.scenario.server import Listener, Server, Socket
    from lab.tcp import options
    from lab.tcp.sequence import Seq
    from lab.tcp.state import State

_HOME = {
    "Listener": "lab.scenario.server",
    "Peer": "lab.scenario.peer",
    "Scenario": "lab.scenario.declare",
    "Seq": "lab.tcp.sequence",
    "Server": "lab.scenario.server",
    "Socket": "lab.scenario.server",
    "State": "lab.tcp.state",
    "scenario": "lab.scenario.declare",
}


def __getattr__(name: str) -> Any:
    if name == "options":
        return import_module("lab.tcp.options")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["Listener", "Peer", "Scenario", "Seq", "Server", "Socket", "State", "options", "scenario"]
