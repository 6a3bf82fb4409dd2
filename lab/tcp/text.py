"""Segment text: what is new in it, what has to wait, what can be handed over (RFC 9293 §3.10.7.4, seventh, eighth)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.tcp.evolve import evolve
from lab.tcp.sequence import Seq

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint, Held


def hold(end: Endpoint, seq: Seq, data: bytes, fin: bool) -> Endpoint:
    """Keeps text that came before its turn (SHLD-31): each octet once, and no more than the window holds."""
    from lab.tcp.endpoint import Held

    room = max(0, (end.rcv_nxt + end.rcv_wnd).ahead_of(seq))
    if len(data) + fin > room:
        data, fin = data[:room], False
    held, start = end.held, seq.ahead_of(end.rcv_nxt)
    stop = start + len(data)
    # From the last piece that begins at or before it to the last that begins before its end.
    first = max(0, bisect_right(held, start, key=_place(end)) - 1)
    last = bisect_left(held, stop + fin, first, key=_place(end))
    pieces: list[Held] = []
    at = start
    for one in held[first:last]:
        begins = one.seq.ahead_of(end.rcv_nxt)
        if at < begins and at < stop:
            pieces.append(Held(end.rcv_nxt + at, data[at - start : begins - start]))
        pieces.append(one)
        at = max(at, begins + len(one.data))
    if at < stop:
        pieces.append(Held(end.rcv_nxt + at, data[at - start :], fin))
    elif fin and not any(one.fin and (one.seq + len(one.data)).ahead_of(end.rcv_nxt) == stop for one in pieces):
        pieces.append(Held(end.rcv_nxt + stop, b"", True))
    return end if len(pieces) == last - first else evolve(end, held=(*held[:first], *pieces, *held[last:]))


def _place(end: Endpoint) -> Callable[[Held], int]:
    return lambda piece: piece.seq.ahead_of(end.rcv_nxt)


def take(end: Endpoint, seq: Seq, data: bytes, fin: bool) -> tuple[Endpoint, bool]:
    """Takes what is new of text that begins at or before RCV.NXT; also says whether its FIN is next now."""
    old = end.rcv_nxt.ahead_of(seq)
    fin_at = seq + len(data)
    new = data[old:] if old < len(data) else b""
    if len(new) > end.rcv_wnd and not (end.rcv_wnd and end.profile.has("window-overrun")):
        new, fin = new[: end.rcv_wnd], False
    end = evolve(
        end,
        rcv_nxt=end.rcv_nxt + len(new),
        rcv_wnd=max(0, end.rcv_wnd - len(new)),
        receive_buffer=end.receive_buffer + new,
    )
    return end, fin and fin_at == end.rcv_nxt


def take_held(end: Endpoint) -> tuple[Endpoint, bool, bool]:
    """Takes held text whose turn has come. Also says whether any was, and whether a FIN is next now."""
    took = fin = False
    while end.held and not fin and end.held[0].seq.ahead_of(end.rcv_nxt) <= 0:
        first = end.held[0]
        end = evolve(end, held=end.held[1:])
        end, fin = take(end, first.seq, first.data, first.fin)
        took = True
    return end, took, fin
