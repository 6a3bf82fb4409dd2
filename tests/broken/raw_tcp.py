"""A small TCP by hand, for a server that owes nothing to the lab: RFC 9293 §3.10 in plain `if`s, no table, no model.

`Stack` reads frames and writes frames; `Connection` is one end; `Listener` a passive OPEN. Every place where a stack
can go wrong asks `Honest` what to do. A breakage is a subclass of `Honest` that answers one of these questions wrongly.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from typing import Any

import raw_frames as wire
from raw_frames import ACK, FIN, PSH, RST, SYN, Seg

Key = tuple[str, int, str, int]
"""Local address, local port, remote address, remote port."""

CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED = "CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"
FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT = "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT"
CLOSING, LAST_ACK, TIME_WAIT = "CLOSING", "LAST-ACK", "TIME-WAIT"

CIRCLE = 2**32
HANDSHAKE_RTO, RTO, RTO_LIMIT = 1.0, 0.2, 60.0
"""Seconds before a SYN or SYN+ACK, or data and FIN, go out again; each time twice as long, up to the limit."""
DATA_RETRIES = 15
ORPHAN_TIMEOUT = 60.0
"""Seconds that FIN-WAIT-2 lasts when no program is there any more to read (RFC 9293 §3.6.1 leaves it open)."""
BUFFER = 65535
SCALE = 3


def ahead(a: int, b: int) -> int:
    """How many numbers `a` stands before `b` on the circle; negative when behind (RFC 9293 §3.4)."""
    return (a - b + CIRCLE // 2) % CIRCLE - CIRCLE // 2


class CallFailed(Exception):
    """A socket call failed as a kernel would say it: the name of the errno."""

    def __init__(self, errno: str) -> None:
        super().__init__(errno)
        self.errno = errno


class Timer:
    """Something that happens later, unless it is called off."""

    def __init__(self, when: float, action: Callable[[], None]) -> None:
        self.when, self.action = when, action
        self.off = False


class Honest:
    """The questions at which a stack may go wrong, answered rightly. One object per stack; may keep notes."""

    time_wait = 60.0
    """Seconds of TIME-WAIT: 2 MSL, with an MSL of 30 s."""
    repeats_syn_ack = False
    """A repeated SYN gets the SYN+ACK again, as Linux does, in place of the ACK of RFC 9293 §3.10.7.4, first step."""
    takes_syn_data = False
    """Data on the SYN is taken at once."""
    believes_syn = False
    """A SYN alone makes the connection stand."""
    fin_waits_for_gap = True
    fin_waits_for_data = True
    challenges_rst = True
    checks_third_ack = True
    resets_unread = True
    """Closing with unread data, and data for a program that has closed, reset (RFC 9293 §3.6.1)."""
    closing_exists = True
    sends_when_half_closed = True
    respects_window = True
    trusts_checksums = False
    """Damaged segments are taken like sound ones (RFC 9293 §3.1, MUST-3, has them dropped)."""
    first_flight = 10
    """How many segments go out before the first ACK (RFC 6928; RFC 5681 §3.1 allows fewer)."""
    keeps_what_overtakes = True
    """Data and a FIN behind a gap are kept until it is filled (RFC 9293 §3.10.7.4, SHLD-31: only a SHOULD)."""

    def isn(self, stack: Stack, key: Key) -> int:
        """A clock and a secret function of the four-tuple (RFC 6528 §3)."""
        return stack.isn_clock() + stack.isn_offset(key)

    def incoming(self, stack: Stack, connection: Connection | None, seg: Seg) -> Iterable[Seg]:
        """What the stack is told to have received for this segment. What stands behind a `yield` happens after it."""
        yield seg

    def outgoing(self, stack: Stack, connection: Connection | None, seg: Seg) -> Iterable[Seg]:
        """What really goes out for this segment. `connection` is None for the RSTs of CLOSED and LISTEN."""
        yield seg

    def checksum(self, seg: Seg, right: int) -> int:
        """The checksum that is written into the segment."""
        return right

    def backoff(self, delay: float) -> float:
        """The interval after this one."""
        return min(delay * 2, RTO_LIMIT)

    def retransmits(self, connection: Connection) -> bool:
        """Whether a segment that was not acknowledged in time goes out again."""
        return True

    def acceptable_to_program(self, connection: Connection) -> bool:
        """Whether accept() returns this connection."""
        return connection.stood

    def reported(self, state: str) -> str:
        """The state that the stack tells when it is asked."""
        return state

    def fin_taken(self, stack: Stack, connection: Connection) -> None:
        """The peer's FIN was taken in sequence."""


class Listener:
    """A passive OPEN."""

    def __init__(self, family: str, port: int, backlog: int, options: dict[str, Any]) -> None:
        self.family, self.port, self.backlog, self.options = family, port, backlog, options
        self.children: list[Connection] = []
        """Connections that accept() has not returned yet, whatever their state."""


class Connection:
    """One end of one connection (a TCB, RFC 9293 §3.3.1)."""

    def __init__(self, stack: Stack, key: Key, listener: Listener | None, options: dict[str, Any]) -> None:
        self.stack, self.key, self.listener, self.options = stack, key, listener, dict(options)
        self.hooks = stack.hooks
        self.passive = listener is not None
        self.state = CLOSED
        self.stood = False
        """It was ESTABLISHED once."""
        self.error: str | None = None
        self.notes: dict[str, Any] = {}
        """For the breakages: what they want to remember about this connection."""
        self.iss = self.hooks.isn(stack, key) % CIRCLE
        self.snd_una = self.snd_nxt = self.iss
        self.snd_wnd = self.snd_wl1 = self.snd_wl2 = self.max_wnd = 0
        self.snd_scale = self.rcv_scale = 0
        self.outbox = bytearray()
        """Data from snd_una on, sent or not."""
        self.fin_queued = False
        self.fin_seq: int | None = None
        ipv6 = ":" in key[0]
        self.own_mss = int(options.get("TCP_MAXSEG") or (1440 if ipv6 else 1460))
        self.mss = 1220 if ipv6 else 536
        self.cwnd = 0
        self.irs = self.rcv_nxt = self.rcv_adv = 0
        self.inbox = bytearray()
        self.held: list[tuple[int, bytes]] = []
        """Data behind a gap."""
        self.held_fin: int | None = None
        self.end = False
        """The peer's FIN was taken."""
        self.reading = True
        self.program_gone = False
        self.probing = False
        """One octet was sent into a closed window."""
        self.stamps = self.sack = False
        self.stamp_recent = 0
        self.need_ack = False
        self.delay, self.tries = HANDSHAKE_RTO, 0
        self.timer: Timer | None = None
        self.death: Timer | None = None

    # ---- calls of the program -------------------------------------------------------------------------------

    def open_active(self) -> None:
        """OPEN, active (RFC 9293 §3.10.1)."""
        self.state = SYN_SENT
        self.snd_nxt = (self.iss + 1) % CIRCLE
        self._send_handshake()
        self._arm(self.delay)

    def open_from_listen(self, syn: Seg) -> None:
        """A SYN in LISTEN (RFC 9293 §3.10.7.2)."""
        self._learn_from_syn(syn)
        self.state = SYN_RECEIVED
        self.snd_nxt = (self.iss + 1) % CIRCLE
        if self.hooks.takes_syn_data and syn.payload:
            self._take(syn.payload)
        self._send_handshake()
        self._arm(self.delay)
        if self.hooks.believes_syn:
            self._establish(syn)

    def send(self, data: bytes) -> None:
        """SEND (RFC 9293 §3.10.2)."""
        if self.error:
            raise CallFailed(self._pop_error())
        if self.fin_queued or self.state not in (SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT):
            raise CallFailed("EPIPE")
        if self.state == CLOSE_WAIT and not self.hooks.sends_when_half_closed:
            return
        self.outbox += data
        self.settle()

    def receive(self, size: int) -> tuple[bytes, bool] | None:
        """RECEIVE (RFC 9293 §3.10.3): data and whether the end was reached; None when there is nothing yet."""
        if self.inbox:
            data = bytes(self.inbox[:size])
            del self.inbox[:size]
            self._update_window()
            return data, False
        if self.error:
            raise CallFailed(self._pop_error())
        if self.end or not self.reading or self.state == CLOSED:
            return b"", True
        return None

    def shutdown(self) -> None:
        """CLOSE (RFC 9293 §3.10.4): nothing more to send; receiving goes on."""
        if self.fin_queued:
            return
        if self.state in (CLOSED, SYN_SENT, LISTEN):
            raise CallFailed("ENOTCONN")
        self.fin_queued = True
        if self.state == ESTABLISHED:
            self.state = FIN_WAIT_1
        elif self.state == CLOSE_WAIT:
            self.state = LAST_ACK
        self.settle()

    def close(self) -> None:
        """The program goes: half-duplex close (RFC 9293 §3.6.1)."""
        self.program_gone = True
        if self.inbox and self.hooks.resets_unread:
            self.abort()
        elif self.state == SYN_SENT:
            self.delete()
        elif self.state == FIN_WAIT_2:
            self._orphaned()
        elif self.state != CLOSED:
            self.shutdown()

    def abort(self) -> None:
        """ABORT (RFC 9293 §3.10.5)."""
        if self.state in (SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT):
            self._emit(RST, seq=self.snd_nxt)
        self.delete()

    def delete(self) -> None:
        """CLOSED: the TCB is gone."""
        self.state = CLOSED
        for timer in (self.timer, self.death):
            if timer:
                timer.off = True
        if self.stack.connections.get(self.key) is self:
            del self.stack.connections[self.key]

    def _pop_error(self) -> str:
        error, self.error = self.error or "ECONNRESET", None
        self.end = True
        return error

    def _fail(self, error: str) -> None:
        self.error = error
        self.outbox.clear()
        self.delete()

    # ---- segments that arrive -------------------------------------------------------------------------------

    def arrives(self, seg: Seg) -> None:
        """SEGMENT ARRIVES in SYN-SENT and in the states behind it (RFC 9293 §3.10.7.3 and §3.10.7.4)."""
        if self.state == SYN_SENT:
            self._arrives_in_syn_sent(seg)
        else:
            self._arrives_behind_syn(seg)
        self.settle()

    def _arrives_in_syn_sent(self, seg: Seg) -> None:
        if seg.has(ACK) and seg.ack != self.snd_nxt:
            if not seg.has(RST):
                self.stack.refuse(seg)
            return
        if seg.has(RST):
            if seg.has(ACK):
                self._fail("ECONNREFUSED")
            return
        if not seg.has(SYN):
            return
        self._learn_from_syn(seg)
        if not seg.has(ACK):  # both call at once (RFC 9293 §3.5 figure 7)
            self.state = SYN_RECEIVED
            self.delay, self.tries = HANDSHAKE_RTO, 0
            self._send_handshake()
            self._arm(self.delay)
            return
        self.rcv_adv = (self.rcv_nxt + self._buffer()) % CIRCLE  # what our SYN said
        self._establish(seg)
        self.need_ack = True
        self._text_and_fin(replace(seg, seq=self.rcv_nxt, flags=seg.flags & ~SYN))

    def _arrives_behind_syn(self, seg: Seg) -> None:
        if self._too_old(seg):
            self.need_ack = True
            return
        window = max(0, ahead(self.rcv_adv, self.rcv_nxt))
        if seg.has(RST):
            distance = ahead(seg.seq, self.rcv_nxt)
            if distance == 0 or (0 < distance < window and not self.hooks.challenges_rst):
                self._reset()
            elif 0 < distance < window:
                self.need_ack = True
            return

        first, last = ahead(seg.seq, self.rcv_nxt), ahead(seg.seq, self.rcv_nxt) + seg.length - 1
        acceptable = 0 <= first < window or (seg.length > 0 and 0 <= last < window)
        if window == 0:
            acceptable = first == 0 and seg.length == 0
        if self.state == SYN_RECEIVED and not self.passive and seg.has(SYN | ACK) and seg.seq == self.irs:
            # Of simultaneous open: its SYN was counted when it came alone, its ACK is what is new. By the letter of
            # §3.10.7.4 it lies outside the window; figure 7 (§3.5), line 6, makes the connection stand with it.
            seg = replace(seg, seq=self.rcv_nxt, flags=seg.flags & ~SYN)
        elif not acceptable:
            if self.state == SYN_RECEIVED and self.hooks.repeats_syn_ack and seg.has(SYN) and seg.seq == self.irs:
                self._send_handshake()
                return
            if self.state == TIME_WAIT and seg.has(FIN):
                self._enter_time_wait()
            self.need_ack = True
            if window or first or not seg.has(ACK) or seg.has(SYN):
                return
            seg = replace(seg, payload=b"", flags=seg.flags & ~FIN)  # a closed window still lets ACKs in

        if seg.has(SYN):
            if self.state == SYN_RECEIVED and self.passive:
                self.delete()
            else:
                self.need_ack = True
            return
        if not seg.has(ACK) or not self._acknowledgment(seg):
            return
        self._remember_stamp(seg)
        self._text_and_fin(seg)

    def _too_old(self, seg: Seg) -> bool:
        """PAWS (RFC 7323 §5.3)."""
        stamps = seg.option(wire.TIMESTAMPS)
        if not self.stamps or stamps is None or len(stamps) != 8 or seg.has(RST):
            return False
        return ahead(int.from_bytes(stamps[:4]), self.stamp_recent) < 0

    def _remember_stamp(self, seg: Seg) -> None:
        stamps = seg.option(wire.TIMESTAMPS)
        if self.stamps and stamps is not None and len(stamps) == 8 and ahead(seg.seq, self.rcv_nxt) <= 0:
            self.stamp_recent = int.from_bytes(stamps[:4])

    def _acknowledgment(self, seg: Seg) -> bool:
        """Fifth step: the ACK field. False when the segment is to be dropped."""
        if self.state == SYN_RECEIVED:
            right = 0 < ahead(seg.ack, self.snd_una) <= ahead(self.snd_nxt, self.snd_una)
            if not right and self.hooks.checks_third_ack:
                self.stack.refuse(seg)
                return False
            self._establish(seg if right else replace(seg, ack=self.snd_nxt))
            if not right:
                return True
        if ahead(seg.ack, self.snd_nxt) > 0 or ahead(seg.ack, self.snd_una) < -self.max_wnd:
            self.need_ack = True
            return False
        if self.state == TIME_WAIT:
            return True
        acked = ahead(seg.ack, self.snd_una)
        if acked > 0:
            self.snd_una = seg.ack
            del self.outbox[:acked]
            self.cwnd += self.mss
            self.delay, self.tries = RTO, 0
            self._keep_time(restart=True)
        newer = ahead(seg.seq, self.snd_wl1)
        if acked >= 0 and (newer > 0 or (newer == 0 and ahead(seg.ack, self.snd_wl2) >= 0)):
            self.snd_wnd, self.snd_wl1, self.snd_wl2 = seg.window << self.snd_scale, seg.seq, seg.ack
            self.max_wnd = max(self.max_wnd, self.snd_wnd)
            if not self.snd_wnd:
                self.tries = 0  # a peer that answers with a closed window is alive (RFC 9293 §3.8.6.1)
            elif self.probing:
                self.probing = False
                if self.fin_seq is None:
                    self.snd_nxt = self.snd_una  # the octet found no room: it goes again with the rest
                self.delay = RTO
        if self.fin_seq is not None and ahead(self.snd_una, self.fin_seq) > 0:
            if self.state == FIN_WAIT_1:
                self.state = FIN_WAIT_2
                if self.program_gone:
                    self._orphaned()
            elif self.state == CLOSING:
                self._enter_time_wait()
            elif self.state == LAST_ACK:
                self.delete()
                return False
        return True

    def _text_and_fin(self, seg: Seg) -> None:
        """Seventh and eighth step: the text and the FIN, new parts only."""
        if self.state not in (ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2):
            if self.state == TIME_WAIT and seg.has(FIN):
                self._enter_time_wait()
                self.need_ack = True
            return
        seq, payload, fin = seg.seq, seg.payload, seg.has(FIN)
        old = ahead(self.rcv_nxt, seq)
        if old > 0:
            payload, seq = payload[old:], self.rcv_nxt
        room = ahead(self.rcv_adv, seq)
        if len(payload) + fin > room:
            fin = False
            payload = payload[: max(0, room)]
        if payload and self.program_gone and self.hooks.resets_unread:
            self.delete()
            self.stack.refuse(seg)
            return
        if seg.length:
            self.need_ack = True
        fin_at = (seq + len(payload)) % CIRCLE
        if not self.hooks.keeps_what_overtakes and seq != self.rcv_nxt:
            return
        if payload and seq == self.rcv_nxt:
            self._take(payload)
        elif payload:
            self.held.append((seq, payload))
            self.held.sort(key=lambda piece: ahead(piece[0], self.rcv_nxt))
        if fin:
            if not self.hooks.fin_waits_for_gap and fin_at != self.rcv_nxt:
                self.held.clear()
                self.rcv_nxt = fin_at
            self.held_fin = fin_at
        while self.held and ahead(self.held[0][0], self.rcv_nxt) <= 0:
            start, piece = self.held.pop(0)
            self._take(piece[ahead(self.rcv_nxt, start) :])
        if self.held_fin == self.rcv_nxt:
            self._take_fin()

    def _take(self, payload: bytes) -> None:
        self.rcv_nxt = (self.rcv_nxt + len(payload)) % CIRCLE
        if self.reading and not self.program_gone:
            self.inbox += payload

    def _take_fin(self) -> None:
        self.rcv_nxt = (self.rcv_nxt + 1) % CIRCLE
        self.held_fin = None
        self.end = True
        self.need_ack = True
        if self.state == ESTABLISHED:
            self.state = CLOSE_WAIT
        elif self.state == FIN_WAIT_2 or not self.hooks.closing_exists:
            self._enter_time_wait()
        else:
            self.state = CLOSING
        self.hooks.fin_taken(self.stack, self)

    def _reset(self) -> None:
        """A RST that counts (RFC 9293 §3.10.7.4, second step)."""
        if self.state == SYN_RECEIVED:
            if self.passive:
                self.delete()
            else:
                self._fail("ECONNREFUSED")
        elif self.state in (CLOSING, LAST_ACK, TIME_WAIT):
            self.delete()
        else:
            self._fail("ECONNRESET")

    # ---- opening --------------------------------------------------------------------------------------------

    def _learn_from_syn(self, syn: Seg) -> None:
        self.irs = syn.seq
        self.rcv_nxt = self.rcv_adv = (syn.seq + 1) % CIRCLE
        self.snd_wnd = self.max_wnd = syn.window  # never scaled in a SYN (RFC 7323 §2.2)
        self.snd_wl1, self.snd_wl2 = syn.seq, self.iss
        offered = syn.option(wire.MSS)
        limit = self.own_mss
        if offered is not None and len(offered) == 2:
            self.mss = max(int.from_bytes(offered), 64)
        self.mss = min(self.mss, limit)
        shift = syn.option(wire.WINDOW_SCALE)
        if shift is not None and len(shift) == 1:
            self.snd_scale, self.rcv_scale = min(shift[0], 14), SCALE
        self.sack = syn.option(wire.SACK_PERMITTED) == b""
        stamps = syn.option(wire.TIMESTAMPS)
        if stamps is not None and len(stamps) == 8:
            self.stamps, self.stamp_recent = True, int.from_bytes(stamps[:4])
            self.mss -= 12
        self.cwnd = self.hooks.first_flight * self.mss

    def _send_handshake(self) -> None:
        """The SYN or the SYN+ACK, first or again. A SYN+ACK gives back only what the SYN offered."""
        calling = self.state == SYN_SENT
        options = [(wire.MSS, self.own_mss.to_bytes(2))]
        if calling or self.sack:
            options.append((wire.SACK_PERMITTED, b""))
        if calling or self.stamps:
            options.append((wire.TIMESTAMPS, self._stamps()))
        if calling or self.rcv_scale:
            options += [(wire.NOP, b""), (wire.WINDOW_SCALE, bytes([SCALE]))]
        self._emit(SYN if calling else SYN | ACK, seq=self.iss, options=options)

    def _establish(self, seg: Seg) -> None:
        """The connection stands: the SYN is acknowledged."""
        self.state, self.stood = ESTABLISHED, True
        self.snd_una = self.snd_nxt
        shift = 0 if seg.has(SYN) else self.snd_scale
        self.snd_wnd, self.snd_wl1, self.snd_wl2 = seg.window << shift, seg.seq, self.snd_nxt
        self.max_wnd = max(self.max_wnd, self.snd_wnd)
        self.delay, self.tries = RTO, 0
        self._keep_time(restart=True)
        if self.fin_queued:
            self.state = FIN_WAIT_1

    # ---- segments that go out -------------------------------------------------------------------------------

    def settle(self) -> None:
        """Send what may go, then the ACK that is still owed."""
        if self.state not in (CLOSED, SYN_SENT, SYN_RECEIVED):
            self._transmit()
        if self.need_ack and self.state not in (CLOSED, SYN_SENT):
            self.acknowledge()

    def acknowledge(self) -> None:
        """A bare ACK, now."""
        self._emit(ACK)

    def _transmit(self) -> None:
        """New data as the windows allow, and the FIN behind the last of it."""
        while self.fin_seq is None and self.state not in (TIME_WAIT, CLOSED):
            flying = ahead(self.snd_nxt, self.snd_una)
            waiting = len(self.outbox) - flying
            room = min(self.snd_wnd if self.hooks.respects_window else CIRCLE // 4, self.cwnd) - flying
            size = min(waiting, self.mss, room)
            if self.fin_queued and room <= 0 and not self.hooks.fin_waits_for_data:
                del self.outbox[flying:]
                self._send_piece(flying, 0, fin=True)
                break
            if size > 0 and (size == min(waiting, self.mss) or size >= self.max_wnd // 2 or not flying):
                self._send_piece(flying, size, fin=self.fin_queued and size == waiting and room > size)
            elif self.fin_queued and not waiting and room > 0:
                self._send_piece(flying, 0, fin=True)
            else:
                break
        self._keep_time()

    def _send_piece(self, start: int, size: int, fin: bool) -> None:
        piece = bytes(self.outbox[start : start + size])
        seq = (self.snd_una + start) % CIRCLE
        end = (seq + size + fin) % CIRCLE
        if fin:
            self.fin_seq = (seq + size) % CIRCLE
        if ahead(end, self.snd_nxt) > 0:
            self.snd_nxt = end
        flags = ACK | (PSH if size and start + size == len(self.outbox) else 0) | (FIN if fin else 0)
        self._emit(flags, seq=seq, payload=piece)

    def _emit(
        self,
        flags: int,
        *,
        seq: int | None = None,
        payload: bytes = b"",
        options: list[tuple[int, bytes]] | None = None,
    ) -> None:
        if options is None:
            options = []
            if self.stamps and not flags & RST:
                options += [(wire.NOP, b""), (wire.NOP, b""), (wire.TIMESTAMPS, self._stamps())]
            if self.sack and self.held and flags & ACK:
                blocks = b"".join(a.to_bytes(4) + ((a + len(piece)) % CIRCLE).to_bytes(4) for a, piece in self.held[:3])
                options += [(wire.NOP, b""), (wire.NOP, b""), (wire.SACK, blocks)]
        if flags & ACK:
            self.need_ack = False
        window = 0 if flags & RST else self._window(bool(flags & SYN))
        local, port, remote, remote_port = self.key
        seg = Seg(
            local,
            remote,
            port,
            remote_port,
            self.snd_nxt if seq is None else seq,
            self.rcv_nxt if flags & ACK else 0,
            flags,
            window,
            options,
            payload,
        )
        self.stack.send(self, seg)

    def _window(self, in_syn: bool) -> int:
        """The window field. The right edge never moves back (RFC 9293 §3.8.6), so rounding is upwards."""
        if self.state == SYN_SENT:
            return self._buffer()
        free = self._buffer() - len(self.inbox)
        edge = max(ahead(self.rcv_adv, self.rcv_nxt), free, 0)
        shift = 0 if in_syn else self.rcv_scale
        field = min((edge + (1 << shift) - 1) >> shift, 0xFFFF)
        self.rcv_adv = (self.rcv_nxt + (field << shift)) % CIRCLE
        return field

    def _buffer(self) -> int:
        return min(int(self.options.get("SO_RCVBUF") or BUFFER), BUFFER)

    def _update_window(self) -> None:
        """Tell a peer that may be stuck that there is room again (RFC 9293 §3.8.6.2.2)."""
        if self.state not in (ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2):
            return
        told, free = ahead(self.rcv_adv, self.rcv_nxt), self._buffer() - len(self.inbox)
        if told < self.own_mss and free - told >= min(self._buffer() // 2, self.own_mss):
            self.acknowledge()

    def _stamps(self) -> bytes:
        value = (int(self.stack.now() * 1000) + self.stack.stamp_offset) % CIRCLE
        return value.to_bytes(4) + self.stamp_recent.to_bytes(4)

    # ---- time -----------------------------------------------------------------------------------------------

    def _arm(self, delay: float) -> None:
        if self.timer:
            self.timer.off = True
        self.timer = self.stack.later(delay, self._retransmit)

    def _keep_time(self, restart: bool = False) -> None:
        """Keep the timer running exactly while something waits for an ACK or for a window."""
        due = self.snd_una != self.snd_nxt or bool(self.outbox) or (self.fin_queued and self.fin_seq is None)
        if not due or self.state in (CLOSED, TIME_WAIT):
            if self.timer:
                self.timer.off = True
            self.timer = None
        elif restart or self.timer is None:
            self._arm(self.delay)

    def _retransmit(self) -> None:
        """The retransmission timer (RFC 9293 §3.10.8, RFC 6298 §5)."""
        self.timer = None
        self.tries += 1
        opening = self.state in (SYN_SENT, SYN_RECEIVED)
        if self.tries > (int(self.options.get("TCP_SYNCNT") or 5) if opening else DATA_RETRIES):
            if opening and self.passive:
                self.delete()
            else:
                self._fail("ETIMEDOUT")
            return
        if self.hooks.retransmits(self):
            if opening:
                self._send_handshake()
            else:
                self._send_oldest()
        self.delay = self.hooks.backoff(self.delay)
        self._arm(self.delay)

    def _send_oldest(self) -> None:
        """The front of the retransmission queue again, or one octet into a closed window (RFC 9293 §3.8.6.1)."""
        flying = ahead(self.snd_nxt, self.snd_una)
        data_flying = flying - (self.fin_seq is not None)
        self.cwnd = max(self.mss, 1)
        if flying:
            size = min(data_flying, self.mss, max(1, self.snd_wnd))
            self._send_piece(0, size, fin=self.fin_seq is not None and size == data_flying)
        else:
            size = min(len(self.outbox), 1)
            self.probing = True
            self._send_piece(0, size, fin=self.fin_queued and size == len(self.outbox))

    def _enter_time_wait(self) -> None:
        self.state = TIME_WAIT
        for timer in (self.timer, self.death):
            if timer:
                timer.off = True
        self.timer = None
        self.death = self.stack.later(self.hooks.time_wait, self.delete)

    def _orphaned(self) -> None:
        if self.death:
            self.death.off = True
        self.death = self.stack.later(ORPHAN_TIMEOUT, self.delete)


class Stack:
    """One host: its addresses, its connections, its timers. Frames come in through `frame_arrives`."""

    def __init__(
        self,
        hooks: Honest,
        mac: bytes,
        addresses: Iterable[str],
        transmit: Callable[[bytes], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hooks, self.mac, self.addresses, self.transmit, self.now = hooks, mac, set(addresses), transmit, now
        self.connections: dict[Key, Connection] = {}
        self.listeners: dict[tuple[str, int], Listener] = {}
        self.neighbours: dict[str, bytes] = {}
        self.fragments = wire.Fragments()
        self.unresolved: dict[str, list[Seg]] = {}
        self.secret = os.urandom(16)
        self.stamp_offset = random.getrandbits(32)
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = count()

    # ---- time -----------------------------------------------------------------------------------------------

    def later(self, delay: float, action: Callable[[], None]) -> Timer:
        """Have `action` done in `delay` seconds."""
        timer = Timer(self.now() + delay, action)
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        return timer

    def next_timer(self) -> float | None:
        """When the next timer is due."""
        while self._timers and self._timers[0][2].off:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def run_timers(self) -> None:
        """Do all that is due."""
        while (when := self.next_timer()) is not None and when <= self.now():
            timer = heapq.heappop(self._timers)[2]
            timer.off = True
            timer.action()

    # ---- initial sequence numbers (RFC 6528) ----------------------------------------------------------------

    def isn_clock(self) -> int:
        """M: one step in 4 µs."""
        return int(self.now() * 250_000)

    def isn_offset(self, key: Key) -> int:
        """F: a secret function of the four-tuple."""
        return int.from_bytes(hashlib.blake2s(repr(key).encode(), key=self.secret).digest()[:4])

    # ---- in -------------------------------------------------------------------------------------------------

    def frame_arrives(self, frame: bytes) -> None:
        """Handle one frame of the link."""
        frame = self.fragments.whole(frame)
        content = wire.read(frame, self.hooks.trusts_checksums)
        if isinstance(content, wire.Question):
            if content.target in self.addresses and content.source not in self.addresses:
                self.neighbours.setdefault(content.source, content.source_mac)
                self.transmit(wire.answer_frame(content, self.mac))
        elif isinstance(content, wire.Introduction):
            self._introduced(content.source, content.source_mac)
        elif content is not None and frame[:6] == self.mac and content.destination in self.addresses:
            self.neighbours[content.source] = frame[6:12]
            key = (content.destination, content.dport, content.source, content.sport)
            for seg in self.hooks.incoming(self, self.connections.get(key), content):
                self._segment_arrives(key, seg)

    def _segment_arrives(self, key: Key, seg: Seg) -> None:
        connection = self.connections.get(key)
        listener = self.listeners.get(("ipv6" if ":" in key[0] else "ipv4", key[1]))
        opens = seg.has(SYN) and not seg.flags & (ACK | RST)
        again = connection and connection.state == TIME_WAIT and opens and ahead(seg.seq, connection.rcv_nxt) > 0
        if connection and listener and again:  # a new incarnation (RFC 9293 §3.6.1, MAY-2)
            connection.delete()
            self._open(key, listener, seg, above=connection.snd_nxt)
        elif connection:
            connection.arrives(seg)
        elif listener and opens and not seg.has(FIN):
            self._open(key, listener, seg)
        elif (listener and not seg.has(ACK)) or seg.has(RST):
            return  # LISTEN drops a RST and what has neither SYN nor ACK (RFC 9293 §3.10.7.2)
        else:
            self.refuse(seg)

    def _open(self, key: Key, listener: Listener, syn: Seg, above: int | None = None) -> None:
        listener.children = [c for c in listener.children if c.stood or c.state != CLOSED]
        if sum(c.stood for c in listener.children) > listener.backlog:
            return
        connection = Connection(self, key, listener, listener.options)
        if above is not None and ahead(connection.iss, above) <= 0:
            connection.iss = connection.snd_una = connection.snd_nxt = (above + 65537) % CIRCLE
        self.connections[key] = connection
        listener.children.append(connection)
        connection.open_from_listen(syn)

    def refuse(self, seg: Seg) -> None:
        """The RST for a segment that belongs to no connection (RFC 9293 §3.10.7.1)."""
        if seg.has(RST):
            return
        rst = Seg(seg.destination, seg.source, seg.dport, seg.sport, flags=RST)
        if seg.has(ACK):
            rst.seq = seg.ack
        else:
            rst.flags, rst.ack = RST | ACK, (seg.seq + seg.length) % CIRCLE
        self.send(None, rst)

    # ---- out ------------------------------------------------------------------------------------------------

    def send(self, connection: Connection | None, seg: Seg) -> None:
        """Send a segment, or what a breakage makes of it."""
        for out in self.hooks.outgoing(self, connection, seg):
            self.put_on_wire(out)

    def put_on_wire(self, seg: Seg) -> None:
        """Send exactly this segment, asking for the neighbour's address first where it is not known."""
        mac = self.neighbours.get(seg.destination)
        if mac is None:
            self.unresolved.setdefault(seg.destination, []).append(seg)
            self.transmit(wire.question_frame(self.mac, seg.source, seg.destination))
            return
        checksum = self.hooks.checksum(seg, wire.right_checksum(seg))
        self.transmit(wire.tcp_frame(seg, self.mac, mac, checksum))

    def _introduced(self, address: str, mac: bytes) -> None:
        self.neighbours[address] = mac
        for seg in self.unresolved.pop(address, []):
            self.put_on_wire(seg)

    # ---- ports ----------------------------------------------------------------------------------------------

    def free_port(self, family: str) -> int:
        """A port that nothing uses."""
        taken = {key[1] for key in self.connections} | {port for f, port in self.listeners if f == family}
        while (port := random.randrange(32768, 61000)) in taken:
            pass
        return port

    def state(self, key: Key) -> str:
        """The state reported for a four-tuple, CLOSED when there is no connection."""
        connection = self.connections.get(key)
        return self.hooks.reported(connection.state) if connection else CLOSED
