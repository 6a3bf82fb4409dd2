"""What may come next: each segment and call that the documents allow now, and a few instructive ones that they do not.

Our end is asked as an end of its own: a copy of what its segments imply, driven by the model of RFC 9293, makes each
call. The server's program is asked in the same way, in every world that is still possible. What each would bring is
`lab.tcp.prediction`'s; wrong ones are made in `lab.tcp.mischief`. Nothing is written down state by state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from lab.tcp.conversation import Conversation
from lab.tcp.endpoint import Endpoint
from lab.tcp.mischief import candidates, driven, name_of, stamped
from lab.tcp.outcome import CallError, Outcome
from lab.tcp.prediction import CALLS, HELLO, Answer, early_fin, predict, predict_call
from lab.tcp.segment import ACK, PSH, RST, SYN, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import SYNCHRONIZED

__all__ = ["Answer", "Move", "illegal_moves", "legal_moves", "predict", "predict_call"]


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that may happen next."""

    by: Literal["lab", "server"]
    name: str
    """For the lab: "syn", "synack", "ack", "data", "fin", "rst", "repeat" (its timer's), "synfin", "nothing" (no flag).
    For the server's program: one of `lab.tcp.prediction.CALLS`."""
    segment: Segment | None
    """The segment, for a move of the lab."""
    legal: bool
    about: str
    """A few words: what is special of an illegal one, or why a legal one is due; "" for nothing."""
    due: bool
    """Whether the document asks for it now."""
    answers: tuple[Answer, ...]
    """What may come of it, plainest first; never empty."""


def legal_moves(conversation: Conversation, now: float, *, iss: Seq, calls: bool = True) -> list[Move]:
    """What our end may send now, what it owes first; and, with `calls`, what the server's program may call.

    `iss` is the number with which our end would open; `now` in seconds, on the conversation's clock. Data are 5 octets.
    Changes nothing. Never raises.
    """
    moves = [
        Move("lab", name, segment, True, about, due, predict(conversation, segment, now))
        for name, segment, about, due in _own_segments(conversation, now, iss)
    ]
    for name in CALLS if calls else ():
        answers = predict_call(conversation, name, now, iss=iss)
        if answers:
            moves.append(Move("server", name, None, True, "", False, answers))
    return moves


def illegal_moves(conversation: Conversation, now: float, *, iss: Seq, most: int = 4) -> list[Move]:
    """At most `most` instructive segments that our end must not send now, and what each would provoke.

    The candidates come from the numbers alone (`lab.tcp.mischief`). Of those that provoke the same, one is kept; those
    come first that show most that the others do not. The same every time. Changes nothing. Never raises.
    """
    own = [segment for _, segment, _, _ in _own_segments(conversation, now, iss)]
    end = driven(conversation, iss)
    found: dict[object, Move] = {}
    for segment, about in candidates(conversation, end, now):
        if _might_be_ours(end, segment, own):
            continue
        answers = predict(conversation, segment, now)
        move = Move("lab", name_of(segment), segment, False, about, False, answers)
        found.setdefault(tuple(map(_outcome, answers)), move)
    return _most_instructive(list(found.values()), most)


def _outcome(answer: Answer) -> object:
    """What a learner would see of it."""
    return tuple(segment.flags for segment in answer.segments), answer.server, answer.lab


def _most_instructive(moves: list[Move], most: int) -> list[Move]:
    """Each time the one with most outcomes that none before it has shown; the earlier candidate where two are alike."""
    chosen: list[Move] = []
    seen: set[object] = set()
    while moves and len(chosen) < most:
        best = max(moves, key=lambda move: (len({*map(_outcome, move.answers)} - seen), len(move.answers)))
        moves = [move for move in moves if move is not best]
        chosen.append(best)
        seen.update(map(_outcome, best.answers))
    return chosen


def _might_be_ours(end: Endpoint, segment: Segment, own: list[Segment]) -> bool:
    """Whether our end might legally send it, now or as a repetition of what it has outstanding."""

    def looks(one: Segment) -> object:
        return one.flags & ~PSH, one.seq, one.ack if ACK in one.flags else None, bool(one.payload)

    if any(looks(segment) == looks(one) for one in own):
        return True
    if segment.flags & (SYN | RST) or ACK not in segment.flags or end.state not in SYNCHRONIZED:
        return False
    if segment.ack != end.rcv_nxt:
        return False
    if not segment.length:
        return segment.seq == end.snd_nxt
    return segment.seq.within(end.snd_una, end.unacked) and segment.end.ahead_of(end.snd_nxt) <= 0


# Our own end


def _own_segments(conversation: Conversation, now: float, iss: Seq) -> Iterator[tuple[str, Segment, str, bool]]:
    """Name, segment, what is to say of it, and whether it is due: all that our end, driven by the model, would send."""
    end = driven(conversation, iss)
    seen: list[Segment] = []
    owes_ack = False
    for reply in conversation.owed:
        segment = replace(reply.segment, seq=end.iss) if "seq" in reply.free and end.iss is not None else reply.segment
        segment = stamped(segment, conversation)
        seen.append(segment)
        owes_ack = owes_ack or segment.flags == ACK
        yield name_of(segment), segment, f"you owe {_WITH_ARTICLE[name_of(segment)]}", not reply.optional
    opening = any(SYN in segment.flags for segment in seen)
    for segment in _by_calls(end, now, opening):
        segment = stamped(segment, conversation)
        if segment not in seen:
            seen.append(segment)
            settles = owes_ack and ACK in segment.flags and RST not in segment.flags
            yield name_of(segment), segment, "it carries the ACK that you owe" if settles else "", False
    again = _by_timer(end)
    if again is not None and (again := stamped(again, conversation)) not in seen:
        yield "repeat", again, "it is not acknowledged: when its timer runs out, it goes again", False


_WITH_ARTICLE = {"ack": "an ACK", "synack": "a SYN+ACK", "rst": "a RST"}


def _by_calls(end: Endpoint, now: float, opening: bool) -> Iterator[Segment]:
    """The first segment that each call sends, if the state allows the call. `opening`: our SYN+ACK goes out first."""
    calls: tuple[Callable[[], Outcome], ...] = (
        lambda: end.open_active(now),
        lambda: end.send(HELLO, now),
        lambda: end.shutdown(now),
        end.abort,
    )
    for call in calls:
        try:
            outcome = call()
        except CallError:
            continue
        after = outcome.endpoint
        replies = outcome.replies or after.transmit(now, most=1).replies
        if replies:
            yield replies[0].segment
        elif not opening and (fin := early_fin(end, after, now)) is not None:
            yield fin


def _by_timer(end: Endpoint) -> Segment | None:
    """What the retransmission timer would send."""
    if end.retransmit_at is None or end.snd_una == end.snd_nxt:
        return None
    replies = end.timeout(end.retransmit_at).replies
    return replies[0].segment if replies else None
