"""The dialogue: for each rule a server that breaks it, by hand-made octets, and the honest ones that it passes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocket_octets import ANSWER, KEY, REQUEST

from lab.tcp.world import Finding
from lab.websocket import dialogue as module
from lab.websocket import frames
from lab.websocket.dialogue import Dialogue, Seen, State
from lab.websocket.frames import Frame, binary, close, continuation, ping, pong, text
from lab.websocket.handshake import Request

HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
"""RFC 6455 §5.7: a masked text of "Hello"."""


def opened() -> Dialogue:
    dialogue = Dialogue()
    dialogue.client_sends(REQUEST, 1.0)
    (seen,) = dialogue.server_sends(ANSWER, 2.0)
    assert (seen.kind, seen.text, seen.finding) == ("response", "101 Switching Protocols", None)
    assert dialogue.state is State.OPEN
    return dialogue


def says(dialogue: Dialogue, *sent: Frame | bytes, now: float = 3.0) -> None:
    """The client's frames, masked; bytes go as they are."""
    for one in sent:
        dialogue.client_sends(one if isinstance(one, bytes) else one.masked(KEY).encode(), now)


def hears(dialogue: Dialogue, *sent: Frame | bytes, now: float = 4.0) -> list[Seen]:
    data = b"".join(one if isinstance(one, bytes) else one.encode() for one in sent)
    return dialogue.server_sends(data, now)


def found(seen: list[Seen]) -> list[Finding]:
    return [one.finding for one in seen if one.finding]


def owed(dialogue: Dialogue) -> list[tuple[str, float]]:
    return [(one.kind, one.since) for one in dialogue.owed(9.0)]


# What is honest


def test_a_whole_honest_connection() -> None:
    dialogue = Dialogue()
    assert dialogue.state is State.CONNECTING
    assert owed(dialogue) == []
    dialogue.client_sends(REQUEST[:100], 1.0)
    assert owed(dialogue) == []
    dialogue.client_sends(REQUEST[100:], 1.5)
    assert owed(dialogue) == [("response", 1.5)]
    assert dialogue.server_sends(ANSWER[:50], 1.6) == []
    assert dialogue.unfinished == "an HTTP response"
    (seen,) = dialogue.server_sends(ANSWER[50:], 2.0)
    assert seen.response is not None
    assert dialogue.request == Request.upgrade("h", "/echo", "dGhlIHNhbXBsZSBub25jZQ==")
    assert owed(dialogue) == []
    says(dialogue, HELLO, ping(b"p"), now=3.0)
    assert owed(dialogue) == [("pong", 3.0)]
    # The echo in other fragments than it came in, with the Pong in between, and a Ping of the server's own.
    seen = hears(
        dialogue, text("He", fin=False), pong(b"p"), continuation("", fin=False), ping(b"s"), continuation("llo")
    )
    assert found(seen) == []
    assert [one.text for one in seen] == [
        'TEXT no-fin len 2 "He"',
        'PONG fin len 1 "p"',
        "CONTINUATION no-fin len 0",
        'PING fin len 1 "s"',
        'CONTINUATION fin len 3 "llo"',
    ]
    assert list(dialogue.messages) == [(1, b"Hello")]
    assert owed(dialogue) == []
    says(dialogue, pong(b"s"), close(1000), now=5.0)
    assert dialogue.state is State.CLOSING
    assert owed(dialogue) == [("close", 5.0)]
    assert found(hears(dialogue, close(1000), now=6.0)) == []
    assert owed(dialogue) == [("tcp close", 6.0)]
    assert dialogue.server_ends(7.0) is None
    assert dialogue.state is State.CLOSED
    assert owed(dialogue) == []
    assert dialogue.notes == []


def test_the_101_and_the_first_frame_may_share_a_segment() -> None:
    dialogue = Dialogue()
    dialogue.client_sends(REQUEST, 1.0)
    assert [seen.kind for seen in hears(dialogue, ANSWER, text("first"))] == ["response", "frame"]


@pytest.mark.parametrize(
    ("client", "server", "note"),
    [
        ([], [pong(b"alone")], "unsolicited"),
        ([], [ping(b"x" * 125)], ""),
        ([], [binary(bytes(126)), binary(bytes(65535)), binary(bytes(65536)), text("")], ""),
        ([], [text(b"\xe2\x82", fin=False), continuation(b"\xac")], ""),
        ([], [binary(b"\xff", fin=False), continuation(b"\xfe")], ""),
        ([], [close()], ""),
        ([], [close(1001, "going away \N{EURO SIGN}")], ""),
        ([], [close(4999)], ""),
        ([], [close(1011)], ""),
        ([], [text("one", fin=False), close(1000)], ""),
        ([close(1000)], [text("the last", fin=False), continuation("of it"), close(1000)], ""),
        ([close(3000)], [close(1000)], "typically"),
        ([close()], [close()], ""),
        ([close(1002)], [close(1002)], ""),
        ([close(1010)], [close(1010)], ""),
        ([close(1000), ping(b"late")], [pong(b"late"), close(1000)], "behind its Close"),
        ([], [close(1000), pong(b"x")], "behind the server's Close"),
        ([ping(b"a"), ping(b"b"), ping(b"c")], [pong(b"a"), pong(b"c")], "1 had no Pong"),
        ([ping(b"a"), ping(b"b")], [pong(b"a"), pong(b"b")], ""),
        ([pong(b"mine")], [pong(b"mine")], "unsolicited"),
        # Not in the shortest form: no rule says what a receiver does.
        ([text("x", length_bits=64)], [text("x")], ""),
        ([text("x", length_bits=16)], [close(1002)], ""),
        ([close(1005)], [close(1002)], ""),
        ([close(999)], [close(1000)], ""),
        # Too large for it, as it says.
        ([binary(bytes(65536))], [close(1009)], ""),
        ([binary(bytes(40000), fin=False), continuation(bytes(40000))], [close(1002)], ""),
        ([HELLO], [close(1003)], ""),
        ([HELLO], [close(1008)], ""),
        # The same message again: it may be the echo of the first.
        ([HELLO, close(1000), HELLO], [text("Hello"), text("Hello"), close(1000)], ""),
        ([HELLO, text("x", rsv=4), HELLO], [text("Hello"), close(1002)], ""),
    ],
)
def test_what_is_honest_passes(client: list[Frame | bytes], server: list[Frame], note: str) -> None:
    dialogue = opened()
    says(dialogue, *client)
    seen = hears(dialogue, *server)
    assert found(seen) == []
    if note:
        assert any(note in text for text in (*dialogue.notes, *(one.note for one in seen)))
    else:
        assert [one.note for one in seen] == [""] * len(seen)


# What the server breaks


@pytest.mark.parametrize(
    ("server", "field", "section"),
    [
        ([HELLO], "MASK", "§5.1"),
        ([text("x", rsv=4)], "RSV", "§5.2"),
        ([binary(b"x", rsv=2)], "RSV", "§5.2"),
        ([pong(rsv=1)], "RSV", "§5.2"),
        ([Frame(3)], "opcode", "§5.2"),
        ([Frame(7, b"x")], "opcode", "§5.2"),
        ([Frame(11)], "opcode", "§5.2"),
        ([Frame(15)], "opcode", "§5.2"),
        ([text("x" * 125, length_bits=16)], "length", "§5.2"),
        ([text("x" * 126, length_bits=64)], "length", "§5.2"),
        ([text("", length_bits=64)], "length", "§5.2"),
        ([binary(announced=2**63)], "length", "§5.2"),
        ([ping(b"x" * 126)], "length", "§5.5"),
        ([ping(fin=False)], "FIN", "§5.5"),
        ([close(1000, fin=False)], "FIN", "§5.5"),
        ([continuation("x")], "opcode", "§5.4"),
        ([continuation("x", fin=False)], "opcode", "§5.4"),
        ([text("a"), continuation("x")], "opcode", "§5.4"),
        ([text("a", fin=False), text("b")], "opcode", "§5.4"),
        ([text("a", fin=False), binary(b"b", fin=False)], "opcode", "§5.4"),
        ([text(b"\xc3\x28")], "payload", "§8.1"),
        ([text(b"ok \xed\xa0\x80")], "payload", "§8.1"),
        ([text(b"\xf4\x90\x80\x80")], "payload", "§8.1"),
        ([text(b"\xc0\xaf")], "payload", "§8.1"),
        ([text(b"\xe2\x82")], "payload", "§8.1"),
        ([text(b"\xe2", fin=False), continuation(b"\x28")], "payload", "§8.1"),
        ([Frame(8, b"\x03")], "payload", "§5.5.1"),
        ([close(1000, b"\xff")], "payload", "§8.1"),
        ([close(1004)], "close code", "§7.4.1"),
        ([close(1005)], "close code", "§7.4.1"),
        ([close(1006)], "close code", "§7.4.1"),
        ([close(1015)], "close code", "§7.4.1"),
        ([close(0)], "close code", "§7.4.2"),
        ([close(999)], "close code", "§7.4.2"),
        ([close(1016)], "close code", "§7.4.2"),
        ([close(2999)], "close code", "§7.4.2"),
        ([close(5000)], "close code", "§7.4.2"),
        ([close(1010)], "close code", "§7.4.1"),
        ([close(1002)], "close code", "§7.4.1"),
        ([close(1007)], "close code", "§7.4.1"),
        ([close(1000), text("x")], "opcode", "§5.5.1"),
        ([text("a", fin=False), close(1000), continuation("x")], "opcode", "§5.5.1"),
        ([close(1000), close(1000)], "opcode", "§5.5.1"),
    ],
)
def test_a_broken_frame_is_found(server: list[Frame | bytes], field: str, section: str) -> None:
    """In the last of the frames: those before it are honest."""
    dialogue = opened()
    seen = hears(dialogue, *server)
    assert [one.finding is not None for one in seen] == [False] * (len(server) - 1) + [True]
    (finding,) = found(seen)
    assert (finding.field, finding.section) == (field, f"RFC 6455 {section}")
    assert finding.message.endswith(".")
    assert finding.expected != finding.observed


def test_a_bad_text_is_told_at_the_first_octet_that_cannot_be() -> None:
    dialogue = opened()
    (seen,) = hears(dialogue, text(b"\xe2\x28", fin=False))
    assert seen.finding is not None
    assert found(hears(dialogue, continuation(b"\xff"))) == []


@pytest.mark.parametrize(
    ("client", "server", "section"),
    [
        # Behind or in a bad frame nothing is processed.
        ([text("bad", rsv=4)], [text("bad")], "§7.1.7"),
        ([b"\x81\x03bad"], [text("bad")], "§7.1.7"),
        ([b"\x89\x03bad"], [pong(b"bad")], "§7.1.7"),
        ([Frame(3), text("behind")], [text("be", fin=False), continuation("hind")], "§7.1.7"),
        ([Frame(3), ping(b"behind")], [pong(b"behind")], "§7.1.7"),
        ([text(b"\xff"), close(1000)], [close(1000)], "§7.1.7"),
        ([b"\x81\x01x"], [close(1000)], "§7.1.7"),
        ([text(b"\xff")], [close(1009)], "§7.1.7"),
        # Nor behind the client's Close.
        ([close(1000), HELLO], [text("Hello"), close(1000)], "§1.4"),
        ([close(1000), ping(b"late")], [close(1000), pong(b"late")], "§1.4"),
    ],
)
def test_what_must_not_be_answered(client: list[Frame | bytes], server: list[Frame], section: str) -> None:
    dialogue = opened()
    says(dialogue, *client)
    (finding,) = found(hears(dialogue, *server))
    assert finding.section == f"RFC 6455 {section}"


# What the client breaks


@pytest.mark.parametrize(
    ("sent", "codes", "section", "must"),
    [
        ([b"\x81\x05Hello"], (1002, 1008), "§5.1", True),
        ([text("x", rsv=4)], (1002, 1008), "§5.2", True),
        ([pong(rsv=1)], (1002, 1008), "§5.2", True),
        ([Frame(3)], (1002, 1003, 1008), "§5.2", True),
        ([Frame(11)], (1002, 1008), "§5.2", True),
        ([ping(fin=False)], (1002, 1008), "§5.5", True),
        ([ping(bytes(126))], (1002, 1008), "§5.5", True),
        ([continuation()], (1002, 1008), "§5.4", True),
        ([text("a", fin=False), text("b")], (1002, 1008), "§5.4", True),
        ([text(b"\xff")], (1007, 1002, 1003, 1008), "§8.1", True),
        ([Frame(8, b"\x03")], (1002, 1008), "§5.5.1", True),
        ([close(1000, b"\xff")], (1007, 1002, 1003, 1008), "§8.1", True),
        ([binary(announced=2**63)], (1002, 1009, 1008, 1011), "§5.2", True),
        ([binary(announced=2**62)], (1009, 1008, 1002, 1011), "§10.4", False),
        ([text("x", length_bits=16)], (1002, 1008), "§5.2", False),
        ([close(1005)], (1002, 1008), "§7.4.1", False),
        ([close(2999)], (1002, 1008), "§7.4.2", False),
    ],
)
def test_where_the_client_broke_a_rule(
    sent: list[Frame | bytes], codes: tuple[int, ...], section: str, must: bool
) -> None:
    dialogue = opened()
    says(dialogue, HELLO, *sent[:-1])
    assert dialogue.broken is None
    at = (
        len(REQUEST) + len(HELLO) + sum(len(f) if isinstance(f, bytes) else len(f.masked().encode()) for f in sent[:-1])
    )
    says(dialogue, sent[-1], now=5.0)
    broken = dialogue.broken
    assert broken is not None
    assert (broken.codes, broken.section, broken.must_fail) == (codes, f"RFC 6455 {section}", must)
    assert (broken.at, broken.since) == (at, 5.0)
    assert dialogue.state is (
        State.CLOSING if must or sent[-1] == close(1005) or sent[-1] == close(2999) else State.OPEN
    )
    assert (("tcp close", 5.0) in owed(dialogue)) is must
    # With the best code, with no code, or with no Close at all: each is an answer.
    for answer in ([close(codes[0])], [close()], []):
        server = opened()
        says(server, HELLO, *sent)
        assert found(hears(server, *answer)) == []
        if must or answer:
            assert server.server_ends(8.0) is None


def test_a_graver_fault_behind_a_small_one_counts() -> None:
    dialogue = opened()
    says(dialogue, text("x", length_bits=16), Frame(3), text(b"\xff"))
    assert dialogue.broken is not None
    assert dialogue.broken.why.startswith("Opcode 3")


def test_of_two_faults_in_one_frame_the_graver_counts() -> None:
    dialogue = opened()
    says(dialogue, text(b"\xff", length_bits=16))
    assert dialogue.broken is not None
    assert (dialogue.broken.section, dialogue.broken.must_fail) == ("RFC 6455 §8.1", True)


def test_a_frame_that_the_client_has_cut_off_may_be_called_an_error() -> None:
    for cut, fields in ((True, []), (False, ["close code"])):
        dialogue = opened()
        says(dialogue, HELLO[:8] if cut else HELLO)
        dialogue.client_ends(5.0)
        assert [f.field for f in found(hears(dialogue, close(1002)))] == fields


def test_a_close_without_a_code_after_a_failure_is_noted() -> None:
    dialogue = opened()
    says(dialogue, Frame(3))
    (seen,) = hears(dialogue, close())
    assert seen.finding is None
    assert "It has no code" in seen.note


def test_what_is_not_finished_is_named() -> None:
    dialogue = opened()
    assert dialogue.unfinished == ""
    hears(dialogue, b"\x81")
    assert dialogue.unfinished == "the header of a frame"
    hears(dialogue, b"\x05He")
    assert dialogue.unfinished == "a TEXT frame, of whose 5 octets 2 came"


def test_a_header_alone_can_be_broken() -> None:
    dialogue = opened()
    says(dialogue, text("only the header", rsv=2).masked(KEY).header)
    assert dialogue.broken is not None
    assert dialogue.broken.frame is None
    assert dialogue.broken.breach.field == "RSV"


def test_one_octet_at_a_time_the_client_breaks_the_same_rule() -> None:
    dialogue = opened()
    for octet in text("x").masked(KEY).encode() + Frame(3, b"y").masked(KEY).encode():
        dialogue.client_sends(bytes((octet,)), 3.0)
    assert dialogue.broken is not None
    assert dialogue.broken.at == len(REQUEST) + 7


# The opening


@pytest.mark.parametrize(
    ("answer", "kind", "field", "section"),
    [
        (b"\x81\x05Hello" + ANSWER, "garbage", "response", "§4.2.2"),
        (b"no HTTP\r\n\r\n", "garbage", "response", "§4.2.2"),
        (ANSWER.replace(b"xOo=", b"xOp="), "response", "Sec-WebSocket-Accept", "§4.2.2"),
        (
            ANSWER.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: x\r\n\r\n"),
            "response",
            "Sec-WebSocket-Protocol",
            "§4.2.2",
        ),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n\x81\x00", "garbage", "response", "§4.2.2"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: x\r\n\r\n\x81", "garbage", "response", "RFC 9112 §6"),
    ],
)
def test_a_bad_opening_is_found(answer: bytes, kind: str, field: str, section: str) -> None:
    for step in (1, len(answer)):
        dialogue = Dialogue()
        dialogue.client_sends(REQUEST, 1.0)
        seen = [one for at in range(0, len(answer), step) for one in dialogue.server_sends(answer[at : at + step], 2.0)]
        (finding,) = found(seen)
        assert next(one.kind for one in seen if one.finding) == kind
        assert finding.field == field
        assert finding.section == (section if section.startswith("RFC") else f"RFC 6455 {section}")


def test_a_frame_before_the_101_is_named() -> None:
    dialogue = Dialogue()
    dialogue.client_sends(REQUEST, 1.0)
    (finding,) = found(dialogue.server_sends(b"\x81\x05Hello", 2.0))
    assert "No frame may come before the 101." in finding.message
    assert dialogue.state is State.CLOSED


def test_a_101_before_the_end_of_the_request_is_found() -> None:
    dialogue = Dialogue()
    dialogue.client_sends(REQUEST[:-2], 1.0)
    (finding,) = found(dialogue.server_sends(ANSWER, 2.0))
    assert "before its end" in finding.message


def test_a_101_to_what_is_no_request_is_found() -> None:
    dialogue = Dialogue()
    dialogue.client_sends(b"hello there\r\n\r\n", 1.0)
    (finding,) = found(dialogue.server_sends(ANSWER, 2.0))
    assert finding.section == "RFC 6455 §4.2.1"
    refused = Dialogue()
    refused.client_sends(b"hello there\r\n\r\n", 1.0)
    assert found(refused.server_sends(b"HTTP/1.1 400 Bad Request\r\n\r\n", 2.0)) == []


def test_a_refusal_with_its_body_is_honest() -> None:
    dialogue = Dialogue()
    dialogue.client_sends(REQUEST, 1.0)
    seen = dialogue.server_sends(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", 2.0)
    assert [(one.kind, one.text, one.finding) for one in seen] == [("response", "404 Not Found", None)]
    assert dialogue.state is State.CLOSED
    assert owed(dialogue) == []
    assert dialogue.server_ends(3.0) is None


def test_an_answer_to_head_has_no_body() -> None:
    dialogue = Dialogue()
    dialogue.client_sends(REQUEST.replace(b"GET", b"HEAD"), 1.0)
    head = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 2\r\n\r\n"
    assert found(dialogue.server_sends(head, 2.0)) == []
    (finding,) = found(dialogue.server_sends(b"no", 2.1))
    assert (finding.field, finding.section) == ("body", "RFC 9110 §9.3.2")


def test_another_answer_behind_a_refusal_is_no_frame() -> None:
    dialogue = Dialogue()
    dialogue.client_sends(REQUEST, 1.0)
    refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    seen = dialogue.server_sends(refusal + refusal, 2.0)
    assert [(one.kind, one.text, one.finding) for one in seen] == [
        ("response", "404 Not Found", None),
        ("garbage", "another HTTP answer", None),
    ]


def test_a_request_that_is_known_is_judged_by() -> None:
    dialogue = Dialogue(Request.upgrade("h", "/", "dGhlIHNhbXBsZSBub25jZQ=="))
    assert found(dialogue.server_sends(ANSWER, 2.0)) == []
    other = Dialogue(Request.upgrade("h", "/"))
    assert [f.field for f in found(other.server_sends(ANSWER, 2.0))] == ["Sec-WebSocket-Accept"]


def test_what_permessage_deflate_may_use_once_it_is_agreed_on() -> None:
    def deflating() -> Dialogue:
        dialogue = Dialogue()
        offer = REQUEST.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        dialogue.client_sends(offer, 1.0)
        agreed = ANSWER.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        assert found(dialogue.server_sends(agreed, 2.0)) == []
        return dialogue

    # RFC 7692 §7.2.3.1 and §7.2.3.2: "Hello" in one frame, and in two.
    whole = bytes.fromhex("c107f248cdc9c90700")
    split = bytes.fromhex("4103f248cd 8004c9c90700")
    dialogue = deflating()
    assert found(hears(dialogue, whole, split, text("plain"), pong(b"x"))) == []
    assert dialogue.messages[0] == (1, bytes.fromhex("f248cdc9c90700"))
    assert [f.field for f in found(hears(deflating(), text(b"x", rsv=2)))] == ["RSV"]
    assert [f.field for f in found(hears(deflating(), ping(rsv=4)))] == ["RSV"]
    assert [f.field for f in found(hears(deflating(), text(b"x", fin=False, rsv=4), continuation(rsv=4)))] == ["RSV"]
    assert [f.field for f in found(hears(deflating(), text(b"\xff")))] == ["payload"]


# The end


@pytest.mark.parametrize(
    ("client", "server", "fin", "reset"),
    [
        ([], [], "§7.1.2", None),
        ([HELLO], [b"\x81\x05Hel"], "§5.2", None),
        ([], [binary(announced=2**40)], "§5.2", None),
        ([close(1000)], [], "§5.5.1", "§5.5.1"),
        ([close(1000)], [close(1000)], None, None),
        ([], [close(1001)], None, None),
        ([text("x", rsv=4)], [], None, None),
        ([text("x", rsv=4)], [b"\x81\x05Hel"], None, None),
        ([text("x", rsv=4)], [close(1002)], None, None),
        ([binary(bytes(65536))], [], None, None),
    ],
)
def test_how_the_server_may_end(
    client: list[Frame | bytes], server: list[Frame | bytes], fin: str | None, reset: str | None
) -> None:
    for how, section in ((False, fin), (True, reset)):
        dialogue = opened()
        says(dialogue, *client)
        hears(dialogue, *server)
        finding = dialogue.server_ends(9.0, reset=how)
        assert (finding and finding.section) == (section and f"RFC 6455 {section}")
        assert dialogue.state is State.CLOSED
        assert dialogue.server_ends(9.5) is None
        assert any("§7.1.1" in note for note in dialogue.notes) is how


@pytest.mark.parametrize(
    ("request_", "answer", "section"),
    [
        (REQUEST, b"", "RFC 6455 §4.2.2"),
        (REQUEST, ANSWER[:30], "RFC 9112 §8"),
        (REQUEST.replace(b"GET", b"POST"), b"", None),
        (REQUEST[:30], b"", None),
        (b"", b"", None),
    ],
)
def test_an_end_in_the_opening(request_: bytes, answer: bytes, section: str | None) -> None:
    dialogue = Dialogue()
    dialogue.client_sends(request_, 1.0)
    dialogue.server_sends(answer, 2.0)
    finding = dialogue.server_ends(3.0)
    assert (finding and finding.section) == section


def test_a_client_that_has_gone_is_owed_nothing() -> None:
    dialogue = opened()
    says(dialogue, ping(b"x"))
    dialogue.client_ends(5.0)
    assert owed(dialogue) == []
    assert dialogue.server_ends(6.0) is None


# What is owed


def test_only_the_latest_ping_is_owed_a_pong() -> None:
    dialogue = opened()
    says(dialogue, ping(b"a"), now=3.0)
    says(dialogue, ping(b"b"), now=4.0)
    hears(dialogue, pong(b"a"))
    assert owed(dialogue) == [("pong", 4.0)]
    hears(dialogue, pong(b"b"))
    assert owed(dialogue) == []


def test_one_pong_may_answer_pings_that_are_alike() -> None:
    dialogue = opened()
    says(dialogue, ping(), ping())
    (first,) = hears(dialogue, pong())
    assert owed(dialogue) == []
    (second,) = hears(dialogue, pong())
    assert not first.unsolicited
    assert not second.unsolicited
    (third,) = hears(dialogue, pong())
    assert third.unsolicited
    says(dialogue, ping(), now=7.0)
    assert owed(dialogue) == [("pong", 7.0)]


def test_a_pong_with_another_payload_pays_nothing() -> None:
    dialogue = opened()
    says(dialogue, ping(b"mine"))
    (seen,) = hears(dialogue, pong(b"other"))
    assert seen.unsolicited
    (debt,) = dialogue.owed(9.0)
    assert debt.what == 'a Pong with the payload of the latest Ping, "mine"; a Pong with "other" answers none'


def test_pings_are_owed_nothing_behind_a_close() -> None:
    dialogue = opened()
    says(dialogue, close(1000), ping(b"late"))
    assert [kind for kind, _ in owed(dialogue)] == ["close"]
    server_first = opened()
    says(server_first, ping(b"x"))
    hears(server_first, close(1000))
    assert owed(server_first) == []


# Anything


anything = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([ANSWER, HELLO, text("Hello").encode(), close(1000).encode(), b"HTTP/1.1 404 No\r\n\r\n"]),
    st.builds(Frame, st.integers(0, 15), st.binary(max_size=130), st.booleans(), st.integers(0, 7)).map(Frame.encode),
)


@given(
    st.lists(anything, max_size=6).map(b"".join),
    st.lists(anything, max_size=6).map(b"".join),
    st.booleans(),
    st.lists(st.integers(0, 1000), max_size=8),
)
def test_any_split_gives_the_same_verdicts_and_garbage_never_raises(
    client: bytes, server: bytes, honest: bool, cuts: list[int]
) -> None:
    verdicts = []
    for places in ([0, len(server)], sorted({0, len(server), *(cut % (len(server) + 1) for cut in cuts)})):
        dialogue = Dialogue()
        if honest:
            dialogue.client_sends(REQUEST, 0.0)
            dialogue.server_sends(ANSWER, 0.0)
        dialogue.client_sends(client, 1.0)
        seen = [s for a, b in itertools.pairwise(places) for s in dialogue.server_sends(server[a:b], 2.0)]
        debts = owed(dialogue)
        end = dialogue.server_ends(3.0)
        # Of garbage it is told where it was noticed; its first octets may be all that was there.
        told = [(s.kind, s.text if s.kind == "frame" else "", s.finding and s.finding.field, s.note) for s in seen]
        verdicts.append((told, debts, end, dialogue.state, dialogue.broken, list(dialogue.messages)))
    assert verdicts[0] == verdicts[1]


def test_memory_is_bounded_whatever_the_server_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 10_000)
    dialogue = opened()
    for _ in range(300):
        hears(dialogue, text("x" * 100), pong(b"y"))
    assert len(dialogue.messages) == 10_000 // 164
    assert dialogue.messages_seen == 300
    assert len(dialogue.notes) == 200
    for _ in range(300):
        hears(dialogue, b"\x01\x00", binary(bytes(100), fin=False))
    assert dialogue._server_rules.size == 100
    hears(dialogue, b"\x00\x00" * 10_000)
    assert dialogue._server_rules._payload == bytes(100)
    huge = opened()
    hears(huge, frames.binary(announced=2**40))
    for _ in range(100):
        assert hears(huge, bytes(2**16)) == []
    assert huge._server.waiting == 10
    assert huge.owed(1.0) == []
