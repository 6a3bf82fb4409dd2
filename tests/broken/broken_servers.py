"""Entry points for the sandbox's `serve: "module:function"`: the honest stack, and one function for each breakage."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from breakages import BREAKAGES
from raw_control import serve as _serve
from raw_tcp import Honest


class _LikeLinux(Honest):
    """Honest too: where the RFC sends an ACK to a repeated SYN, this one repeats its SYN+ACK."""

    repeats_syn_ack = True


def serve_honest(channel: socket.socket, facts: dict[str, Any]) -> None:
    """The stack with nothing broken."""
    _serve(channel, facts, Honest(), "honest")


def serve_honest_like_linux(channel: socket.socket, facts: dict[str, Any]) -> None:
    """The stack with nothing broken, which takes the other way where two are allowed."""
    _serve(channel, facts, _LikeLinux(), "honest, like Linux")


serve = serve_honest


def entry_point(name: str) -> str:
    """The `module:function` of a breakage."""
    return f"broken_servers:broken_{BREAKAGES[name].name}"


def _entry(name: str) -> Callable[[socket.socket, dict[str, Any]], None]:
    def broken(channel: socket.socket, facts: dict[str, Any]) -> None:
        _serve(channel, facts, BREAKAGES[name].hooks(), name)

    broken.__name__ = broken.__qualname__ = f"broken_{name}"
    broken.__doc__ = BREAKAGES[name].description
    return broken


globals().update({f"broken_{name}": _entry(name) for name in BREAKAGES})
