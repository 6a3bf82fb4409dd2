"""Segment text: what is new in it, what has to wait, what can be handed over (RFC 9293 §3.10.7.4, seventh, eighth)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.tcp.evolve import evolve
from lab.tcp.sequence import Seq

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint


def hold(end: Endpoint, seq: Seq, data: bytes, fin: bool) -> Endpoint:
    """Keeps text that came before its turn (SHLD-31), no more than the window holds."""
    from lab.tcp.endpoint import Held

    room = max(0, (end.rcv_nxt + end.rcv_wnd).ahead_of(seq))
    if len(data) + fin > room:
        data, fin = data[:room], False
    if not data and not fin:
        return end
    piece = Held(seq, data, fin)
    if piece in end.held:
        return end
    held = sorted((*end.held, piece), key=lambda h: h.seq.ahead_of(end.rcv_nxt))
    return evolve(end, held=tuple(held))


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
