"""The opening handshake: the example of RFC 6455 §1.2 and §1.3 by hand, every departure of an answer, any garbage."""

from __future__ import annotations

import base64
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.websocket.handshake import (
    Request,
    ResponseReader,
    accept_for,
    judge,
    new_key,
    parse_extensions,
    parse_request,
)
from lab.websocket.http import MOST_HEAD, Response, parse_response

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
REQUEST = Request.upgrade("server.example.com", "/chat", KEY, ("chat", "superchat"))
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"Sec-WebSocket-Protocol: chat\r\n"
    b"\r\n"
)


def answer(*changes: tuple[str, str], head: bytes = ANSWER) -> Response:
    for old, new in changes:
        assert old.encode() in head
        head = head.replace(old.encode(), new.encode())
    got = ResponseReader().feed(head)
    assert got is not None
    return got


def test_the_request_is_that_of_the_rfc() -> None:
    extra = [("Origin", "http://example.com")]
    request = Request.upgrade("server.example.com", "/chat", KEY, ("chat", "superchat"), extra=extra)
    assert request.encode() == (
        b"GET /chat HTTP/1.1\r\n"
        b"Host: server.example.com\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: chat, superchat\r\n"
        b"Origin: http://example.com\r\n"
        b"\r\n"
    )
    assert parse_request(request.encode()) == request
    assert request.departures == []


def test_the_accept_is_that_of_the_rfc() -> None:
    assert accept_for(KEY) == ACCEPT
    assert accept_for(f"  {KEY} ") == ACCEPT
    assert accept_for("") == "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w="  # base64(SHA-1(GUID)), by `openssl dgst`.


def test_keys_are_16_octets_and_differ() -> None:
    keys = {new_key() for _ in range(20)}
    assert len(keys) == 20
    assert {len(base64.b64decode(key)) for key in keys} == {16}


def test_the_answer_of_the_rfc_is_right() -> None:
    reader = ResponseReader()
    response = reader.feed(ANSWER + b"\x81\x00")
    assert response is not None
    assert (response.status, response.reason, response.version) == (101, "Switching Protocols", "HTTP/1.1")
    assert response.raw == ANSWER
    assert reader.rest == b"\x81\x00"
    assert judge(REQUEST, response) == []


@pytest.mark.parametrize(
    "change",
    [
        ("Upgrade: websocket", "UPGRADE: WebSocket"),
        ("Connection: Upgrade", "connection: keep-alive, upgrade"),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"),
        ("Sec-WebSocket-Protocol: chat", "sec-websocket-protocol:superchat"),
        ("Sec-WebSocket-Protocol: chat\r\n", ""),
        ("101 Switching Protocols", "101 "),
        ("101 Switching Protocols", "101"),
        ("101 Switching Protocols", "101 Anything Goes"),
        ("\r\n\r\n", "\r\nServer: x\r\nDate: today\r\n\r\n"),
    ],
)
def test_an_honest_answer_is_right_in_any_dress(change: tuple[str, str]) -> None:
    assert judge(REQUEST, answer(change)) == []


@pytest.mark.parametrize(
    ("change", "field", "section"),
    [
        (("xOo=", "xOp="), "Sec-WebSocket-Accept", "§4.2.2"),
        ((f"Sec-WebSocket-Accept: {ACCEPT}\r\n", ""), "Sec-WebSocket-Accept", "§4.2.2"),
        ((ACCEPT, f"{ACCEPT}\r\nSec-WebSocket-Accept: {ACCEPT}"), "Sec-WebSocket-Accept", "§11.3.3"),
        (("Upgrade: websocket\r\n", ""), "Upgrade", "§4.2.2"),
        (("Upgrade: websocket\r\n", "Upgrade: websockets\r\n"), "Upgrade", "§4.2.2"),
        (("Connection: Upgrade\r\n", ""), "Connection", "§4.2.2"),
        (("Connection: Upgrade\r\n", "Connection: Upgrader\r\n"), "Connection", "§4.2.2"),
        (("HTTP/1.1", "HTTP/1.0"), "version", "§4.2.2"),
        ((": chat\r\n", ": other\r\n"), "Sec-WebSocket-Protocol", "§4.2.2"),
        ((": chat\r\n", ": Chat\r\n"), "Sec-WebSocket-Protocol", "§4.2.2"),
        ((": chat\r\n", ": chat, superchat\r\n"), "Sec-WebSocket-Protocol", "§4.2.2"),
        ((": chat\r\n", ":\r\n"), "Sec-WebSocket-Protocol", "§4.2.2"),
        ((": chat\r\n", ": chat\r\nSec-WebSocket-Protocol: chat\r\n"), "Sec-WebSocket-Protocol", "§11.3.4"),
        (("\r\n\r\n", "\r\nSec-WebSocket-Extensions: foo\r\n\r\n"), "Sec-WebSocket-Extensions", "§4.2.2"),
        (("\r\n\r\n", "\r\nSec-WebSocket-Extensions: ;\r\n\r\n"), "Sec-WebSocket-Extensions", "§9.1"),
        (("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n"), "Content-Length", "RFC 9110 §8.6"),
        (("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n"), "Transfer-Encoding", "RFC 9112 §6.1"),
    ],
)
def test_every_departure_of_a_101_is_found(change: tuple[str, str], field: str, section: str) -> None:
    (finding,) = judge(REQUEST, answer(change))
    assert finding.field == field
    assert finding.section == (section if section.startswith("RFC") else f"RFC 6455 {section}")


def test_nothing_may_be_chosen_where_nothing_was_offered() -> None:
    request = Request.upgrade("h", "/", KEY)
    (finding,) = judge(request, answer())
    assert (finding.field, finding.expected, finding.observed) == ("Sec-WebSocket-Protocol", "no such field", "chat")


def test_extensions_come_from_the_offer() -> None:
    request = Request.upgrade("h", "/", KEY, ("chat",), "permessage-deflate; client_max_window_bits, x-lab")
    chosen = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    assert judge(request, answer(("\r\n\r\n", chosen))) == []
    # RFC 6455 §11.3.2 forbids two such fields in an answer, §4.2.2 step 5.6 allows them: nothing is said of that.
    twice = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Extensions: x-lab\r\n\r\n"
    assert judge(request, answer(("\r\n\r\n", twice))) == []
    strange = "\r\nSec-WebSocket-Extensions: permessage-deflate, x-other\r\n\r\n"
    assert [f.field for f in judge(request, answer(("\r\n\r\n", strange)))] == ["Sec-WebSocket-Extensions"]


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("a", [("a", {})]),
        ("a; b=1; c, d", [("a", {"b": "1", "c": None}), ("d", {})]),
        ('a; b="token"', [("a", {"b": "token"})]),
        ('a; b="two words"', None),
        ('a; b="x,y"', None),
        ("a; b=", None),
        (";", None),
        (",,=", None),
        ("", None),
        ("a b", None),
    ],
)
def test_extensions_are_parsed(value: str, parsed: object) -> None:
    assert parse_extensions([value]) == parsed


WRONG_REQUESTS = [
    (replace(REQUEST, method="POST"), "method", "§4.2.1"),
    (replace(REQUEST, version="HTTP/1.0"), "version", "§4.2.1"),
    (Request.upgrade("h", key=KEY, without=["host"]), "Host", "§4.2.1"),
    (Request.upgrade("h", key=KEY, extra=[("Host", "g")]), "Host", "§4.2.1"),
    (Request.upgrade("h", key=KEY, without=["UPGRADE"]), "Upgrade", "§4.2.1"),
    (Request.upgrade("h", key=KEY, without=["connection"], extra=[("Connection", "close")]), "Connection", "§4.2.1"),
    (Request.upgrade("h", without=["sec-websocket-key"]), "Sec-WebSocket-Key", "§4.2.1"),
    (Request.upgrade("h", key=""), "Sec-WebSocket-Key", "§4.2.1"),
    (Request.upgrade("h", key=" "), "Sec-WebSocket-Key", "§4.2.1"),
    (Request.upgrade("h", key=KEY, extra=[("Sec-WebSocket-Key", KEY)]), "Sec-WebSocket-Key", "§11.3.1"),
    (Request.upgrade("h", key=KEY, without=["sec-websocket-version"]), "Sec-WebSocket-Version", "§4.2.1"),
    (Request.upgrade("h", key=KEY, extra=[("Sec-WebSocket-Version", "13")]), "Sec-WebSocket-Version", "§11.3.5"),
    (Request.upgrade("h", key=KEY, extensions=";"), "Sec-WebSocket-Extensions", "§9.1"),
]


@pytest.mark.parametrize(("request_", "field", "section"), WRONG_REQUESTS)
def test_a_101_to_a_request_that_is_none_is_found(request_: Request, field: str, section: str) -> None:
    assert [(d.field, d.section) for d in request_.departures] == [(field, f"RFC 6455 {section}")]
    accept = accept_for(request_.key or "")
    right = answer((ACCEPT, accept), ("Sec-WebSocket-Protocol: chat\r\n", ""))
    (finding,) = judge(request_, right)
    assert (finding.field, finding.section) == (field, f"RFC 6455 {section}")
    assert finding.observed == "101 Switching Protocols"
    refusal = answer(head=b"HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\n\r\n")
    assert judge(request_, refusal) == []


@pytest.mark.parametrize("key", ["not base64", "AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA=", KEY[:-1]])
def test_a_key_need_not_be_decoded(key: str) -> None:
    request_ = Request.upgrade("h", key=key)
    assert [(d.field, d.hidden) for d in request_.departures] == [("Sec-WebSocket-Key", True)]
    assert judge(request_, answer((ACCEPT, accept_for(key)), ("Sec-WebSocket-Protocol: chat\r\n", ""))) == []


@pytest.mark.parametrize("versions", [[], [""], ["13", "13"], ["abc"], ["013"], ["1300"], ["-1"], ["25, 26"]])
def test_a_refusal_says_versions_only_to_who_asked_for_one(versions: list[str]) -> None:
    name = "Sec-WebSocket-Version"
    request_ = Request.upgrade("h", key=KEY, without=[name], extra=[(name, version) for version in versions])
    assert judge(request_, answer(head=b"HTTP/1.1 400 Bad Request\r\n\r\n")) == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ("", True),
        ("Sec-WebSocket-Version: 8\r\n", True),
        ("Sec-WebSocket-Version: 13\r\n", False),
        ("Sec-WebSocket-Version: 13, 8, 7\r\n", False),
        ("Sec-WebSocket-Version: 8\r\nsec-websocket-version: 13\r\n", False),
    ],
)
def test_the_refusal_of_a_version_says_the_versions(fields: str, wrong: bool) -> None:
    version = ("Sec-WebSocket-Version", "25")
    request = Request.upgrade("h", key=KEY, without=["Sec-WebSocket-Version"], extra=[version])
    refusal = answer(head=f"HTTP/1.1 426 Upgrade Required\r\n{fields}\r\n".encode())
    assert [f.field for f in judge(request, refusal)] == ["Sec-WebSocket-Version"] * wrong


def test_a_refusal_of_a_right_request_is_for_http_to_say() -> None:
    assert judge(REQUEST, answer(head=b"HTTP/1.1 404 Not Found\r\n\r\n")) == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"SSH-2.0-x\r\n", 'begins with "SSH-2.0-x\\\\r"'),
        (b"\r\nHTTP/1.1 101 x\r\n\r\n", "not with an HTTP status line"),
        (b"HTTQ", "not with an HTTP status line"),
        (b"\x81\x05Hello", "not with an HTTP status line"),
        (b"HTTP/1.1 1o1 x\r\n\r\n", "not with an HTTP status line"),
        (b"HTTP/1.1 101 x\nUpgrade: websocket\n\n", "ends without CR"),
        (b"HTTP/1.1 101 x\r\nno colon\r\n\r\n", '"no colon" is no header field'),
        (b"HTTP/1.1 101 x\r\nUpgrade : websocket\r\n\r\n", "is no header field"),
        (b"HTTP/1.1 101 x\r\nA: b\r\n c\r\n\r\n", "begins with a blank"),
        (b"HTTP/1.1 101 x\r\nA: b\0\r\n\r\n", "control character"),
        (b"HTTP/1.1 101 x\r\nA: " + b"b" * MOST_HEAD, "no end within 65536 octets"),
        (b"HTTP/1.1 101 x\r\n" + b"A: b\r\n" * MOST_HEAD, "no end within 65536 octets"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * MOST_HEAD, "no end within 65536 octets"),
    ],
)
def test_what_is_no_answer_is_told_in_a_sentence(data: bytes, says: str) -> None:
    whole, split = ResponseReader(), ResponseReader()
    assert whole.feed(data) is None
    assert says.replace("\\\\r", "\\r") in whole.fault
    for at in range(0, len(data), 1 if len(data) < 1000 else 7919):
        split.feed(data[at : at + (1 if len(data) < 1000 else 7919)])
        assert len(split._buffer) <= MOST_HEAD + 7919
    assert split.fault == whole.fault or len(data) < 1000
    assert split.fault


def test_interim_answers_are_passed_over() -> None:
    reader = ResponseReader()
    response = reader.feed(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ANSWER)
    assert response is not None
    assert (response.status, reader.interim) == (101, 2)


BODIES = [
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello", b"more", b"hello"),
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"more", b""),
    (
        b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: t\r\n\r\n",
        b"more",
        b"hello",
    ),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b"more", b""),
]


@pytest.mark.parametrize(("wire", "rest", "body"), BODIES)
@pytest.mark.parametrize("step", [1, 2, 5, 1000])
def test_a_body_is_read_by_its_length_or_in_chunks(wire: bytes, rest: bytes, body: bytes, step: int) -> None:
    reader = ResponseReader(body=True)
    data, behind = wire + rest, b""
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        if reader.response is not None:
            behind += piece
        elif reader.feed(piece) is not None:
            behind += reader.rest
    assert reader.response is not None
    assert reader.response.body == body
    assert behind == rest


def test_a_body_without_a_length_lasts_until_the_end() -> None:
    reader = ResponseReader(body=True)
    assert reader.feed(b"HTTP/1.0 500 Oops\r\n\r\nhel") is None
    assert reader.feed(b"lo") is None
    response = reader.ends()
    assert response is not None
    assert response.body == b"hello"
    assert ResponseReader(body=True).ends() is None


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (b"Content-Length: many\r\n\r\n", "no number"),
        (b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "no size of a chunk"),
        (b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "longer than its size"),
        (b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 2**17, "no end within"),
    ],
)
def test_a_body_that_is_none_is_told(wire: bytes, says: str) -> None:
    reader = ResponseReader(body=True)
    assert reader.feed(b"HTTP/1.1 404 Not Found\r\n" + wire) is None
    assert says in reader.fault


def test_a_huge_body_is_not_kept() -> None:
    reader = ResponseReader(body=True)
    reader.feed(b"HTTP/1.1 404 Not Found\r\nContent-Length: 999999999999999999\r\n\r\n")
    for _ in range(40):
        reader.feed(bytes(2**16))
    assert reader._content is not None
    assert len(reader._content.kept) == 2**20


@given(
    st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6), st.sampled_from([b"", b"HTTP/1.1 101 x\r\n"])
)
def test_garbage_never_raises(data: bytes, cuts: list[int], start: bytes) -> None:
    for body in (False, True):
        reader = ResponseReader(body=body)
        reader.feed(start)
        places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
        for a, b in itertools.pairwise(places):
            reader.feed(data[a:b])
        reader.ends()
        if reader.response is not None:
            judge(REQUEST, reader.response)
    parse_request(data)
    parse_response(data)
    parse_extensions([data.decode("latin-1")])


@given(st.lists(st.integers(0, 400), max_size=8))
def test_any_split_gives_the_same_answer(cuts: list[int]) -> None:
    data = ANSWER + b"\x81\x05Hello"
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    reader, rest = ResponseReader(), b""
    for a, b in itertools.pairwise(places):
        if reader.response is not None:
            rest += data[a:b]
        elif reader.feed(data[a:b]) is not None:
            rest += reader.rest
    assert reader.response == answer()
    assert rest == b"\x81\x05Hello"
