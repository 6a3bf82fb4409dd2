"""Segments that our end must not send, made from the numbers of where the two ends stand; and our end as it may send.

Each candidate is wrong in one way. Whether it is, and what it provokes, is found out elsewhere (`lab.tcp.outlook`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lab.tcp import options
from lab.tcp.conversation import Conversation
from lab.tcp.endpoint import Endpoint
from lab.tcp.evolve import evolve
from lab.tcp.options import Kind
from lab.tcp.reaction import make
from lab.tcp.segment import ACK, FIN, PSH, RST, SYN, Flags, Segment
from lab.tcp.sequence import Seq, later
from lab.tcp.state import NO_CONNECTION

FAR = 1000
"""Octets beyond an edge at which no stack is in doubt."""

TEXT = b"hello"

_NAMES = {SYN | ACK: "synack", SYN | FIN: "synfin", SYN | FIN | ACK: "synfin"}


def name_of(segment: Segment) -> str:
    """What a person would call it: "syn", "synack", "synfin", "rst", "fin", "data", "ack"; "nothing" without a flag."""
    flags = segment.flags
    if RST in flags:
        return "rst"
    if SYN in flags:
        return _NAMES.get(flags & (SYN | FIN | ACK), "syn")
    if FIN in flags:
        return "fin"
    return "data" if segment.payload else "ack" if ACK in flags else "nothing"


def driven(conversation: Conversation, iss: Seq) -> Endpoint:
    """Our end as its segments imply it, as if the model drove it; `iss` is its first number where it has none."""
    peer = conversation.peer
    end = evolve(peer, predicted=False, resend=False, offer=peer.own_offer or peer.offer)
    if end.iss is not None:
        return end
    if end.state in NO_CONNECTION:
        return evolve(end, iss=iss)
    return evolve(end, iss=iss, snd_una=iss, snd_nxt=iss + 1, send_base=iss + 1)


def stamped(segment: Segment, conversation: Conversation) -> Segment:
    """`segment` with a timestamp no older than the last that the server took from us, where it has one (RFC 7323).

    A script writes timestamps as it likes, and the model's own clock may be behind them.
    """
    stamps, recent = segment.timestamps, conversation.server.best.endpoint.ts_recent
    if stamps is None or recent is None or Seq(stamps[0]).ahead_of(Seq(recent)) >= 0:
        return segment
    fresh = options.timestamps(recent, stamps[1])
    return replace(
        segment, options=options.pack(fresh if o.kind == Kind.TIMESTAMPS else o for o in segment.parsed_options)
    )


def candidates(conversation: Conversation, end: Endpoint, now: float) -> Iterator[tuple[Segment, str]]:
    """Wrong segments, most telling first, each with a few words on what is wrong. `end` is our end, `driven`."""
    server = conversation.server.best.endpoint
    unsent: Seq = (server.snd_nxt if server.iss is not None else Seq(0)) + FAR

    def at(seq: Seq, flags: Flags, payload: bytes = b"", ack: Seq | None = None) -> Segment:
        made = make(end, flags, seq, now, payload)
        made = replace(made, ack=ack) if ack is not None and ACK in flags else made
        return stamped(made, conversation)

    if end.state in NO_CONNECTION:
        first = end.iss if end.iss is not None else Seq(0)
        yield at(first, SYN | FIN), "it opens and closes at once"
        yield at(first + 1, PSH | ACK, TEXT, unsent), "data without a connection"
        yield at(first + 1, Flags(ACK), ack=unsent), "it acknowledges what was never sent"
        yield at(first, SYN | ACK, ack=unsent), "it answers a SYN that never came"
        yield at(first + 1, FIN | ACK, ack=unsent), "a FIN where no SYN was"
        yield at(first + 1, Flags(PSH), TEXT), "data with neither SYN nor ACK"
        yield at(first + 1, Flags(RST)), "there is nothing to reset"
        return
    known = server.irs is not None and server.state not in NO_CONNECTION
    expected = server.rcv_nxt if known else end.snd_nxt
    edge = end.snd_una + end.snd_wnd
    for world in conversation.server.worlds:
        if known and world.endpoint.irs is not None:
            edge = later(edge, world.endpoint.rcv_nxt + world.endpoint.rcv_wnd)
    beyond: Seq = edge + FAR
    if end.fin_seq is not None:
        why = "behind your FIN"
    else:
        why = "into a window that is shut" if end.syn_acked else "before the connection stands"
    yield at(expected, Flags(SYN)), "a second SYN" + ", its number in the window" * known
    if known:
        yield at(expected + 1, Flags(RST)), "its number is in the window, but not the one expected"
    yield at(end.snd_nxt, Flags(RST)), "where it stands, an end that gives up sends nothing"
    yield at(end.snd_nxt, Flags(ACK), ack=unsent), "it acknowledges what was never sent"
    yield at(end.snd_nxt, PSH | ACK, TEXT), f"data {why}"
    yield at(end.snd_nxt, FIN | ACK), f"a {'second ' * (end.fin_seq is not None)}FIN {why}"
    if known:
        yield at(beyond, PSH | ACK, TEXT), "its number is beyond the window"
        yield at(beyond, Flags(RST)), "its number is beyond the window"
        yield at(expected + FAR // 100, FIN | ACK), "what comes before its number was never sent"
    yield at(end.snd_nxt, PSH, TEXT), "data without an ACK"
    yield at(end.snd_una - len(TEXT), PSH | ACK, TEXT), "old numbers: all of them are acknowledged"
    yield at(expected, SYN | FIN), "SYN and FIN in one"
    long_gone: Seq = server.snd_una - server.max_snd_wnd - FAR
    yield at(end.snd_nxt, Flags(ACK), ack=long_gone), "what it acknowledges is long gone"
    if end.iss is not None:
        yield at(end.iss, SYN | ACK), "a SYN+ACK that nothing asked for"
