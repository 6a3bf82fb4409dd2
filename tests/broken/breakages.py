"""The ways in which the servers of this folder are broken, as data: `BREAKAGES`, by name.

Each is the honest stack of `raw_tcp` with one answer wrong. `field` says what a good complaint names; `caught_by` which
scenarios should notice (stems of files under scenarios/; those that need not exist yet are marked by `caught_by=()`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import raw_frames as wire
from raw_frames import ACK, FIN, PSH, RST, SYN, Seg
from raw_tcp import CIRCLE, CLOSE_WAIT, ESTABLISHED, SYN_RECEIVED, Connection, Honest, Key, Stack

Segs = Iterable[Seg]


@dataclass(frozen=True)
class Breakage:
    """One way to be broken."""

    name: str
    description: str
    """One sentence: what this server does wrong."""
    field: str
    """What a complaint about it should name: a header field, or payload, checksum, silence, state, accept, time."""
    hooks: type[Honest]
    families: tuple[str, ...]
    """Where it shows."""
    main: bool
    """One of those that the lab promises to catch; the others are there because they are instructive."""


BREAKAGES: dict[str, Breakage] = {}
"""All breakages by name. `broken_servers.broken_<name>` serves one."""


def breakage(
    field: str, *, main: bool = False, families: tuple[str, ...] = ("ipv4", "ipv6")
) -> Callable[[type[Honest]], type[Honest]]:
    """Enter a class into BREAKAGES, under its name in small letters with its docstring as the description."""

    def enter(hooks: type[Honest]) -> type[Honest]:
        name = hooks.__name__
        BREAKAGES[name] = Breakage(name, (hooks.__doc__ or "").strip(), field, hooks, families, main)
        return hooks

    return enter


def _bare_ack(seg: Seg) -> bool:
    return seg.flags & (ACK | SYN | FIN | RST) == ACK and not seg.payload


# ---- opening ------------------------------------------------------------------------------------------------


@breakage("ack", main=True)
class syn_ack_acks_x(Honest):
    """The SYN+ACK acknowledges x: it forgets that a SYN uses up a number."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, ack=(seg.ack - 1) % CIRCLE) if seg.has(SYN | ACK) else seg


@breakage("ack", main=True)
class syn_ack_acks_x_plus_2(Honest):
    """The SYN+ACK acknowledges x+2: it counts the SYN twice."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, ack=(seg.ack + 1) % CIRCLE) if seg.has(SYN | ACK) else seg


@breakage("flags", main=True)
class syn_ack_without_ack_flag(Honest):
    """The SYN+ACK lacks its ACK flag, though its acknowledgment number is right."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, flags=seg.flags & ~ACK) if seg.has(SYN | ACK) else seg


@breakage("seq", main=True)
class second_syn_ack_with_another_isn(Honest):
    """A SYN+ACK that is sent again, for a repeated SYN or by the timer, has another ISN than the first."""

    repeats_syn_ack = True

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and seg.has(SYN | ACK):
            sent = connection.notes["syn_acks"] = connection.notes.get("syn_acks", 0) + 1
            seg = replace(seg, seq=(seg.seq + 64000 * (sent - 1)) % CIRCLE)
        yield seg


@breakage("options")
class option_given_unasked(Honest):
    """The SYN+ACK gives window scale, timestamps and SACK-permitted to a peer that offered none of them."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if seg.has(SYN | ACK):
            more = [(wire.SACK_PERMITTED, b""), (wire.TIMESTAMPS, b"\0\0\1\0" * 2), (wire.WINDOW_SCALE, b"\7")]
            seg = replace(seg, options=seg.options + [o for o in more if seg.option(o[0]) is None])
        yield seg


@breakage("seq")
class isn_constant(Honest):
    """Every connection starts at the same number."""

    def isn(self, stack: Stack, key: Key) -> int:
        return 0x12345678


@breakage("seq")
class isn_does_not_move(Honest):
    """The ISN depends on the four-tuple alone: a second connection between the same ports starts at the same number."""

    def isn(self, stack: Stack, key: Key) -> int:
        return stack.isn_offset(key)


@breakage("accept")
class accepts_without_third_segment(Honest):
    """A SYN alone makes a connection: ESTABLISHED, and accept() returns it, before the third segment."""

    believes_syn = True


@breakage("accept")
class accept_before_third(Honest):
    """accept() returns connections that are still in SYN-RECEIVED, old duplicates among them."""

    def acceptable_to_program(self, connection: Connection) -> bool:
        return connection.stood or connection.state == SYN_RECEIVED


@breakage("state")
class state_lies(Honest):
    """The segments are right, but the socket is said to be ESTABLISHED while it is in SYN-RECEIVED."""

    def reported(self, state: str) -> str:
        return ESTABLISHED if state == SYN_RECEIVED else state


@breakage("payload")
class delivers_syn_data_early(Honest):
    """Data on a SYN is acknowledged with it and given to the program before the connection stands."""

    takes_syn_data = True

    def acceptable_to_program(self, connection: Connection) -> bool:
        return connection.stood or connection.state == SYN_RECEIVED


@breakage("silence")
class no_retransmission_of_syn_ack(Honest):
    """A SYN+ACK that is not answered is never repeated."""

    def retransmits(self, connection: Connection) -> bool:
        return connection.state != SYN_RECEIVED


@breakage("time")
class retransmits_without_backoff(Honest):
    """Repeats come at equal intervals, not at growing ones."""

    def backoff(self, delay: float) -> float:
        return delay


@breakage("silence")
class wrong_ack_establishes(Honest):
    """A third segment that acknowledges the wrong number makes the connection stand all the same."""

    checks_third_ack = False


@breakage("state")
class wrong_ack_kills(Honest):
    """A third segment that acknowledges the wrong number gets its RST, but takes the half-open connection with it."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        half_open = stack.connections.get((seg.source, seg.sport, seg.destination, seg.dport))
        if seg.has(RST) and connection is None and half_open:
            half_open.delete()


@breakage("silence")
class closed_port_silent(Honest):
    """A port on which nothing listens says nothing."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection is not None or not seg.has(RST | ACK):
            yield seg


@breakage("seq", main=True)
class rst_with_wrong_number(Honest):
    """A RST for what belongs to no connection has a sequence number that is one too high."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, seq=(seg.seq + 1) % CIRCLE) if seg.has(RST) and connection is None else seg


@breakage("ack", main=True)
class rst_acks_wrong_number(Honest):
    """The RST of a closed port acknowledges x and not x+1: it forgets that the SYN uses up a number."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, ack=(seg.ack - 1) % CIRCLE) if seg.has(RST | ACK) and connection is None else seg


@breakage("silence")
class half_open_silent(Honest):
    """A SYN on a connection that stands gets no answer, so the peer that crashed never learns of it (figure 10)."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if not (connection and connection.state == ESTABLISHED and seg.has(SYN)):
            yield seg


@breakage("silence")
class syn_kills_connection(Honest):
    """A SYN on a connection that stands ends it without a word."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.state == ESTABLISHED and seg.has(SYN):
            connection.delete()
        else:
            yield seg


@breakage("flags")
class syn_in_window_resets(Honest):
    """A SYN inside the window resets a connection that stands, where RFC 5961 §4.2 wants a challenge ACK."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        inside = connection and 0 <= (seg.seq - connection.rcv_nxt) % CIRCLE < 65535
        if connection and connection.state == ESTABLISHED and seg.has(SYN) and inside:
            connection.abort()
            connection.error = "ECONNRESET"
        else:
            yield seg


# ---- answers that nobody asked for --------------------------------------------------------------------------


@breakage("silence", main=True)
class answers_to_rst(Honest):
    """A RST is answered: by an ACK where there is a connection, by a RST where there is none."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if seg.has(RST):
            reply = Seg(seg.destination, seg.source, seg.dport, seg.sport, flags=ACK if connection else RST)
            reply.seq = connection.snd_nxt if connection else seg.ack
            reply.ack = connection.rcv_nxt if connection else 0
            stack.put_on_wire(reply)
        yield seg


@breakage("silence", main=True)
class ack_storm(Honest):
    """Every bare ACK is answered by an ACK, up to a hundred times a connection."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        left = connection.notes.setdefault("storm", 100) if connection else 0
        if connection and left and _bare_ack(seg) and connection.stood:
            connection.notes["storm"] = left - 1
            connection.acknowledge()


@breakage("silence")
class acks_every_segment_twice(Honest):
    """Each ACK of data goes out twice: a peer takes the second for the sign of a loss (RFC 5681 §2)."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        if connection and connection.stood and _bare_ack(seg):
            yield replace(seg)


@breakage("ack")
class bare_ack_counts_one(Honest):
    """A bare ACK of the peer is counted as if it used up a number."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and _bare_ack(seg):
            connection.notes["counted"] = connection.notes.get("counted", 0) + 1
        yield seg

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        extra = connection.notes.get("counted", 0) if connection and seg.has(ACK) else 0
        yield replace(seg, ack=(seg.ack + extra) % CIRCLE)


@breakage("seq")
class own_bare_ack_counts_one(Honest):
    """Its own bare ACKs use up a number each, so that what follows starts too high."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        extra = connection.notes.get("used", 0) if connection else 0
        if connection and _bare_ack(seg):
            connection.notes["used"] = extra + 1
        yield replace(seg, seq=(seg.seq + extra) % CIRCLE)


# ---- checksums ----------------------------------------------------------------------------------------------


@breakage("checksum", main=True)
class bad_checksum(Honest):
    """Every segment has a wrong TCP checksum."""

    def checksum(self, seg: Seg, right: int) -> int:
        return right ^ 0x5A5A


@breakage("checksum")
class bad_checksum_of_fin(Honest):
    """Only segments with a FIN have a wrong TCP checksum."""

    def checksum(self, seg: Seg, right: int) -> int:
        return right ^ 1 if seg.has(FIN) else right


@breakage("checksum", main=True, families=("ipv6",))
class ipv6_wrong_pseudo_header(Honest):
    """Over IPv6 the checksum is made over a pseudo-header in which the next header is left out."""

    def checksum(self, seg: Seg, right: int) -> int:
        if ":" not in seg.source:
            return right
        octets = wire.pack_tcp(seg)
        return wire.internet_sum(wire.pseudo_header(seg.source, seg.destination, len(octets), 0) + octets)


# ---- data and windows ---------------------------------------------------------------------------------------


@breakage("payload", main=True)
class data_repeated(Honest):
    """What the program sends is sent twice over, the second time under the numbers that follow."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        if connection and seg.payload and not seg.has(FIN):
            yield replace(seg, seq=(seg.seq + len(seg.payload)) % CIRCLE)


@breakage("seq", main=True)
class data_shifted_by_one(Honest):
    """Data goes out under numbers that are one too high."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, seq=(seg.seq + 1) % CIRCLE) if seg.payload else seg


@breakage("payload", main=True)
class data_after_fin(Honest):
    """Behind its FIN the server sends four octets more."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        if connection and seg.has(FIN):
            after = (seg.seq + seg.length) % CIRCLE
            yield replace(seg, seq=after, flags=ACK | PSH, payload=b"more")


@breakage("window", main=True)
class window_shrunk(Honest):
    """After the handshake the window's right edge moves back: 64 KiB were promised, then 100 octets are left."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.stood and seg.has(ACK) and not seg.flags & (SYN | RST):
            seg = replace(seg, window=min(seg.window, 100 >> connection.rcv_scale))
        yield seg


@breakage("payload")
class sends_beyond_window(Honest):
    """Data goes out however small the window is that the peer gave."""

    respects_window = False


@breakage("payload")
class data_changed(Honest):
    """The first octet of everything sent is another than the program wrote, under a right checksum."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, payload=bytes([seg.payload[0] ^ 0x20]) + seg.payload[1:]) if seg.payload else seg


@breakage("payload")
class program_loses_an_octet(Honest):
    """All segments are right, but the program is given the peer's data without its first octet."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        before = len(connection.inbox) if connection else 0
        yield seg
        if connection and len(connection.inbox) > before:
            del connection.inbox[before]


@breakage("ack")
class data_not_acknowledged(Honest):
    """Data is taken and given to the program, but never acknowledged."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.stood and connection.rcv_nxt != (connection.irs + 1) % CIRCLE and seg.has(ACK):
            seg = replace(seg, ack=(connection.irs + 1) % CIRCLE)
        yield seg


# ---- closing ------------------------------------------------------------------------------------------------


@breakage("ack", main=True)
class fin_not_counted(Honest):
    """The peer's FIN is acknowledged as if it used up no number."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        wrong = connection and connection.end and seg.has(ACK)
        yield replace(seg, ack=(seg.ack - 1) % CIRCLE) if wrong else seg


@breakage("ack", main=True)
class fin_counted_twice(Honest):
    """The peer's FIN is acknowledged as if it used up two numbers."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        wrong = connection and connection.end and seg.has(ACK)
        yield replace(seg, ack=(seg.ack + 1) % CIRCLE) if wrong else seg


@breakage("flags", main=True)
class fin_swallowed(Honest):
    """The program closes, the state moves on, but no FIN ever goes out."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if not seg.has(FIN):
            yield seg
        elif seg.payload:
            yield replace(seg, flags=seg.flags & ~FIN)


@breakage("silence", main=True)
class fin_ignored(Honest):
    """The peer's FIN is not looked at: no acknowledgment, no end for the program."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, flags=seg.flags & ~FIN)


@breakage("flags", main=True)
class fin_before_data(Honest):
    """In CLOSE-WAIT the FIN goes out with the program's first words, and in front of them."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.state == CLOSE_WAIT and seg.payload:
            yield replace(seg, flags=ACK | FIN, payload=b"")
            seg = replace(seg, seq=(seg.seq + 1) % CIRCLE)
        yield seg


@breakage("seq")
class fin_overtakes_data(Honest):
    """Data waits a while for more; a FIN does not wait for it, and takes its numbers: the data follows behind."""

    holds_data_back = True


@breakage("flags", main=True)
class rst_in_place_of_fin(Honest):
    """Where a FIN is due the server sends a RST."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, flags=seg.flags & ~FIN | RST) if seg.has(FIN) else seg


@breakage("flags")
class fin_at_once(Honest):
    """The peer's FIN is answered by FIN+ACK although the program has not closed: three segments and not four."""

    def fin_taken(self, stack: Stack, connection: Connection) -> None:
        if not connection.fin_queued:
            connection.shutdown()


@breakage("silence")
class mute_in_close_wait(Honest):
    """After the peer's FIN nothing that the program writes is sent any more."""

    sends_when_half_closed = False


@breakage("silence")
class fin_not_retransmitted(Honest):
    """A FIN that is not acknowledged never comes again."""

    def retransmits(self, connection: Connection) -> bool:
        return connection.fin_seq is None


@breakage("time")
class acks_fin_late(Honest):
    """The ACK of a FIN comes after 0.8 s: RFC 9293 §3.8.6.3 allows half a second (MUST-40)."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.end and _bare_ack(seg) and not connection.notes.get("late"):
            connection.notes["late"] = True
            stack.later(0.8, lambda: stack.put_on_wire(seg))
        else:
            yield seg


@breakage("ack")
class fin_out_of_order_taken_at_once(Honest):
    """A FIN behind a gap is taken at once: the data that is missing is acknowledged unseen."""

    fin_waits_for_gap = False


@breakage("state")
class time_wait_skipped(Honest):
    """After the last ACK the server is CLOSED at once, and knows nothing when that ACK is lost."""

    time_wait = 0.0


@breakage("silence")
class time_wait_mute(Honest):
    """In TIME-WAIT a repeated FIN is not answered."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if not (connection and connection.state == "TIME-WAIT" and seg.has(FIN)):
            yield seg


@breakage("state")
class closing_left_out(Honest):
    """When both close at once the server goes to TIME-WAIT without waiting in CLOSING for the ACK of its FIN."""

    closing_exists = False


@breakage("flags")
class unread_data_forgotten(Honest):
    """Data that the program left unread, or that comes when it has gone, is thrown away without a RST."""

    resets_unread = False


@breakage("state")
class rst_ignored(Honest):
    """A RST with exactly the right number does not end the connection."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if not (connection and seg.has(RST)):
            yield seg


@breakage("state")
class rst_taken_anywhere(Honest):
    """A RST anywhere in the window ends the connection, where RFC 5961 §3.2 wants a challenge ACK."""

    challenges_rst = False
