"""One end of a connection, as a value: calls, segments and timers in; segments, the next state and the rule out.

The whole of RFC 9293 §3.10, for the profiles of `lab.tcp.profile`. An Endpoint never changes: every operation is pure
and returns an `Outcome` that holds the endpoint afterwards. No clock is read: `now` is seconds on any clock that does
not go back.

It serves two masters:

- it DRIVES an end: make it with an `iss`, call, feed `arrives` and `timeout`, send what they and `transmit` return
  (`lab.tcp.driver.Driver` does that);
- it PREDICTS an end that somebody else drives: make it without `iss`, feed `arrives` with what reached that end, make
  the calls that its program made, and give `sent` every segment that was really seen from it. Then `snd_nxt`, `rcv_wnd`
  and what it owes are those that were seen, and `replies` say what the document asks for.

Not modelled: congestion control, Nagle's algorithm (as if switched off), generating SACK, precedence and security.
What is lost is repeated as RFC 5681 §3.2 and RFC 6582 §3.2 have it, but no congestion window is kept: a driven end
sends all that the peer's window takes.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.tcp import arrivals, calls, observation, transmission
from lab.tcp.octets import EMPTY, Octets
from lab.tcp.outcome import CallError, Outcome, Reply
from lab.tcp.profile import RFC9293, Profile
from lab.tcp.segment import Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import State

__all__ = ["CallError", "Endpoint", "Held", "Offer", "Outcome", "Reply"]

_ZERO = Seq(0)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one end's SYN offered."""

    mss: int | None = None
    """Octets, None where the option was missing (RFC 9293 §3.7.1)."""
    shift: int | None = None
    """Window scale, 0 to 14, None where it was missing (RFC 7323 §2)."""
    timestamps: bool = False
    sack: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Text that waits for what comes before it (SHLD-31), or for the connection to stand (RFC 9293 §3.10.7.2)."""

    seq: Seq
    data: bytes
    fin: bool = False


@dataclass(frozen=True)
class Endpoint:
    """One end of a connection: the TCB of RFC 9293 §3.3.1 and what §3.10 needs besides.

    Only the first group of fields is meant to be given to the constructor.
    """

    profile: Profile = RFC9293
    iss: Seq | None = None
    """Initial send sequence number; given: used by the next OPEN. None: the stack's own choice, learnt from `sent`."""
    capacity: int = 65535
    """Octets of the receive buffer (of an end that is driven)."""
    default_mss: int = 536
    """Assumed where the peer's SYN has no MSS option: 536 for IPv4, 1220 for IPv6 (MUST-15)."""
    offer: Offer = Offer(mss=1460)
    """What this end's SYN offers (of an end that is driven). A SYN,ACK offers only what the SYN offered."""
    listening: bool = False
    """Whether a program listens on this port beside this connection. Set by `open_passive`."""

    state: State = State.CLOSED
    passive: bool = False
    """Whether it came from LISTEN (MUST-11)."""
    predicted: bool = False
    """Whether somebody else drives this end: numbers and windows are learnt from `sent`."""

    irs: Seq | None = None
    snd_una: Seq = _ZERO
    snd_nxt: Seq = _ZERO
    snd_wnd: int = 0
    """Octets that the peer takes from snd_una on, scaled."""
    snd_wl1: Seq = _ZERO
    snd_wl2: Seq = _ZERO
    max_snd_wnd: int = 0
    """MAX.SND.WND: the largest window that the peer ever gave (RFC 5961 §5.2)."""
    rcv_nxt: Seq = _ZERO
    rcv_wnd: int = 65535
    """Octets from rcv_nxt on that this end promised to take, scaled."""
    rcv_up: Seq | None = None
    last_ack_sent: Seq = _ZERO
    """Last.ACK.sent (RFC 7323 §4.3)."""
    ts_recent: int | None = None
    """TS.Recent (RFC 7323 §4.3)."""
    crossed: bool = False
    """Whether both ends' SYNs crossed (RFC 9293 §3.5, figure 7)."""
    syn_ack_stamps: tuple[int, int] | None = None
    """TSval of the first and the last SYN,ACK that this end was seen to send."""
    own_offer: Offer | None = None
    """What this end's SYN offered, None as long as it sent none."""
    peer_offer: Offer | None = None
    """What the peer's SYN offered, None as long as none came."""

    send_base: Seq = _ZERO
    """Number of the first octet in `send_buffer`."""
    send_buffer: Octets = EMPTY
    """Octets that the user gave and the peer has not acknowledged, sent or not."""
    fin_queued: bool = False
    """CLOSE was called: a FIN follows the last octet of `send_buffer`."""
    fin_seq: Seq | None = None
    """The number of this end's FIN, once it was sent."""
    receive_buffer: Octets = EMPTY
    """Octets in sequence that the user has not read."""
    held: tuple[Held, ...] = ()
    """What came out of order, in order."""
    fin_received: bool = False
    fin_waits: bool = False
    """Whether the peer's FIN has come and the user has not read up to it."""
    closed_for_reading: bool = False
    """The program is gone: choice "half-duplex-close"."""

    retransmit_at: float | None = None
    time_wait_at: float | None = None
    fin_wait_at: float | None = None
    """When FIN-WAIT-2 ends by itself: choice "fin-wait-2-timer"."""
    ack_due_at: float | None = None
    """When a delayed ACK is sent at last; not None: this end owes an ACK."""
    unacked_since: float | None = None
    retransmits: int = 0
    rto: float = 1.0
    srtt: float | None = None
    rttvar: float = 0.0
    timed: tuple[Seq, float] | None = None
    """The number whose acknowledgment gives a round-trip sample, and when it was sent (RFC 6298 §3)."""
    duplicate_acks: int = 0
    """Duplicate ACKs in a row (RFC 5681 §2), of an end that is driven."""
    recover: Seq | None = None
    """Where sending stood when a loss was noticed: an ACK below it tells of another one (RFC 6582 §3.2)."""
    resend: bool = False
    """Whether `transmit` is to send the oldest unacknowledged segment again, before any timer says so."""

    # What is agreed on

    @property
    def scaling(self) -> bool:
        """Whether both SYNs offered window scaling (RFC 7323 §2.2)."""
        return bool(
            self.own_offer
            and self.peer_offer
            and self.own_offer.shift is not None
            and self.peer_offer.shift is not None
        )

    @property
    def snd_shift(self) -> int:
        """How far the peer's window fields are shifted, 0 to 14 (RFC 7323 §2.3)."""
        return min((self.peer_offer.shift or 0) if self.scaling and self.peer_offer else 0, 14)

    @property
    def rcv_shift(self) -> int:
        """How far our own window fields are shifted, 0 to 14 (RFC 7323 §2.3)."""
        if self.crossed and self.profile.has("crossing-syns-scale") and self.own_offer:
            return min(self.own_offer.shift or 0, 14)
        return min((self.own_offer.shift or 0) if self.scaling and self.own_offer else 0, 14)

    @property
    def timestamps(self) -> bool:
        """Whether both SYNs offered timestamps (RFC 7323 §3.2)."""
        return bool(self.own_offer and self.peer_offer and self.own_offer.timestamps and self.peer_offer.timestamps)

    @property
    def sack(self) -> bool:
        """Whether both SYNs permitted SACK (RFC 2018 §2)."""
        return bool(self.own_offer and self.peer_offer and self.own_offer.sack and self.peer_offer.sack)

    @property
    def send_mss(self) -> int:
        """Octets of text that one segment may carry, at least 1 (RFC 9293 §3.7.1)."""
        peer = self.peer_offer.mss if self.peer_offer and self.peer_offer.mss is not None else self.default_mss
        own = self.offer.mss if self.offer.mss is not None else self.default_mss
        return max(1, min(peer, own) - (12 if self.timestamps else 0))

    @property
    def syn_acked(self) -> bool:
        """Whether our SYN is acknowledged."""
        return self.iss is not None and self.snd_una.ahead_of(self.iss) > 0

    @property
    def fin_acked(self) -> bool:
        """Whether our FIN was sent and is acknowledged."""
        return self.fin_seq is not None and self.snd_una.ahead_of(self.fin_seq) > 0

    @property
    def unsent(self) -> int:
        """Octets given by SEND and not sent yet."""
        return max(0, (self.send_base + len(self.send_buffer)).ahead_of(self.snd_nxt)) if self.send_buffer else 0

    @property
    def unacked(self) -> int:
        """Numbers sent and not acknowledged: octets, SYN and FIN."""
        return self.snd_nxt.ahead_of(self.snd_una)

    @property
    def next_timeout(self) -> float | None:
        """When `timeout` wants to be called next, None where no timer runs. In TIME-WAIT all others are off."""
        if self.time_wait_at is not None:
            return self.time_wait_at
        user = self.profile.parameters.user_timeout
        ends = None if user is None or self.unacked_since is None else self.unacked_since + user
        times = (self.retransmit_at, self.time_wait_at, self.fin_wait_at, self.ack_due_at, ends)
        return min((at for at in times if at is not None), default=None)

    # User calls

    def open_passive(self) -> Outcome:
        """OPEN, passive (RFC 9293 §3.10.1). Raises CallError "connection already exists" unless CLOSED."""
        return calls.open_passive(self)

    def open_active(self, now: float) -> Outcome:
        """OPEN, active (RFC 9293 §3.10.1): from CLOSED or LISTEN; the reply is the SYN.

        Raises CallError "connection already exists" in any other state.
        """
        return calls.open_active(self, now)

    def send(self, data: bytes, now: float) -> Outcome:
        """SEND (RFC 9293 §3.10.2): queues data; `transmit` sends it. From LISTEN it opens actively.

        Raises CallError "connection does not exist" (CLOSED) or "connection closing" (after CLOSE).
        """
        return calls.send(self, data, now)

    def receive(self, size: int, now: float = 0.0) -> Outcome:
        """RECEIVE (RFC 9293 §3.10.3): up to `size` octets as `Outcome.data`, b"" where none wait; never blocks.

        The reply, where there is one, is the window update that the read makes possible (optional); `now` is for its
        timestamp. Raises CallError "connection does not exist" (CLOSED), or "connection closing" where the peer has
        closed and all is read.
        """
        return calls.receive(self, size, now)

    def shutdown(self, now: float) -> Outcome:
        """CLOSE as the RFC has it (RFC 9293 §3.10.4): no more to send, reading goes on; `transmit` sends the FIN.

        Raises CallError "connection does not exist" (CLOSED) or "connection closing" (already closed).
        """
        return calls.shutdown(self, now)

    def close(self, now: float) -> Outcome:
        """What a program's close() does: CLOSE, and with choice "half-duplex-close" no more reading (MAY-1, SHLD-3).

        With that choice, unread data makes it a reset. After `shutdown` it is allowed and only ends the reading.
        Raises CallError as `shutdown` does, "connection closing" only without that choice.
        """
        return calls.close(self, now)

    def abort(self) -> Outcome:
        """ABORT (RFC 9293 §3.10.5). Raises CallError "connection does not exist" in CLOSED."""
        return calls.abort(self)

    def status(self) -> State:
        """STATUS (RFC 9293 §3.10.6). Raises CallError "connection does not exist" in CLOSED."""
        return calls.status(self)

    # Events

    def arrives(self, segment: Segment, now: float) -> Outcome:
        """SEGMENT ARRIVES (RFC 9293 §3.10.7), in any state; `replies` are what must be answered.

        An ACK with `due` above 0 is owed: `ack_due_at` says so until a segment that carries it was sent. New data, a
        queued FIN and repeats are `transmit`'s and `timeout`'s. Never raises.
        """
        return arrivals.arrives(self, segment, now)

    def transmit(self, now: float, most: int | None = None) -> Outcome:
        """What may be sent now: new data as the peer's window and MSS allow, the FIN behind the last of it.

        `most`: no more segments with text than so many, for who only wants to know how it begins; None: all.
        Segments carry the ACK, so that an owed one is settled. Nothing in a state that sends no data. Never raises.
        """
        return transmission.transmit(self, now, most)

    def timeout(self, now: float) -> Outcome:
        """The timers that ran out by `now` (RFC 9293 §3.10.8): user, retransmission, time-wait, and a delayed ACK.

        Harmless when none did. Never raises.
        """
        return transmission.timeout(self, now)

    def sent(self, segment: Segment, now: float, *, implied_calls: bool = False) -> Endpoint:
        """This endpoint after it was really seen to send `segment`, whatever that is. Never raises.

        The first SYN tells its ISS and what it offers; text and FIN in the peer's window advance `snd_nxt` to what was
        seen; an ACK settles what is owed; a RST at its own place in the sequence ends the connection. What fits
        nowhere changes nothing.

        With `implied_calls` a SYN in CLOSED or LISTEN implies OPEN (SYN-SENT; SYN-RECEIVED where it acknowledges a
        SYN), and a FIN implies CLOSE. Without, a FIN is noted as sent but the state waits for the call.
        """
        return observation.sent(self, segment, now, implied_calls=implied_calls)

    def without_connection(self) -> Endpoint:
        """A fresh endpoint, CLOSED, with the same profile and settings: what is left when the TCB is deleted.

        A driven end's next ISS lies ahead of everything that it has sent (RFC 9293 §3.6.1).
        """
        return Endpoint(
            profile=self.profile,
            iss=self._next_iss(),
            capacity=self.capacity,
            default_mss=self.default_mss,
            offer=self.offer,
            listening=self.listening,
            predicted=self.predicted,
        )

    def _next_iss(self) -> Seq | None:
        if self.predicted:
            return None
        return self.iss if self.own_offer is None else self.snd_nxt + 65537
