"""What TCP carries: HTTP heads and WebSocket frames, whatever the segments cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from handmade import (
    ACK,
    ANSWER,
    FIN,
    HELLO,
    MASKED_HELLO,
    PSH,
    REQUEST,
    SYN,
    opened,
    ours,
    theirs,
)  # fmt: skip
from hypothesis import given
from hypothesis import strategies as st

from lab.layers import Dissection, Layer, dissect

Told = list[tuple[str, int]]


def above(found: Dissection) -> Told:
    """Names and octets of what is above TCP; the whole must cover the frame."""
    at = 0
    for layer in found.layers:
        assert layer.start == at < layer.end
        at = layer.end
    assert at == len(found.frame)
    assert [(layer.name, layer.octets) for layer in found.layers[:2]] == [("Ethernet", 14), ("IPv4", 20)]
    assert found.layers[2].name == "TCP"
    return [(layer.name, layer.octets) for layer in found.layers[3:]]


def top(frames: list[bytes]) -> list[Told]:
    """The same for each frame."""
    return [above(found) for found in dissect(frames)]


def fields(layer: Layer) -> list[tuple[str, str, int, int]]:
    """Name, value, and place of each field."""
    return [(one.name, one.value, one.start, one.end) for one in layer.fields]


def test_the_opening_handshake_is_http() -> None:
    found = dissect(opened())
    assert [above(one) for one in found] == [[], [], [], [("HTTP", 160)], [("HTTP", 129)]]
    request, answer = found[3].layers[3], found[4].layers[3]
    assert fields(request) == [
        ("start line", "GET /echo HTTP/1.1", 54, 74),
        ("Host", "198.51.100.1:7080", 74, 99),
        ("Upgrade", "websocket", 99, 119),
        ("Connection", "Upgrade", 119, 140),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", 140, 185),
        ("Sec-WebSocket-Version", "13", 185, 212),
        ("empty line", "", 212, 214),
    ]
    assert [name for name, *_ in fields(answer)] == [
        "start line", "Upgrade", "Connection", "Sec-WebSocket-Accept", "empty line",
    ]  # fmt: skip
    assert [one.says for one in found[3:]] == [("GET /echo HTTP/1.1",), ("101 Switching Protocols",)]
    assert [number for number, _ in request.jobs] == [5, 6]
    assert [number for number, _ in answer.jobs] == [5, 6]
    assert "base64" in answer.jobs[1][1]


def test_a_masked_frame() -> None:
    found = dissect([*opened(), ours(PSH | ACK, 161, 130, MASKED_HELLO)])[5]
    assert above(found) == [("WebSocket", 6), ("Payload", 5)]
    header, payload = found.layers[3:]
    assert [(one.name, one.value, one.start, one.bits) for one in header.fields] == [
        ("FIN", "1", 54, (0, 1)),
        ("RSV1", "0", 54, (1, 2)),
        ("RSV2", "0", 54, (2, 3)),
        ("RSV3", "0", 54, (3, 4)),
        ("opcode", "1", 54, (4, 8)),
        ("MASK", "1", 55, (0, 1)),
        ("payload length", "5", 55, (1, 8)),
        ("masking key", "37 fa 21 3d", 56, None),
    ]
    assert fields(payload) == [("payload data", '"Hello"', 60, 65)]
    assert payload.fields[0].meaning == "masked on the wire"
    assert found.says == ('TEXT fin masked len 5 "Hello"',)
    assert found.client == found.source == "198.51.100.2:40000"
    assert [(layer.osi, layer.tcpip) for layer in found.layers[3:]] == [((7,), "Application")] * 2
    assert {number for number, _ in header.jobs} == {6}


def test_a_frame_that_is_not_masked() -> None:
    found = dissect([*opened(), theirs(PSH | ACK, 130, 161, HELLO)])[5]
    assert above(found) == [("WebSocket", 2), ("Payload", 5)]
    assert found.layers[4].fields[0].meaning == ""
    assert found.source == found.server == "198.51.100.1:7080"


@pytest.mark.parametrize(
    ("octets", "header", "payload"),
    [
        ("8900", 2, 0),
        ("8a0178", 2, 1),
        ("8180 00000000", 6, 0),
        ("827e0003 010203", 4, 3),
        ("827f0000000000000003 010203", 10, 3),
        ("82fe0003 01020304 010203", 8, 3),
        ("82ff0000000000000003 01020304 010203", 14, 3),
        ("f301 41", 2, 1),
    ],
)
def test_headers_of_every_length(octets: str, header: int, payload: int) -> None:
    found = dissect([*opened(), theirs(PSH | ACK, 130, 161, bytes.fromhex(octets.replace(" ", "")))])[5]
    assert above(found) == [("WebSocket", header)] + ([("Payload", payload)] if payload else [])
    at = 54 * 8
    for one in found.layers[3].fields:
        first, behind = one.bits or (0, 8 * (one.end - one.start))
        assert one.start * 8 + first == at
        at = one.start * 8 + behind
    assert at == (54 + header) * 8


def test_a_close_frame_by_code_and_reason() -> None:
    found = dissect([*opened(), theirs(PSH | ACK, 130, 161, b"\x88\x05\x03\xe8bye")])[5]
    assert above(found) == [("WebSocket", 2), ("Payload", 5)]
    assert fields(found.layers[4]) == [("status code", "1000", 56, 58), ("reason", '"bye"', 58, 61)]
    assert found.layers[4].fields[0].meaning.startswith("normal closure")
    assert found.layers[3].jobs[0][0] == 5
    # A body of one octet is no code.
    one = dissect([*opened(), theirs(PSH | ACK, 130, 161, b"\x88\x01\x03")])[5]
    assert fields(one.layers[4]) == [("payload data", "0x03", 56, 57)]


def test_several_frames_in_one_segment() -> None:
    found = dissect([*opened(), theirs(PSH | ACK, 130, 161, HELLO + b"\x89\x00" + HELLO)])[5]
    assert above(found) == [("WebSocket", 2), ("Payload", 5), ("WebSocket", 2), ("WebSocket", 2), ("Payload", 5)]
    assert found.says == (
        'TEXT fin len 5 "Hello", seq 130..136',
        "PING fin len 0, seq 137..138",
        'TEXT fin len 5 "Hello", seq 139..145',
    )


def test_the_101_and_the_first_frame_in_one_segment() -> None:
    frames = [*opened()[:4], theirs(PSH | ACK, 1, 161, ANSWER + HELLO)]
    assert top(frames)[4] == [("HTTP", 129), ("WebSocket", 2), ("Payload", 5)]


def test_a_frame_over_three_segments() -> None:
    """The key is cut in two, and the payload too."""
    a, b, c = MASKED_HELLO[:4], MASKED_HELLO[4:8], MASKED_HELLO[8:]
    frames = [*opened(), *(ours(PSH | ACK, 161 + at, 130, x) for at, x in ((0, a), (4, b), (8, c)))]
    found = dissect(frames)[5:]
    assert [above(one) for one in found] == [
        [("WebSocket", 4)], [("WebSocket", 2), ("Payload", 2)], [("Payload", 3)],
    ]  # fmt: skip
    assert [one.says for one in found] == [
        ('TEXT fin masked len 5 "Hello": 4 of 11 octets, seq 161..164',),
        ("… 4 of 11 octets of TEXT, seq 165..168",),
        ("… 3 of 11 octets of TEXT, seq 169..171",),
    ]
    last = dissect([*opened(), ours(PSH | ACK, 161, 130, MASKED_HELLO[:10]), ours(PSH | ACK, 171, 130, b"\x58")])[6]
    assert last.says == ("… 1 of 11 octets of TEXT, seq 171",)
    assert found[0].layers[3].note == "octets 0 to 3 of its 6, the rest in packet 7"
    key = found[1].layers[3].fields
    assert [(one.name, one.value, one.meaning, one.start, one.end) for one in key] == [
        ("masking key", "37 fa 21 3d", "octets 2 to 3 of its 4", 54, 56)
    ]
    assert [(layer.note, layer.fields[0].value) for layer in (found[1].layers[4], found[2].layers[3])] == [
        ("octets 0 to 1 of its 5; the rest in packet 8", '"He"'),
        ("octets 2 to 4 of its 5; the rest in packet 7", '"llo"'),
    ]


def test_a_repetition_is_told_as_the_first_time_was() -> None:
    frames = [*opened(), *[ours(PSH | ACK, 161, 130, MASKED_HELLO)] * 2, ours(PSH | ACK, 163, 130, MASKED_HELLO[2:])]
    assert top(frames)[5:] == [[("WebSocket", 6), ("Payload", 5)]] * 2 + [[("WebSocket", 4), ("Payload", 5)]]


def test_segments_out_of_order() -> None:
    late = ours(PSH | ACK, 161, 130, MASKED_HELLO)
    assert top([*opened(), ours(PSH | ACK, 172, 130, b"\x89\x80\0\0\0\0"), late])[5:] == [
        [("WebSocket", 6)], [("WebSocket", 6), ("Payload", 5)],
    ]  # fmt: skip


def test_behind_a_gap_nothing_is_guessed() -> None:
    frames = [*opened(), ours(PSH | ACK, 170, 130, MASKED_HELLO)]
    assert top(frames)[5] == [("Payload", 11)]


def test_a_segment_with_a_wrong_checksum_is_no_part_of_the_stream() -> None:
    """A receiver drops it: the frame that follows is read where it belongs."""
    bad = ours(PSH | ACK, 161, 130, b"\xff" * 11, wrong=1)
    good = ours(PSH | ACK, 161, 130, MASKED_HELLO)
    assert top([*opened(), bad, good])[5:] == [[("Payload", 11)], [("WebSocket", 6), ("Payload", 5)]]


def test_a_segment_with_an_impossible_data_offset_is_no_part_of_the_stream() -> None:
    bad = ours(PSH | ACK, 161, 130, b"\xff" * 11, offset=4)
    good = ours(PSH | ACK, 161, 130, MASKED_HELLO)
    assert top([*opened(), bad, good])[5:] == [[("Payload", 11)], [("WebSocket", 6), ("Payload", 5)]]


def test_the_client_is_who_asks_whatever_its_port() -> None:
    """The end with the lower port sends the request, in a capture without the SYNs."""
    frames = [
        theirs(PSH | ACK, 1, 1, REQUEST),
        ours(PSH | ACK, 1, 161, ANSWER),
        theirs(PSH | ACK, 161, 130, MASKED_HELLO),
    ]
    assert top(frames) == [[("HTTP", 160)], [("HTTP", 129)], [("WebSocket", 6), ("Payload", 5)]]
    assert dissect(frames)[1].client == "198.51.100.1:7080"


def test_where_all_checksums_are_wrong_the_network_card_was_to_fill_them_in() -> None:
    frames = [
        ours(SYN, 0, 0, wrong=1),
        theirs(SYN | ACK, 0, 1),
        ours(PSH | ACK, 1, 1, REQUEST, wrong=1),
        theirs(PSH | ACK, 1, 161, ANSWER),
        ours(PSH | ACK, 161, 130, MASKED_HELLO, wrong=1),
    ]
    assert top(frames)[2:] == [[("HTTP", 160)], [("HTTP", 129)], [("WebSocket", 6), ("Payload", 5)]]


def test_a_capture_that_begins_late() -> None:
    frames = opened()[3:]
    found = dissect([*frames, ours(PSH | ACK, 161, 130, MASKED_HELLO)])
    assert [above(one) for one in found] == [[("HTTP", 160)], [("HTTP", 129)], [("WebSocket", 6), ("Payload", 5)]]
    assert found[0].client == "198.51.100.2:40000"
    assert found[0].about == "PSH+ACK seq 0* ack 1001* len 160"
    # Later still nobody can know what the octets are.
    assert top([ours(PSH | ACK, 161, 130, MASKED_HELLO)]) == [[("Payload", 11)]]


def test_plain_http() -> None:
    request, answer = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nsorry"
    frames = [*opened()[:3], ours(PSH | ACK, 1, 1, request), theirs(PSH | ACK, 1, 28, answer)]
    assert top(frames)[3:] == [[("HTTP", 27)], [("HTTP", 45), ("Payload", 5)]]


def test_a_head_over_two_segments() -> None:
    frames = [*opened()[:3], ours(ACK, 1, 1, REQUEST[:30]), ours(PSH | ACK, 31, 1, REQUEST[30:])]
    found = dissect(frames)[3:]
    assert [above(one) for one in found] == [[("HTTP", 30)], [("HTTP", 130)]]
    assert fields(found[0].layers[3]) == [
        ("start line", "GET /echo HTTP/1.1", 54, 74), ("Host", "198.51.100.1:7080", 74, 84),
    ]  # fmt: skip
    assert found[0].layers[3].fields[1].meaning == "octets 0 to 9 of its 25"


def test_neither_http_nor_websocket() -> None:
    frames = [*opened()[:3], ours(PSH | ACK, 1, 1, b"hello"), theirs(PSH | ACK | FIN, 1, 6, b"\x81\x05hello")]
    found = dissect(frames)
    assert [above(one) for one in found[3:]] == [[("Payload", 5)], [("Payload", 7)]]
    assert [one.says for one in found] == [()] * 5


def test_the_same_two_ends_again() -> None:
    """A new SYN with another number begins a new connection: its octets are not the old one's."""
    again = [ours(SYN, 5000, 0), ours(PSH | ACK, 5001, 1, b"hello")]
    found = dissect([*opened(), *again])
    assert [one.connection for one in found] == [1, 1, 1, 1, 1, 2, 2]
    assert above(found[6]) == [("Payload", 5)]
    assert found[6].layers[2].fields[2].meaning == "1 counted from the SYN"
    # The same SYN again is none.
    assert [one.connection for one in dissect([*opened(), ours(SYN, 0, 0)])] == [1] * 6


WHOLE = REQUEST + MASKED_HELLO + bytes.fromhex("898000000000") + MASKED_HELLO
KINDS = b"h" * 160 + b"wwwwwwppppp" + b"wwwwww" + b"wwwwwwppppp"


@given(st.lists(st.integers(1, len(WHOLE) - 1), max_size=12, unique=True), st.randoms(use_true_random=False))
def test_any_cut_and_any_order_of_the_segments_tells_the_same(cuts: list[int], chance: object) -> None:
    edges = [0, *sorted(cuts), len(WHOLE)]
    pieces = list(pairwise(edges))
    chance.shuffle(pieces)  # type: ignore[attr-defined]
    frames = [*opened()[:3], *(ours(ACK, 1 + a, 1, WHOLE[a:b]) for a, b in pieces), opened()[4]]
    found = dissect(frames)[3:-1]
    kinds = bytearray(len(WHOLE))
    for (a, _), one in zip(pieces, found, strict=True):
        at = a
        for name, octets in above(one):
            kinds[at : at + octets] = {"HTTP": b"h", "WebSocket": b"w", "Payload": b"p"}[name] * octets
            at += octets
    assert bytes(kinds) == KINDS
