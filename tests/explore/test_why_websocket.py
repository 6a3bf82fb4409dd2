"""`why` on a WebSocket connection: what the server's frames answered, each with its section of RFC 6455."""

from __future__ import annotations

import re

import pytest
from hand import Hand

from lab.explore.commands.answers import WORDS

OPEN = ("new ws", "ws open", "ack")


def why(hand: Hand) -> str:
    """What `why` says, in one line."""
    return " ".join(hand.look("why").split())


def test_why_names_the_rule_of_each_frame(hand: Hand) -> None:
    hand.do("new ws", "ws open")
    assert re.search(
        r"101 Switching Protocols \(frame \d+\): it accepts your request, .*\(RFC 6455 §4\.2\.2\)", why(hand)
    )
    hand.do("ack", 'ws ping "x"')
    said = why(hand)
    assert re.search(r'PONG fin len 1 "x" \(frame \d+\): it answers your Ping, .*\(RFC 6455 §5\.5\.3\)', said)
    assert "101 Switching Protocols" not in said, "that answered something else"
    hand.do("ack")
    assert "it answers your Ping" in why(hand), "an ACK says nothing of WebSocket"
    hand.do('ws text "hi"')
    assert re.search(r'TEXT fin len 2 "hi" \(frame \d+\): .*\(RFC 6455 §5\.6, §6\.1\)', why(hand))
    hand.do('ws binary "hi"')
    assert re.search(r"BINARY fin len 2 0x6869 \(frame \d+\): .*\(RFC 6455 §5\.6, §6\.1\)", why(hand))
    hand.do("ws close 1000")
    said = why(hand)
    assert re.search(r"CLOSE fin len 2 1000 \(frame \d+\): it answers your Close: .*\(RFC 6455 §5\.5\.1\)", said)
    assert re.search(r"FIN \(frame \d+\): both ends have sent a Close, .*\(RFC 6455 §7\.1\.1\)", said)
    assert "What you sent broke a rule" not in said


@pytest.mark.parametrize(
    ("line", "code", "rule"),
    [
        ('ws text "x" unmasked', 1002, "A client masks every frame. (RFC 6455 §5.1)"),
        (r'ws text b"\xff"', 1007, "The text is not UTF-8: invalid start byte. (RFC 6455 §8.1)"),
        ('ws continuation "x"', 1002, "A continuation frame continues a message that was begun, and there is none."),
        ("ws ping " + '"' + "p" * 126 + '"', 1002, "A control frame has a payload of at most 125 octets."),
    ],
)
def test_why_names_the_rule_that_our_frame_broke(hand: Hand, line: str, code: int, rule: str) -> None:
    hand.do(*OPEN, line)
    said = why(hand)
    assert re.search(rf"CLOSE fin len \d+ {code}.* \(frame \d+\): it fails the connection \(RFC 6455 §7\.1\.7\)", said)
    assert f"What you sent broke a rule: {rule}" in said
    assert re.search(r"FIN \(frame \d+\): it fails the connection, and so closes TCP \(RFC 6455 §7\.1\.7\)", said)


def test_why_names_the_rule_of_a_refusal(hand: Hand) -> None:
    hand.do("new ws", "ws open /nowhere")
    said = why(hand)
    assert re.search(r"404 Not Found \(frame \d+\): it refuses your request, .*\(RFC 6455 §4\.2\.1, §4\.2\.2\)", said)


def test_why_names_the_rule_of_a_close_that_answers_none(hand: Hand) -> None:
    hand.do("new ws", "ws open /echo?after=1&code=4000", "ack", 'ws text "last"')
    web = hand.session.hand.web
    assert web is not None
    hand.session.bench.wait_until(lambda: web.dialogue.server_close is not None, 2)  # it may come behind the echo
    assert re.search(
        r"CLOSE fin len \d+ 4000.* \(frame \d+\): the server closes first, .*\(RFC 6455 §5\.5\.1\)", why(hand)
    )


def test_why_says_nothing_of_websocket_where_there_is_none(hand: Hand) -> None:
    hand.do("syn", "ack", "server accept", 'data "hello"')
    assert "RFC 6455" not in why(hand)


def test_each_kind_has_a_sentence_and_a_section() -> None:
    for says, section in WORDS.values():
        assert says[0].islower()
        assert not says.endswith(".")
        assert re.fullmatch(r"RFC 6455 §[\d.]+(, §[\d.]+)?", section)
