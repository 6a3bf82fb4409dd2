"""How one operation on an Endpoint is put together: a changing draft of the endpoint, and what is said on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lab.tcp import options
from lab.tcp.evolve import evolve
from lab.tcp.outcome import Outcome, Reply
from lab.tcp.segment import ACK, RST, SYN, Flags, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import Event, State, step

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint, Offer

_ARRIVES = "RFC 9293 §3.10.7.4"


class Reaction:
    """One operation in the making. `end` is replaced as it goes; `outcome()` closes it."""

    __slots__ = ("_choices", "at_once", "end", "events", "notices", "now", "replies", "rule", "why")

    def __init__(self, end: Endpoint, now: float, rule: str = _ARRIVES) -> None:
        self.end = end
        self.now = now
        self.rule = rule
        self.why = ""
        self.replies: list[Reply] = []
        self.events: list[Event] = []
        self.notices: list[str] = []
        self._choices: list[str] = []
        self.at_once = False
        """Whether the ACK that is owed must not wait for company."""

    def explain(self, why: str, rule: str = "") -> None:
        """What decided: the sentence for a learner, and its section where it is another than before."""
        self.why = why
        if rule:
            self.rule = rule

    def chose(self, choice: str) -> None:
        """Notes that a choice of the profile made it differ from the base text."""
        if choice not in self._choices:
            self._choices.append(choice)

    def move(self, event: Event) -> None:
        """Takes the table's arrow for `event`. Every change of state goes through here."""
        arrow = step(self.end.state, event)
        self.events.append(event)
        if arrow.choice:
            self.chose(arrow.choice)
        if arrow.to is State.CLOSED:
            self.end = self.end.without_connection()
        elif arrow.to is State.LISTEN:
            fresh = self.end.without_connection()
            self.end = evolve(fresh, state=State.LISTEN, passive=True, listening=True)
        else:
            self.end = evolve(self.end, state=arrow.to)

    def end_connection(self, event: Event, notice: str = "") -> None:
        """Deletes the TCB by that event and tells the user."""
        self.move(event)
        if notice:
            self.notices.append(notice)

    def time_wait(self) -> None:
        """Starts the time-wait timer and turns off the others (RFC 9293 §3.10.7.4, eighth)."""
        self.end = evolve(
            self.end,
            time_wait_at=self.now + self.end.profile.parameters.time_wait,
            retransmit_at=None,
            fin_wait_at=None,
            unacked_since=None,
        )

    def reply(
        self, segment: Segment, *, free: frozenset[str], due: float = 0.0, optional: bool = False, rule: str = ""
    ) -> None:
        """Adds a reply; a driven endpoint counts it as sent."""
        self.replies.append(Reply(segment, due, rule or self.rule, free, optional))
        if not due:
            self.end = went_out(self.end, segment)

    def acknowledge(self, *, due: float = 0.0, optional: bool = False, rule: str = "") -> None:
        """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>; with `due` it is owed instead of sent."""
        self.reply(
            make(self.end, ACK, self.own_place(), self.now),
            free=_FREE_UNKNOWN if self.end.iss is None else _FREE,
            due=due,
            optional=optional,
            rule=rule,
        )
        if due and self.end.ack_due_at is None:
            self.end = evolve(self.end, ack_due_at=self.now + self.end.profile.parameters.delayed_ack)

    def own_place(self) -> Seq:
        """SND.NXT, or what a stack puts in its place where the peer's window ends before it."""
        end = self.end
        beyond = end.unacked - end.snd_wnd
        if beyond <= 0 or end.iss is None:
            return end.snd_nxt
        if not end.predicted and end.syn_acked:
            # An octet that probes a shut window lies beyond it. A number behind that one would be unacceptable to the
            # peer, and our window updates with it: where both windows are shut, they would stay so for ever.
            return end.snd_nxt - beyond
        if not end.profile.has("seq-within-window"):
            return end.snd_nxt
        if end.scaling and beyond < 1 << end.rcv_shift:
            return end.snd_nxt
        self.chose("seq-within-window")
        return end.snd_nxt - beyond

    def challenge(self) -> None:
        """The same ACK, for a segment that is not acceptable; it may be rate limited (RFC 5961 §7)."""
        self.acknowledge(optional=self.end.profile.parameters.answers_limited)

    def refuse(self, segment: Segment) -> None:
        """The RST that `segment` will find acceptable (RFC 9293 §3.5.2, §3.10.7.1)."""
        if ACK in segment.flags:
            self.reply(Segment(RST, segment.ack, window=0), free=_FREE_RST)
        else:
            answer = Segment(RST | ACK, Seq(0), segment.end, window=0)
            self.replies.append(Reply(answer, 0.0, self.rule, _FREE))

    def outcome(self, data: bytes = b"") -> Outcome:
        """What came of it."""
        return Outcome(
            self.end,
            tuple(self.replies),
            self.rule,
            self.why,
            tuple(self._choices),
            tuple(self.events),
            tuple(self.notices),
            data,
        )


_FREE = frozenset({"window", "options"})
_FREE_UNKNOWN = _FREE | {"seq"}
_FREE_RST = _FREE | {"ack"}


def window_to_offer(end: Endpoint) -> int:
    """Octets from rcv_nxt on that the next segment promises. Never moves the right edge back (SHLD-14)."""
    if end.predicted:
        return end.rcv_wnd
    room = end.capacity - len(end.receive_buffer)
    # Silly window avoidance, receiver's side (RFC 9293 §3.8.6.2.2): the edge moves by a worthwhile step or not at all.
    if room - end.rcv_wnd >= min(end.capacity // 2, end.offer.mss or end.default_mss):
        return room
    return end.rcv_wnd


def make(end: Endpoint, flags: Flags, seq: Seq, now: float, payload: bytes = b"") -> Segment:
    """A segment as `end` sends it: acknowledgment, window and options filled in."""
    acks = ACK in flags
    if SYN in flags:
        field = min(window_to_offer(end), 65535)
        raw = _syn_options(end, now, acks)
    else:
        field = min(window_to_offer(end) >> end.rcv_shift, 65535)
        raw = _stamp(end, now) if end.timestamps else b""
    return Segment(flags, seq, end.rcv_nxt if acks else Seq(0), field, payload, raw)


def went_out(end: Endpoint, segment: Segment) -> Endpoint:
    """`end` after it sent `segment`: what the segment acknowledges and promises. A predicted end waits for `sent`."""
    if end.predicted or ACK not in segment.flags or RST in segment.flags:
        return end
    promised = segment.window << (0 if SYN in segment.flags else end.rcv_shift)
    return evolve(end, last_ack_sent=segment.ack, rcv_wnd=max(end.rcv_wnd, promised), ack_due_at=None)


def offer_of(segment: Segment) -> Offer:
    """What a SYN offers."""
    from lab.tcp.endpoint import Offer

    return Offer(segment.mss, segment.window_scale, segment.timestamps is not None, segment.sack_permitted)


def offer_to_make(end: Endpoint, answering: bool) -> Offer:
    """What a driven end's SYN offers; in a SYN,ACK only what the SYN offered (RFC 7323 §2.2, §3.2)."""
    peer, shift = end.peer_offer, end.offer.shift
    if shift is not None:
        # A window is announced in steps of 2**shift: a buffer of a few steps would look shut while it has room.
        shift = min(shift, 14, max(0, end.capacity.bit_length() - 8))
    if not answering or peer is None:
        return replace(end.offer, shift=shift)
    return replace(
        end.offer,
        shift=shift if peer.shift is not None else None,
        timestamps=end.offer.timestamps and peer.timestamps,
        sack=end.offer.sack and peer.sack,
    )


def _syn_options(end: Endpoint, now: float, answering: bool) -> bytes:
    offer = offer_to_make(end, answering)
    found: list[options.Option] = []
    if offer.mss is not None:
        found.append(options.mss(offer.mss))
    if offer.sack:
        found.append(options.sack_permitted())
    if offer.timestamps:
        found.append(options.timestamps(_clock(now), (end.ts_recent or 0) if answering else 0))
    if offer.shift is not None:
        found.append(options.window_scale(offer.shift))
    return options.pack(found)


def _stamp(end: Endpoint, now: float) -> bytes:
    pad = options.Option(options.Kind.NOP)
    return options.pack((pad, pad, options.timestamps(_clock(now), end.ts_recent or 0)))


def _clock(now: float) -> int:
    """The timestamp clock: one tick a millisecond (RFC 7323 §5.4)."""
    return int(now * 1000)
