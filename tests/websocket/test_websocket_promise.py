"""A promised echo: what has to come back, what need not, and what is wrong."""

from __future__ import annotations

import pytest
from websocket_octets import ANSWER, KEY, REQUEST

from lab.websocket import echo as module
from lab.websocket.dialogue import Dialogue
from lab.websocket.echo import Echo
from lab.websocket.frames import Frame, binary, close, continuation, ping, pong, text


def opened(early: bytes = b"") -> Dialogue:
    dialogue = Dialogue()
    dialogue.client_sends(REQUEST, 1.0)
    dialogue.echo = Echo()
    if early:
        dialogue.client_sends(early, 1.0)
    dialogue.server_sends(ANSWER, 2.0)
    return dialogue


def says(dialogue: Dialogue, *sent: Frame, now: float = 3.0) -> None:
    for one in sent:
        dialogue.client_sends(one.masked(KEY).encode(), now)


def hears(dialogue: Dialogue, *sent: Frame) -> list[tuple[str, str, str]]:
    """What is wrong with these frames of the server's: part, expected, observed."""
    seen = dialogue.server_sends(b"".join(one.encode() for one in sent), 4.0)
    return [(one.finding.field, one.finding.expected, one.finding.observed) for one in seen if one.finding]


def owed(dialogue: Dialogue) -> list[tuple[str, str, float]]:
    return [(one.kind, one.what, one.since) for one in dialogue.owed(9.0) if one.kind == "echo"]


def test_each_message_has_to_come_back() -> None:
    dialogue = opened()
    says(dialogue, text("a"), text("b", fin=False), ping(b"p"), continuation("c"), binary(b""))
    assert owed(dialogue) == [("echo", 'the echo of TEXT "a"', 3.0)]
    assert hears(dialogue, text("a", fin=False), pong(b"p"), continuation(b"")) == []
    assert owed(dialogue) == [("echo", 'the echo of TEXT "bc"', 3.0)]
    assert hears(dialogue, text("bc")) == []
    assert owed(dialogue) == [("echo", "the echo of BINARY nothing", 3.0)]
    assert hears(dialogue, binary(b"")) == []
    assert owed(dialogue) == []


@pytest.mark.parametrize(
    ("comes", "wrong"),
    [
        (text("b"), ("payload", 'TEXT "a"', 'TEXT "b"')),
        (binary(b"a"), ("opcode", 'TEXT "a"', "BINARY 0x61")),
        (text(""), ("payload", 'TEXT "a"', "TEXT nothing")),
    ],
)
def test_what_is_wrong_is_told_once(comes: Frame, wrong: tuple[str, str, str]) -> None:
    dialogue = opened()
    says(dialogue, text("a"), text("b"))
    assert hears(dialogue, comes, text("z")) == [wrong]
    says(dialogue, text("c"))
    assert owed(dialogue) == []
    assert hears(dialogue, text("a")) == []


def test_what_nobody_waits_for_is_no_echo() -> None:
    dialogue = opened()
    assert hears(dialogue, text("welcome")) == []
    says(dialogue, text("a"))
    assert hears(dialogue, text("a"), text("a")) == []


def test_what_need_not_come_back() -> None:
    dialogue = opened()
    says(dialogue, text("a"), close(1000), text("behind"))
    assert owed(dialogue) == [("echo", 'the echo of TEXT "a"', 3.0)]
    assert hears(dialogue, close(1000)) == []  # the two may have crossed
    assert owed(dialogue) == []

    dialogue = opened()
    dialogue.client_sends(text("not masked").encode(), 3.0)
    says(dialogue, text("behind the bad one"))
    assert owed(dialogue) == []

    dialogue = opened()
    says(dialogue, text("a" * 2**16), text("b"))  # which a server may refuse (RFC 6455 §10.4)
    assert owed(dialogue) == []

    dialogue = opened(early=text("a").masked(KEY).encode())  # which no client may send (RFC 6455 §4.1)
    assert owed(dialogue) == []


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_AWAITED", 1000)
    dialogue = opened()
    says(dialogue, *[text("a" * 300)] * 4)
    assert owed(dialogue) == []
    assert hears(dialogue, text("b")) == [], "nobody knows any more what it should be"
