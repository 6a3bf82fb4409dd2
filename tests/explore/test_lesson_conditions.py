"""What a step of a lesson may ask for: each condition holds for what happened, and does not for what did not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.explore.lessons.lesson import Condition, FrameShape, Shape
from lab.explore.lessons.occasion import OLD, Numbers, Occasion, holds
from lab.scenario.record import LOST, Call, Packet
from lab.tcp.segment import Segment, flags_from
from lab.tcp.sequence import Seq
from lab.tcp.state import State


def packet(sender: Any, flags: str, seq: int, ack: int, payload: bytes = b"", note: str = "") -> Packet:
    segment = Segment(flags_from(flags), Seq(seq), Seq(ack), payload=payload)
    return Packet(1, 0.0, 0.0, sender, b"", segment, seq=seq, ack=ack, note=note)


TEXT = packet("peer", "PA", 1, 1, b"hi")
ANSWER = packet("server", "A", 1, 3)


def seen() -> Occasion:
    """Our text, under an ACK that is one too low, and the server's answer; a FIN that was lost; a call, and a frame."""
    web = SimpleNamespace(state="OPEN", site=SimpleNamespace(resource="/map?x=1"))
    ends = SimpleNamespace(peer_state=State.ESTABLISHED, server_state=State.CLOSE_WAIT)
    play: Any = SimpleNamespace(connection=ends, web=web)
    entries = [TEXT, ANSWER, packet("peer", "FA", 3, 2, note=LOST), Call(0.0, 3, "call", "accept()")]
    return Occasion(
        play, entries, Numbers(snd_nxt=1, rcv_nxt=2), [("lab", "TEXT", True)],
        looked="layers", of=ANSWER, refused="server accept", answer="X plus 1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "other"),
    [
        (Condition(sends=Shape(flags="PA")), Condition(sends=Shape(flags="FA"))),  # which was lost
        (Condition(sends=Shape(text=True)), Condition(sends=Shape(text=False))),
        (Condition(sends=Shape(seq=1)), Condition(sends=Shape(seq=3))),
        (Condition(sends=Shape(seq="right")), Condition(sends=Shape(seq="low"))),
        (Condition(sends=Shape(ack="low")), Condition(sends=Shape(ack="right"))),
        (Condition(sends=Shape(ack="low")), Condition(sends=Shape(ack="high"))),
        (Condition(sends=Shape()), Condition(sends=Shape(old=True))),
        (Condition(gets=Shape(flags="A", ack=3)), Condition(gets=Shape(flags="FA"))),
        (Condition(lab=(State.ESTABLISHED,)), Condition(lab=(State.CLOSE_WAIT,))),
        (Condition(server=(State.CLOSE_WAIT,)), Condition(server=(State.ESTABLISHED,))),
        (Condition(record="accept"), Condition(record="close")),
        (Condition(web="OPEN"), Condition(web="CLOSING")),
        (Condition(paths=("/score", "/map")), Condition(paths=("/score",))),
        (Condition(frames=(FrameShape("lab", "TEXT"),)), Condition(frames=(FrameShape("server", "TEXT"),))),
        (Condition(frames=(FrameShape("lab", "TEXT"),)), Condition(frames=(FrameShape("lab", "PING"),))),
        (Condition(frames=(FrameShape("lab", "TEXT", True),)), Condition(frames=(FrameShape("lab", "TEXT", False),))),
        (Condition(looks="layers"), Condition(looks="why")),
        (Condition(of=Shape(by="server")), Condition(of=Shape(by="lab"))),
        (Condition(of=Shape(by="server", ack=3)), Condition(of=Shape(by="server", ack=1))),
        (Condition(refused="server accept"), Condition(refused="server recv")),
        (Condition(answer=("{x}", "x+1")), Condition(answer=("{x}",))),
    ],
)
def test_each_condition_can_fail(condition: Condition, other: Condition) -> None:
    assert holds(condition, seen(), {"x": "7"})
    assert not holds(other, seen(), {"x": "7"})


def test_an_old_duplicate_is_none_of_ours() -> None:
    old = seen()
    old.entries = [packet("peer", "S", -90, 0, note=OLD)]
    assert holds(Condition(sends=Shape(flags="S", old=True)), old, {})
    assert not holds(Condition(sends=Shape(flags="S")), old, {})


def test_where_no_websocket_is_nothing_of_it_holds() -> None:
    plain = seen()
    plain.play.web = None
    assert not holds(Condition(web="OPEN"), plain, {})
    assert not holds(Condition(paths=("/map",)), plain, {})


def test_a_number_that_nobody_knows_is_not_right() -> None:
    unknown = seen()
    unknown.before = Numbers()
    assert not holds(Condition(sends=Shape(seq="right")), unknown, {})
