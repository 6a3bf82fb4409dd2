"""What an operation on an Endpoint gives back, and the error it may raise (RFC 9293 §3.10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.tcp.segment import Segment
from lab.tcp.state import Event

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint


class CallError(LookupError):
    """A call that the state does not allow; `str()` gives the RFC's words, such as "connection does not exist"."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One segment that has to be answered."""

    segment: Segment
    """Every field filled in; those named in `free` hold what this model would send."""
    due: float = 0.0
    """0.0: it comes at once. Otherwise it comes within that many seconds, alone or inside another segment."""
    rule: str = ""
    """Section that asks for it, "RFC 9293 §3.10.7.4"."""
    free: frozenset[str] = frozenset()
    """Fields left to the stack: of "seq", "ack", "window", "options", "urgent"."""
    optional: bool = False
    """True where the document lets the stack leave it out."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one operation."""

    endpoint: Endpoint
    """The endpoint afterwards."""
    replies: tuple[Reply, ...] = ()
    """Segments to answer with, in order; from `transmit` and `timeout`, segments to send."""
    rule: str = ""
    """Section that decided, "RFC 9293 §3.10.7.4"."""
    why: str = ""
    """One sentence for a learner."""
    choices: tuple[str, ...] = ()
    """Ids of the profile's choices that made it differ from the base text of RFC 9293; empty where none did."""
    events: tuple[Event, ...] = ()
    """The events of the state table that took place, in order."""
    notices: tuple[str, ...] = ()
    """What the user is told: "connection reset", "connection refused", "connection closing", "urgent data" …"""
    data: bytes = b""
    """What RECEIVE delivers; empty for every other operation."""

    @property
    def event(self) -> Event | None:
        """The event that led to the state that it is in now, or None where the state is as before."""
        return self.events[-1] if self.events else None
