"""Entry points for the sandbox's `serve: "module:function"`: the honest stack, and one function for each breakage."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import raw_frames as wire
from breakages import BREAKAGES
from raw_control import serve as _serve
from raw_frames import ACK, FIN, PSH, RST, SYN, Seg
from raw_tcp import CLOSED, TIME_WAIT, Connection, Honest, Stack, ahead


class _LikeLinux(Honest):
    """Honest too: where the RFC sends an ACK to a repeated SYN, this one repeats its SYN+ACK."""

    repeats_syn_ack = True


class _Plain(Honest):
    """Honest too: it knows no option but the segment size, and does not say its own; it sends one segment at first, and
    lets TIME-WAIT end before it opens again. All else is optional."""

    first_flight = 1

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Iterable[Seg]:
        if connection and connection.state == TIME_WAIT and seg.has(SYN):
            connection.acknowledge()
        else:
            yield replace(seg, options=[option for option in seg.options if option[0] == wire.MSS])

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Iterable[Seg]:
        yield replace(seg, options=[])


class _Forgetful(Honest):
    """Honest too: it keeps nothing that comes behind a gap (SHLD-31 is a SHOULD)."""

    keeps_what_overtakes = False


class _Patient(Honest):
    """Honest too: its ACKs of data and FINs wait a fifth of a second for company (RFC 9293 §3.8.6.3, MUST-40)."""

    repeats_syn_ack = True

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Iterable[Seg]:
        if connection:  # what fills a gap is acknowledged at once (RFC 5681 §4.2)
            connection.notes["gap"] = bool(connection.held) or connection.held_fin is not None
        yield seg

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Iterable[Seg]:
        if connection is None or not seg.has(ACK):
            yield seg
            return
        waiting = connection.notes.pop("waiting", None)
        if waiting:
            waiting.off = True
        bare = not seg.payload and not seg.flags & (SYN | FIN | RST)
        new = ahead(connection.rcv_nxt, connection.notes.get("told", connection.irs + 1)) > 0
        gap = connection.notes.get("gap")
        if bare and new and not gap and not waiting and connection.state != TIME_WAIT:
            connection.notes["waiting"] = stack.later(0.2, lambda: self._speak(connection))
            return
        connection.notes["told"] = connection.rcv_nxt
        yield seg

    @staticmethod
    def _speak(connection: Connection) -> None:
        if connection.state != CLOSED:
            connection.acknowledge()


class _Chatty(Honest):
    """Honest too: options that nobody knows on all its segments, PSH on all that can have it, an ACK with each RST,
    and data on a SYN kept for later."""

    takes_syn_data = True

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Iterable[Seg]:
        if connection and seg.has(RST):
            seg = replace(seg, flags=RST | ACK, ack=connection.rcv_nxt)
        elif connection:
            seg = replace(seg, options=[*seg.options, (254, b"\1\2")])
        yield replace(seg, flags=seg.flags | PSH) if seg.payload or seg.has(FIN) else seg


def serve_honest(channel: socket.socket, facts: dict[str, Any]) -> None:
    """The stack with nothing broken."""
    _serve(channel, facts, Honest(), "honest")


def serve_honest_like_linux(channel: socket.socket, facts: dict[str, Any]) -> None:
    """The stack with nothing broken, which takes the other way where two are allowed."""
    _serve(channel, facts, _LikeLinux(), "honest, like Linux")


def serve_honest_plain(channel: socket.socket, facts: dict[str, Any]) -> None:
    """The stack with nothing broken, and nothing in it that is optional."""
    _serve(channel, facts, _Plain(), "honest, plain")


def serve_honest_forgetful(channel: socket.socket, facts: dict[str, Any]) -> None:
    """The stack with nothing broken, which keeps nothing from behind a gap."""
    _serve(channel, facts, _Forgetful(), "honest, forgetful")


def serve_honest_patient(channel: socket.socket, facts: dict[str, Any]) -> None:
    """The stack with nothing broken, which delays its ACKs."""
    _serve(channel, facts, _Patient(), "honest, patient")


def serve_honest_chatty(channel: socket.socket, facts: dict[str, Any]) -> None:
    """The stack with nothing broken, which says more than it must."""
    _serve(channel, facts, _Chatty(), "honest, chatty")


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
