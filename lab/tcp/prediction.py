"""What would come back: each way in which the server may answer a segment of ours, or a call of its own program.

Asked of the model and of nothing else: copies of the worlds that the server's shadow still follows take the segment,
and a copy of our end takes what they answer. No congestion window is kept and Nagle's algorithm is off, as everywhere
in the model: of what a program writes, more may be predicted to come at once than a stack sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lab.tcp.conversation import Conversation
from lab.tcp.debts import after_sending, after_taking
from lab.tcp.endpoint import Endpoint
from lab.tcp.evolve import evolve
from lab.tcp.outcome import CallError, Outcome, Reply
from lab.tcp.reaction import make
from lab.tcp.segment import ACK, FIN, RST, SYN, Hurdle, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import State
from lab.tcp.ways import ways
from lab.tcp.world import World

HELLO = b"hello"
"""What is written where somebody asks what writing would bring."""

IMAGINED = 64
"""Segments with text that an Answer names at most: to a peer that takes an octet at a time, a window is 65,535."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What may come of a segment or a call."""

    segments: tuple[Segment, ...]
    """What the server sends, in order: at once, or within `due`; () is silence. A number in `free` that nobody knows
    yet, such as the server's first, counts from 0; where our end stands in an older connection, `lab` is a guess."""
    due: float
    """0.0: at once; else within so many seconds (a delayed ACK, RFC 9293 §3.8.6.3)."""
    server: State
    """The server's end then."""
    lab: State
    """Our end, after it has sent the segment and taken the answers."""
    owes: tuple[Segment, ...]
    """What our end then has to answer, what it owed before included."""
    rule: str
    """The section by which the server decides, "RFC 9293 §3.10.7.4"."""
    why: str
    """One sentence for a learner."""
    profiles: tuple[str, ...]
    """Names of the profiles of `lab.tcp.profile` that answer so, plainest first."""
    choices: tuple[str, ...]
    """Ids of the choices by which the first of them differs from the base text."""
    notices: tuple[str, ...]
    """What the server's program is told: "connection reset" …"""
    optional: bool
    """Whether the answer may be left out, by one of the profiles at least."""
    free: tuple[frozenset[str], ...] = ()
    """For each of `segments` the fields that the stack is free in or nobody knows yet: "seq", "ack", "window" …"""
    more: bool = False
    """Whether further segments would follow at once: IMAGINED are worked out, and both ends' states are those then."""

    @classmethod
    def nothing(cls, server: State, lab: State) -> Answer:
        """That nothing is sent and both ends stay: of a call that is a program's own affair."""
        return cls((), 0.0, server, lab, (), "RFC 9293 §3.9.1", "", (), (), (), False)


def predict(
    conversation: Conversation,
    segment: Segment,
    now: float,
    *,
    ours: bool = True,
    hurdle: Hurdle | None = None,
) -> tuple[Answer, ...]:
    """One Answer for each way in which a server that is still possible may answer `segment`, plainest first.

    Worlds that answer alike and differ in nothing but their profile are one Answer. `ours` and `hurdle` as in
    `Conversation.peer_sends`; `now` in seconds, on the conversation's clock. Changes nothing. Never raises.
    """
    lab = (conversation.peer, conversation.owed)
    if ours:
        lab = after_sending(*lab, segment, now)
    server = conversation.server.copy()
    if hurdle is not None and hurdle.sure:
        why = f"{hurdle.why}: it never reaches the server's TCP"
        return _answers([(w, Outcome(w.endpoint, (), hurdle.section, why)) for w in server.worlds], lab, now)
    server.make_ready(segment)
    return _answers([(w, o) for w in server.worlds for o in ways(w.endpoint, segment, now, hurdle)], lab, now)


_NOTHING_NEW = "it brings nothing new and asks for no answer"

CALLS: dict[str, Callable[[Endpoint, float, bytes], Outcome]] = {
    "listen": lambda end, now, data: end.open_passive(),
    "connect": lambda end, now, data: end.open_active(now),
    "recv": lambda end, now, data: end.receive(len(end.receive_buffer), now),
    "send": lambda end, now, data: end.send(data, now),
    "shutdown": lambda end, now, data: end.shutdown(now),
    "close": lambda end, now, data: end.close(now),
    "abort": lambda end, now, data: end.abort(),
}
"""What a program may call, in the order in which most would; `data` is what it writes."""


def predict_call(
    conversation: Conversation, name: str, now: float, *, iss: Seq, data: bytes = HELLO
) -> tuple[Answer, ...]:
    """What would come of the server's program calling `name`, one of `CALLS`; () where that is not allowed now.

    `send` writes `data`, one octet at least. `iss` is the number with which our end, called by `connect`, would answer.
    Changes nothing. Raises KeyError for another name.
    """
    server = conversation.server.copy()
    server.make_ready()
    if any(w.endpoint.closed_for_reading for w in server.worlds):
        return ()  # close() was called: whatever the model would still allow, the program has nothing left to call on
    lab = (conversation.peer, conversation.owed)
    if name == "connect" and lab[0].state is State.CLOSED:
        # Whoever is called listens.
        lab = (Endpoint(profile=lab[0].profile, iss=iss).open_passive().endpoint, ())
    made: list[tuple[World, Outcome]] = []
    for world in server.worlds:
        if not _has_a_socket_for(name, world.endpoint):
            continue
        try:
            made.append((world, CALLS[name](world.endpoint, now, data)))
        except CallError:
            continue
    answers = _answers(made, lab, now, arrived=name not in ("send", "shutdown", "close"))
    waits = WAITS.get(name)
    if waits is not None and any(w.endpoint.snd_una != w.endpoint.snd_nxt for w, _ in made):
        return tuple(replace(a, optional=True, why=f"{a.why}; or {waits}") if a.segments else a for a in answers)
    return answers


_LOSS = "it waits for the ACK of what is on its way, since the server believes in a loss (RFC 5681 §3.1)"
WAITS = {
    # "A TCP implementation SHOULD implement the Nagle algorithm" (RFC 9293 §3.7.4, SHLD-7); a program may turn it off
    # (MUST-17), of which nobody tells the model.
    "send": "it waits for the ACK of what is on its way (Nagle's algorithm, RFC 9293 §3.7.4)",
    "shutdown": _LOSS,
    "close": _LOSS,
}
"""Why what a call sends may not go out yet where something is outstanding."""


def early_fin(before: Endpoint, after: Endpoint, now: float) -> Segment | None:
    """The FIN of a CLOSE in SYN-RECEIVED: "form a FIN segment and send it" (RFC 9293 §3.10.4), where that was the call.

    The model's own ends wait for the ACK of their SYN before they `transmit` it, which nobody has to.
    """
    if before.state is not State.SYN_RECEIVED or after.state is not State.FIN_WAIT_1 or after.syn_acked:
        return None
    return make(after, FIN | ACK, after.snd_nxt, now)


def _has_a_socket_for(name: str, end: Endpoint) -> bool:
    """Whether a program has a socket to call it on. The RFC's user has one from OPEN on; that of the sockets' listener
    is given one when the connection stands, and can do nothing with the listening one but close it.
    """
    if end.state is State.LISTEN:
        return name == "close"
    if end.state is State.SYN_RECEIVED and end.passive:
        return False
    if name == "send" and end.state in (State.SYN_SENT, State.SYN_RECEIVED):
        return False  # it would wait until the connection stands
    if name == "shutdown" and end.state is State.SYN_RECEIVED:
        return False  # a socket takes note of it, and nothing comes of it until the connection stands
    return name != "recv" or bool(end.receive_buffer)


def _is_released(before: Endpoint, end: Endpoint, now: float) -> bool:
    """Whether what an end has to send is set free by what arrived. What might have gone out before and did not is on
    its way by itself, or waits until all before it is acknowledged (Nagle's algorithm, a congestion window).
    """
    if not evolve(before, resend=False).transmit(now, most=1).replies:
        return True
    return before.snd_una != before.snd_nxt and end.snd_una.ahead_of(before.snd_nxt) >= 0


_FREE = frozenset({"window", "options"})
_Ours = tuple[Endpoint, tuple[Reply, ...]]


def _answers(
    outcomes: Iterable[tuple[World, Outcome]], lab: _Ours, now: float, *, arrived: bool = True
) -> tuple[Answer, ...]:
    """The outcomes as Answers; those that look alike from outside are one."""
    found: dict[object, Answer] = {}
    for world, outcome in outcomes:
        replies, end, choices = _with_what_follows(world.endpoint, outcome, now, arrived)
        looks = tuple((r.segment.flags, r.segment.seq, r.segment.ack, r.segment.payload) for r in replies)
        due = max((r.due for r in replies), default=0.0) if all(r.due for r in replies) else 0.0
        optional = bool(replies) and all(r.optional for r in replies)
        key = (looks, due, end.state, outcome.notices)
        name = world.endpoint.profile.name
        same = found.get(key)
        if same is not None:
            if name not in same.profiles or optional > same.optional:
                names = dict.fromkeys((*same.profiles, name))
                found[key] = replace(same, profiles=tuple(names), optional=same.optional or optional)
            continue
        ours, owed = lab
        for reply in replies:
            ours, owed = after_taking(ours, owed, reply.segment, now)
        found[key] = Answer(
            segments=tuple(r.segment for r in replies),
            due=due,
            server=end.state,
            lab=ours.state,
            owes=tuple(o.segment for o in owed),
            rule=outcome.rule,
            why=outcome.why or _NOTHING_NEW,
            profiles=(name,),
            choices=choices,
            notices=outcome.notices,
            optional=optional,
            free=tuple(r.free for r in replies),
            more=len(replies) >= IMAGINED and bool(end.transmit(now, most=1).replies),
        )
    return tuple(found.values())


def _with_what_follows(
    before: Endpoint, outcome: Outcome, now: float, arrived: bool
) -> tuple[tuple[Reply, ...], Endpoint, tuple[str, ...]]:
    """All that goes out, the end after it, and the choices made: also text or a FIN that waited for this."""
    end = outcome.endpoint
    if not end.send_buffer and (not end.fin_queued or end.fin_seq is not None):
        return outcome.replies, end, outcome.choices
    more = evolve(end, resend=False).transmit(now, most=IMAGINED)
    if arrived and more.replies and not _is_released(before, end, now):
        return outcome.replies, end, outcome.choices
    if not more.replies:
        fin = early_fin(before, end, now)
        replies = (*outcome.replies, Reply(fin, 0.0, outcome.rule, _FREE)) if fin else outcome.replies
        return replies, end, outcome.choices
    # What is sent carries the ACK, so that a bare one beside it says nothing more (RFC 9293 §3.10.7.4). One that
    # repeats the last tells of a gap, and goes out by itself.
    first = more.replies[0].segment
    kept = tuple(
        r for r in outcome.replies
        if r.segment.flags & (SYN | FIN | RST) or ACK not in r.segment.flags or r.segment.payload
        or (not r.due and (r.segment.ack != first.ack or r.segment.ack == before.last_ack_sent))
    )  # fmt: skip
    choices = tuple(dict.fromkeys((*outcome.choices, *more.choices)))
    return (*kept, *more.replies), more.endpoint, choices
