"""The ways in which the servers of this folder are broken, as data: `BREAKAGES`, by name.

Each is the honest stack of `raw_tcp` with one answer wrong, and says what a good complaint about it names and which
scenarios make it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import raw_frames as wire
from raw_frames import ACK, FIN, PSH, RST, SYN, Seg
from raw_tcp import (
    CIRCLE,
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    LAST_ACK,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
    Connection,
    Honest,
    Key,
    Stack,
    ahead,
)

Segs = Iterable[Seg]


@dataclass(frozen=True)
class Breakage:
    """One way to be broken."""

    name: str
    description: str
    """One sentence: what this server does wrong."""
    fields: tuple[str, ...]
    """What a good complaint names, one of these: a header field, or payload, checksum, silence, state, accept()."""
    caught_by: tuple[str, ...]
    """Scenarios that notice, by the stems of their files; not all of them. Empty: no scenario, or only a slow one."""
    hooks: type[Honest]
    families: tuple[str, ...]
    """Where it shows."""
    main: bool
    """One of those that the lab promises to catch; the others are there because they are instructive."""


BREAKAGES: dict[str, Breakage] = {}
"""All breakages by name. `broken_servers.broken_<name>` serves one."""


def breakage(
    *fields: str, caught_by: str, main: bool = False, families: tuple[str, ...] = ("ipv4", "ipv6")
) -> Callable[[type[Honest]], type[Honest]]:
    """Enter a class into BREAKAGES, under its name, with its docstring as the description."""

    def enter(hooks: type[Honest]) -> type[Honest]:
        name = hooks.__name__
        description = (hooks.__doc__ or "").strip()
        BREAKAGES[name] = Breakage(name, description, fields, tuple(caught_by.split()), hooks, families, main)
        return hooks

    return enter


def _bare_ack(seg: Seg) -> bool:
    return seg.flags & (ACK | SYN | FIN | RST) == ACK and not seg.payload


# ---- opening ------------------------------------------------------------------------------------------------


@breakage("ack", caught_by="three_segments repeated_syn client_first", main=True)
class syn_ack_acks_x(Honest):
    """The SYN+ACK acknowledges x: it forgets that a SYN uses up a number."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, ack=(seg.ack - 1) % CIRCLE) if seg.has(SYN | ACK) else seg


@breakage("ack", caught_by="three_segments repeated_syn client_first", main=True)
class syn_ack_acks_x_plus_2(Honest):
    """The SYN+ACK acknowledges x+2: it counts the SYN twice."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, ack=(seg.ack + 1) % CIRCLE) if seg.has(SYN | ACK) else seg


@breakage("flags", caught_by="three_segments repeated_syn client_first", main=True)
class syn_ack_without_ack_flag(Honest):
    """The SYN+ACK lacks its ACK flag, though its acknowledgment number is right."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, flags=seg.flags & ~ACK) if seg.has(SYN | ACK) else seg


@breakage("seq", caught_by="repeated_syn why_not_two_gives_up why_not_two_growing_intervals", main=True)
class second_syn_ack_with_another_isn(Honest):
    """A SYN+ACK that is sent again, for a repeated SYN or by the timer, has another ISN than the first."""

    repeats_syn_ack = True

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and seg.has(SYN | ACK):
            sent = connection.notes["syn_acks"] = connection.notes.get("syn_acks", 0) + 1
            seg = replace(seg, seq=(seg.seq + 64000 * (sent - 1)) % CIRCLE)
        yield seg


@breakage("options", caught_by="three_segments repeated_syn client_first")
class option_given_unasked(Honest):
    """The SYN+ACK gives window scale, timestamps and SACK-permitted to a peer that offered none of them."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if seg.has(SYN | ACK):
            more = [(wire.SACK_PERMITTED, b""), (wire.TIMESTAMPS, b"\0\0\1\0" * 2), (wire.WINDOW_SCALE, b"\7")]
            seg = replace(seg, options=seg.options + [o for o in more if seg.option(o[0]) is None])
        yield seg


@breakage("seq", caught_by="isns_differ")
class isn_constant(Honest):
    """Every connection starts at the same number."""

    def isn(self, stack: Stack, key: Key) -> int:
        return 0x12345678


@breakage("seq", caught_by="isns_differ")
class isn_does_not_move(Honest):
    """The ISN depends on the four-tuple alone: a second connection between the same ports starts at the same number."""

    def isn(self, stack: Stack, key: Key) -> int:
        return stack.isn_offset(key)


@breakage("state", "accept()", caught_by="three_segments repeated_syn client_first")
class accepts_without_third_segment(Honest):
    """A SYN alone makes a connection: ESTABLISHED, and accept() returns it, before the third segment."""

    believes_syn = True


@breakage("accept()", caught_by="data_on_syn_waits why_not_two_after_close why_not_two_gives_up")
class accept_before_third(Honest):
    """accept() returns connections that are still in SYN-RECEIVED, old duplicates among them."""

    def acceptable_to_program(self, connection: Connection) -> bool:
        return connection.stood or connection.state == SYN_RECEIVED


@breakage("state", caught_by="three_segments repeated_syn client_first")
class state_lies(Honest):
    """The segments are right, but the socket is said to be ESTABLISHED while it is in SYN-RECEIVED."""

    def reported(self, state: str) -> str:
        return ESTABLISHED if state == SYN_RECEIVED else state


@breakage(
    "ack", "accept()", "payload", caught_by="data_on_syn_waits why_not_two_after_close wrong_ack_in_third_segment"
)
class delivers_syn_data_early(Honest):
    """Data on a SYN is acknowledged with it and given to the program before the connection stands."""

    takes_syn_data = True

    def acceptable_to_program(self, connection: Connection) -> bool:
        return connection.stood or connection.state == SYN_RECEIVED


@breakage("silence", caught_by="why_not_two_gives_up why_not_two_growing_intervals")
class no_retransmission_of_syn_ack(Honest):
    """A SYN+ACK that is not answered is never repeated."""

    def retransmits(self, connection: Connection) -> bool:
        return connection.state != SYN_RECEIVED


@breakage("silence", caught_by="why_not_two_growing_intervals")
class retransmits_without_backoff(Honest):
    """Repeats come at equal intervals, not at growing ones."""

    def backoff(self, delay: float) -> float:
        return delay


@breakage("silence", caught_by="wrong_ack_in_third_segment")
class wrong_ack_establishes(Honest):
    """A third segment that acknowledges the wrong number makes the connection stand all the same."""

    checks_third_ack = False


@breakage("state", caught_by="wrong_ack_in_third_segment")
class wrong_ack_kills(Honest):
    """A third segment that acknowledges the wrong number gets its RST, but takes the half-open connection with it."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        half_open = stack.connections.get((seg.source, seg.sport, seg.destination, seg.dport))
        if seg.has(RST) and connection is None and half_open:
            half_open.delete()


@breakage("silence", caught_by="closed_port")
class closed_port_silent(Honest):
    """A port on which nothing listens says nothing."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection is not None or not seg.has(RST | ACK):
            yield seg


@breakage("seq", caught_by="closed_port half_open_unknown wrong_ack_in_third_segment", main=True)
class rst_with_wrong_number(Honest):
    """A RST for what belongs to no connection has a sequence number that is one too high."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, seq=(seg.seq + 1) % CIRCLE) if seg.has(RST) and connection is None else seg


@breakage("ack", caught_by="closed_port", main=True)
class rst_acks_wrong_number(Honest):
    """The RST of a closed port acknowledges x and not x+1: it forgets that the SYN uses up a number."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, ack=(seg.ack - 1) % CIRCLE) if seg.has(RST | ACK) and connection is None else seg


@breakage("silence", caught_by="half_open_new_syn")
class half_open_silent(Honest):
    """A SYN on a connection that stands gets no answer, so the peer that crashed never learns of it (figure 10)."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if not (connection and connection.state == ESTABLISHED and seg.has(SYN)):
            yield seg


@breakage("silence", "state", caught_by="half_open_new_syn")
class syn_kills_connection(Honest):
    """A SYN on a connection that stands ends it without a word."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.state == ESTABLISHED and seg.has(SYN):
            connection.delete()
        else:
            yield seg


@breakage("flags", caught_by="")
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


@breakage("silence", "flags", caught_by="closed_port half_open_data half_open_new_syn", main=True)
class answers_to_rst(Honest):
    """A RST is answered: by an ACK where there is a connection, by a RST where there is none."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if seg.has(RST):
            reply = Seg(seg.destination, seg.source, seg.dport, seg.sport, flags=ACK if connection else RST)
            reply.seq = connection.snd_nxt if connection else seg.ack
            reply.ack = connection.rcv_nxt if connection else 0
            stack.put_on_wire(reply)
        yield seg


@breakage("silence", "flags", caught_by="three_segments repeated_syn client_first", main=True)
class ack_storm(Honest):
    """Every bare ACK is answered by an ACK, up to a hundred times a connection."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        left = connection.notes.setdefault("storm", 100) if connection else 0
        if connection and left and _bare_ack(seg) and connection.stood:
            connection.notes["storm"] = left - 1
            connection.acknowledge()


@breakage("silence", "flags", caught_by="client_first server_first why_not_three")
class acks_every_segment_twice(Honest):
    """Each ACK of data goes out twice: a peer takes the second for the sign of a loss (RFC 5681 §2)."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        if connection and connection.stood and _bare_ack(seg):
            yield replace(seg)


@breakage("ack", caught_by="client_first server_first why_not_three")
class bare_ack_counts_one(Honest):
    """A bare ACK of the peer is counted as if it used up a number."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and _bare_ack(seg):
            connection.notes["counted"] = connection.notes.get("counted", 0) + 1
        yield seg

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        extra = connection.notes.get("counted", 0) if connection and seg.has(ACK) else 0
        yield replace(seg, ack=(seg.ack + extra) % CIRCLE)


@breakage("seq", caught_by="client_first why_not_three fin_uses_one_number")
class own_bare_ack_counts_one(Honest):
    """Its own bare ACKs use up a number each, so that what follows starts too high."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        extra = connection.notes.get("used", 0) if connection else 0
        if connection and _bare_ack(seg):
            connection.notes["used"] = extra + 1
        yield replace(seg, seq=(seg.seq + extra) % CIRCLE)


# ---- checksums ----------------------------------------------------------------------------------------------


@breakage("checksum", caught_by="three_segments closed_port repeated_syn", main=True)
class bad_checksum(Honest):
    """Every segment has a wrong TCP checksum."""

    def checksum(self, seg: Seg, right: int) -> int:
        return right ^ 0x5A5A


@breakage("checksum", caught_by="client_first server_first why_not_three")
class bad_checksum_of_fin(Honest):
    """Only segments with a FIN have a wrong TCP checksum."""

    def checksum(self, seg: Seg, right: int) -> int:
        return right ^ 1 if seg.has(FIN) else right


@breakage("checksum", caught_by="three_segments closed_port repeated_syn", main=True, families=("ipv6",))
class ipv6_wrong_pseudo_header(Honest):
    """Over IPv6 the checksum is made over a pseudo-header in which the next header is left out."""

    def checksum(self, seg: Seg, right: int) -> int:
        if ":" not in seg.source:
            return right
        octets = wire.pack_tcp(seg)
        return wire.internet_sum(wire.pseudo_header(seg.source, seg.destination, len(octets), 0) + octets)


# ---- data and windows ---------------------------------------------------------------------------------------


@breakage("seq", "payload", caught_by="why_not_three fin_uses_one_number bare_ack_uses_no_number", main=True)
class data_repeated(Honest):
    """What the program sends is sent twice over, the second time under the numbers that follow."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        if connection and seg.payload and not seg.has(FIN):
            yield replace(seg, seq=(seg.seq + len(seg.payload)) % CIRCLE)


@breakage("seq", caught_by="why_not_three fin_uses_one_number bare_ack_uses_no_number", main=True)
class data_shifted_by_one(Honest):
    """Data goes out under numbers that are one too high."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, seq=(seg.seq + 1) % CIRCLE) if seg.payload else seg


@breakage("seq", "payload", caught_by="client_first server_first why_not_three", main=True)
class data_after_fin(Honest):
    """Behind its FIN the server sends four octets more."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        if connection and seg.has(FIN):
            after = (seg.seq + seg.length) % CIRCLE
            yield replace(seg, seq=after, flags=ACK | PSH, payload=b"more")


@breakage("window", caught_by="client_first server_first why_not_three", main=True)
class window_shrunk(Honest):
    """After the handshake the window's right edge moves back: 64 KiB were promised, then 100 octets are left."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.stood and seg.has(ACK) and not seg.flags & (SYN | RST):
            seg = replace(seg, window=min(seg.window, 100 >> connection.rcv_scale))
        yield seg


@breakage("payload", "window", "silence", caught_by="fin_waits_for_data")
class sends_beyond_window(Honest):
    """Data goes out however small the window is that the peer gave."""

    respects_window = False


@breakage("ack", "silence", caught_by="window_is_kept")
class window_never_closes(Honest):
    """The window field promises 65535 octets at all times, whatever the buffer has room for."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, window=0xFFFF) if connection and not seg.has(RST) else seg


@breakage("payload", caught_by="why_not_three fin_uses_one_number bare_ack_uses_no_number")
class data_changed(Honest):
    """The first octet of everything sent is another than the program wrote, under a right checksum."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, payload=bytes([seg.payload[0] ^ 0x20]) + seg.payload[1:]) if seg.payload else seg


@breakage("payload", caught_by="fin_uses_one_number bare_ack_uses_no_number data_on_syn_waits")
class program_loses_an_octet(Honest):
    """All segments are right, but the program is given the peer's data without its first octet."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        before = len(connection.inbox) if connection else 0
        yield seg
        if connection and len(connection.inbox) > before:
            del connection.inbox[before]


@breakage("ack", "silence", caught_by="bare_ack_uses_no_number data_on_third_segment")
class data_not_acknowledged(Honest):
    """Data is taken and given to the program, but never acknowledged."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.stood and connection.rcv_nxt != (connection.irs + 1) % CIRCLE and seg.has(ACK):
            unsaid = (seg.ack - connection.irs - 1) % CIRCLE  # the right edge stays where it is: the ack alone is wrong
            seg = replace(seg, ack=(connection.irs + 1) % CIRCLE, window=min(seg.window + unsaid, 0xFFFF))
        yield seg


# ---- closing ------------------------------------------------------------------------------------------------


@breakage("ack", caught_by="fin_uses_one_number fin_out_of_order", main=True)
class fin_not_counted(Honest):
    """The peer's FIN is acknowledged as if it used up no number."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        wrong = connection and connection.end and seg.has(ACK)
        yield replace(seg, ack=(seg.ack - 1) % CIRCLE) if wrong else seg


@breakage("ack", caught_by="client_first server_first why_not_three", main=True)
class fin_counted_twice(Honest):
    """The peer's FIN is acknowledged as if it used up two numbers."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        wrong = connection and connection.end and seg.has(ACK)
        yield replace(seg, ack=(seg.ack + 1) % CIRCLE) if wrong else seg


@breakage("silence", caught_by="client_first server_first why_not_three", main=True)
class fin_swallowed(Honest):
    """The program closes, the state moves on, but no FIN ever goes out."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if not seg.has(FIN):
            yield seg
        elif seg.payload:
            yield replace(seg, flags=seg.flags & ~FIN)


@breakage("silence", "state", "ack", caught_by="client_first server_first why_not_three", main=True)
class fin_ignored(Honest):
    """The peer's FIN is not looked at: no acknowledgment, no end for the program."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, flags=seg.flags & ~FIN)


@breakage("flags", caught_by="why_not_three fin_uses_one_number", main=True)
class fin_before_data(Honest):
    """In CLOSE-WAIT the FIN goes out with the program's first words, and in front of them."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.state == CLOSE_WAIT and seg.payload:
            yield replace(seg, flags=ACK | FIN, payload=b"")
            seg = replace(seg, seq=(seg.seq + 1) % CIRCLE)
        yield seg


@breakage("seq", "flags", "silence", caught_by="fin_waits_for_data", main=True)
class fin_cuts_data_off(Honest):
    """A FIN does not wait for data that finds no room in the peer's window: it takes its numbers, the data is lost."""

    fin_waits_for_data = False


@breakage("flags", "silence", caught_by="client_first server_first why_not_three", main=True)
class rst_in_place_of_fin(Honest):
    """Where a FIN is due the server sends a RST."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, flags=seg.flags & ~FIN | RST) if seg.has(FIN) else seg


@breakage("flags", caught_by="client_first why_not_three fin_uses_one_number")
class fin_at_once(Honest):
    """The peer's FIN is answered by FIN+ACK although the program has not closed: three segments and not four."""

    def fin_taken(self, stack: Stack, connection: Connection) -> None:
        if not connection.fin_queued:
            connection.shutdown()


@breakage("silence", caught_by="why_not_three fin_uses_one_number")
class mute_in_close_wait(Honest):
    """After the peer's FIN nothing that the program writes is sent any more."""

    sends_when_half_closed = False


@breakage("silence", caught_by="lost_ack_in_fin_wait_1 lost_ack_in_last_ack")
class fin_not_retransmitted(Honest):
    """A FIN that is not acknowledged never comes again."""

    def retransmits(self, connection: Connection) -> bool:
        return connection.fin_seq is None


@breakage("silence", caught_by="client_first fin_out_of_order")
class acks_fin_late(Honest):
    """The ACK of a FIN comes after 0.8 s: RFC 9293 §3.8.6.3 allows half a second (MUST-40)."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.end and _bare_ack(seg) and not connection.notes.get("late"):
            connection.notes["late"] = True
            stack.later(0.8, lambda: stack.put_on_wire(seg))
        else:
            yield seg


@breakage("ack", caught_by="fin_out_of_order")
class fin_out_of_order_taken_at_once(Honest):
    """A FIN behind a gap is taken at once: the data that is missing is acknowledged unseen."""

    fin_waits_for_gap = False


@breakage("state", caught_by="server_first half_close_by_server lost_ack_in_fin_wait_1")
class time_wait_skipped(Honest):
    """After the last ACK the server is CLOSED at once, and knows nothing when that ACK is lost."""

    time_wait = 0.0


@breakage("silence", caught_by="time_wait_answers_fin")
class time_wait_mute(Honest):
    """In TIME-WAIT a repeated FIN is not answered."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if not (connection and connection.state == "TIME-WAIT" and seg.has(FIN)):
            yield seg


@breakage("state", caught_by="simultaneous_close")
class closing_left_out(Honest):
    """When both close at once the server goes to TIME-WAIT without waiting in CLOSING for the ACK of its FIN."""

    closing_exists = False


@breakage("flags", "silence", caught_by="close_with_unread_data data_for_closed_program")
class unread_data_forgotten(Honest):
    """Data that the program left unread, or that comes when it has gone, is thrown away without a RST."""

    resets_unread = False


@breakage("state", caught_by="half_open_data half_open_new_syn isns_differ")
class rst_ignored(Honest):
    """A RST with exactly the right number does not end the connection."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if not (connection and seg.has(RST)):
            yield seg


@breakage("state", "silence", caught_by="")
class rst_taken_anywhere(Honest):
    """A RST anywhere in the window ends the connection, where RFC 5961 §3.2 wants a challenge ACK."""

    challenges_rst = False


# ---- what is old, foreign or damaged ------------------------------------------------------------------------


@breakage("ack", "silence", caught_by="old_answers_in_syn_sent")
class syn_sent_believes_any_ack(Honest):
    """A SYN+ACK that acknowledges another SYN than the server's makes the connection stand."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        believes = connection and connection.state == SYN_SENT and seg.has(ACK)
        yield replace(seg, ack=connection.snd_nxt) if connection and believes else seg


@breakage("state", caught_by="old_answers_in_syn_sent")
class syn_sent_believes_any_rst(Honest):
    """A RST that acknowledges nothing ends the server's call."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.state == SYN_SENT and seg.has(RST):
            seg = replace(seg, flags=RST | ACK, ack=connection.snd_nxt)
        yield seg


@breakage("silence", caught_by="half_open_unknown")
class listener_ignores_syn_ack(Honest):
    """A SYN+ACK for a listener, which has called nobody, is not reset (figure 11)."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection or not seg.has(SYN | ACK):
            yield seg


@breakage("silence", caught_by="closed_port")
class closed_port_ignores_fin(Honest):
    """A closed port resets SYNs and ACKs, and says nothing to a segment that has neither."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection or seg.flags & (SYN | ACK):
            yield seg


@breakage("ack", caught_by="closed_port")
class closed_port_counts_no_fin(Honest):
    """The RST of a closed port counts the octets of what came, and not its FIN."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg if connection or seg.has(ACK) else replace(seg, flags=seg.flags & ~FIN)


@breakage("payload", caught_by="overlap_counts_once")
class overlap_delivered_twice(Honest):
    """Data that comes again is given to the program again."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        old = connection and seg.payload and ahead(connection.rcv_nxt, seg.seq) >= len(seg.payload)
        if connection and old and connection.state == ESTABLISHED:
            connection.inbox += seg.payload
        yield seg


@breakage("ack", caught_by="ack_of_the_unsent")
class ack_of_unsent_taken(Honest):
    """A segment that acknowledges what was never sent is taken with all that it carries."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.stood and seg.has(ACK) and ahead(seg.ack, connection.snd_nxt) > 0:
            seg = replace(seg, ack=connection.snd_nxt)
        yield seg


@breakage("state", caught_by="rst_outside_window")
class rst_taken_outside_window(Honest):
    """A RST ends the connection whatever its number is."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        taken = connection and connection.state != SYN_SENT and seg.has(RST)
        yield replace(seg, seq=connection.rcv_nxt) if connection and taken else seg


@breakage("silence", caught_by="numbers_go_round")
class numbers_compared_signed(Honest):
    """Data that crosses the middle of the circle is dropped: the numbers are compared as signed ones."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if not (seg.payload and seg.seq < CIRCLE // 2 <= seg.seq + len(seg.payload)):
            yield seg


@breakage("silence", caught_by="numbers_go_round")
class numbers_do_not_wrap(Honest):
    """Data that crosses the end of the circle is dropped."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if not (seg.payload and seg.seq + len(seg.payload) > CIRCLE):
            yield seg


@breakage("flags", "silence", "state", "ack", caught_by="wrong_checksum_ignored")
class checksum_not_verified(Honest):
    """Damaged segments are taken like sound ones."""

    trusts_checksums = True


@breakage("seq", caught_by="isns_differ")
class isn_random(Honest):
    """Initial numbers are random, and follow no clock: a new connection's may lie among those of the last."""

    def isn(self, stack: Stack, key: Key) -> int:
        return random.getrandbits(32)


# ---- what nobody asked for, by a timer ----------------------------------------------------------------------


def _once_later(stack: Stack, connection: Connection, delay: float, act: Callable[[], object]) -> None:
    """Do it once a connection, and only if the connection stands then."""
    if not connection.notes.setdefault("planned", False):
        connection.notes["planned"] = True
        stack.later(delay, lambda: connection.state not in (SYN_RECEIVED, CLOSED) and act())


@breakage("flags", caught_by="quiet_when_established")
class syn_ack_repeated_after_third(Honest):
    """The timer of the SYN+ACK goes on when the third segment has come: a second later it is sent again."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        if connection and seg.has(SYN | ACK):
            _once_later(stack, connection, 1.0, lambda: stack.put_on_wire(seg))


@breakage("seq", caught_by="quiet_when_established")
class data_repeated_after_its_ack(Honest):
    """The timer of data goes on when they are acknowledged: they are sent again."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        if connection and seg.payload:
            _once_later(stack, connection, 0.2, lambda: stack.put_on_wire(seg))


@breakage("flags", caught_by="quiet_when_established")
class fin_by_itself(Honest):
    """The server says FIN 0.3 s after the handshake, though its program has not closed."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        if connection and seg.has(SYN):
            _once_later(stack, connection, 0.3, lambda: connection.state == ESTABLISHED and connection.shutdown())


@breakage("silence", caught_by="quiet_when_established")
class rst_by_itself(Honest):
    """The server resets a connection that has stood for 0.3 s, though nothing is wrong with it."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield seg
        if connection and seg.has(SYN):
            _once_later(stack, connection, 0.3, lambda: connection.state == ESTABLISHED and connection.abort())


# ---- closing, with what is old ------------------------------------------------------------------------------


@breakage("silence", caught_by="lost_ack_in_fin_wait_1 lost_ack_in_last_ack")
class fin_repeated_without_backoff(Honest):
    """A FIN comes again every 0.2 s, where each interval is to be twice the last; SYNs are repeated as they should."""

    def backoff(self, delay: float) -> float:
        return delay if delay < 1 else super().backoff(delay)


def _believes(connection: Connection | None, seg: Seg, state: str) -> Seg:
    """In that state, any ACK is taken for the ACK of the FIN."""
    believes = connection and connection.state == state and seg.has(ACK)
    return replace(seg, ack=connection.snd_nxt) if connection and believes else seg


@breakage("state", caught_by="only_the_ack_of_the_fin")
class any_ack_ends_fin_wait_1(Honest):
    """In FIN-WAIT-1 any ACK is taken for the ACK of the FIN."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield _believes(connection, seg, FIN_WAIT_1) if _bare_ack(seg) else seg


@breakage("state", caught_by="simultaneous_close")
class any_ack_ends_closing(Honest):
    """In CLOSING any ACK is taken for the ACK of the FIN."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield _believes(connection, seg, CLOSING)


@breakage("state", caught_by="only_the_ack_of_the_fin")
class any_ack_ends_last_ack(Honest):
    """In LAST-ACK any ACK is taken for the ACK of the FIN: the connection is gone, and the FIN perhaps lost."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield _believes(connection, seg, LAST_ACK)


@breakage("ack", caught_by="data_after_fin_ignored")
class data_after_fin_taken(Honest):
    """Data behind the peer's FIN is acknowledged and given to the program."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.state == CLOSE_WAIT and seg.payload and seg.seq == connection.rcv_nxt:
            connection.rcv_nxt = (connection.rcv_nxt + len(seg.payload)) % CIRCLE
            connection.inbox += seg.payload
            connection.acknowledge()
        else:
            yield seg


@breakage("flags", caught_by="time_wait_refuses_old_syn")
class time_wait_takes_old_syn(Honest):
    """TIME-WAIT gives way to any SYN, also to one from before the connection that has just ended."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.state == TIME_WAIT and seg.flags & (SYN | ACK) == SYN:
            connection.delete()
        yield seg


@breakage("flags", "silence", caught_by="time_wait_answers_fin")
class time_wait_resets_data(Honest):
    """In TIME-WAIT old data is answered by a RST, where an ACK is due."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.state == TIME_WAIT and seg.payload:
            stack.refuse(seg)
        else:
            yield seg


@breakage("seq", caught_by="simultaneous_close")
class bare_ack_with_oldest_number(Honest):
    """A bare ACK carries the oldest number that is not acknowledged (SND.UNA), where SND.NXT is due."""

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        yield replace(seg, seq=connection.snd_una) if connection and connection.stood and _bare_ack(seg) else seg


@breakage("state", caught_by="")
class time_wait_not_restarted(Honest):
    """A repeated FIN is acknowledged in TIME-WAIT, but its time is not counted anew (time_wait_starts_again)."""

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Segs:
        if connection and connection.state == TIME_WAIT and seg.has(FIN):
            connection.acknowledge()
        else:
            yield seg
