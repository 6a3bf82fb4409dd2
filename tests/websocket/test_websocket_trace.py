"""To which head or frame each octet belonged: hand-made connections, cut, repeated and shuffled in any way."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.websocket import frames
from lab.websocket.trace import MOST_PAYLOAD, Part, Portion, Unit, dissect

KEY = bytes.fromhex("37fa213d")
REQUEST = (
    b"GET /echo HTTP/1.1\r\nHost: h.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
"""RFC 6455 §5.7: a masked text of "Hello"."""
ECHO = bytes.fromhex("810548656c6c6f")


def told(parts: tuple[Part, ...]) -> list[tuple[int, int, str, int, int, str]]:
    return [(p.start, p.end, p.unit.name, p.from_, p.to, p.role) for p in parts]


def test_a_small_connection_part_by_part() -> None:
    answer = len(ANSWER)
    assert (len(REQUEST), answer) == (149, 129)
    got = dissect(
        [
            Portion(True, 0, syn=True),
            Portion(False, 0, syn=True),
            Portion(True, 1),
            Portion(True, 1, REQUEST),
            Portion(False, 1, ANSWER + ECHO[:3]),
            Portion(True, 150, HELLO[:4]),
            Portion(True, 154, HELLO[4:] + bytes.fromhex("888037fa213d")),
            Portion(False, 133, ECHO[3:] + bytes.fromhex("8800")),
            Portion(True, 167),
        ]
    )
    assert [told(parts) for parts in got] == [
        [],
        [],
        [],
        [(0, 149, "request", 0, 149, "http")],
        [
            (0, 129, "response", 0, 129, "http"),
            (129, 131, "TEXT", 0, 2, "frame header"),
            (131, 132, "TEXT", 2, 3, "frame payload"),
        ],
        [(0, 4, "TEXT", 0, 4, "frame header")],
        [
            (0, 2, "TEXT", 4, 6, "frame header"),
            (2, 7, "TEXT", 6, 11, "frame payload"),
            (7, 13, "CLOSE", 0, 6, "frame header"),
        ],
        [(0, 4, "TEXT", 3, 7, "frame payload"), (4, 6, "CLOSE", 0, 2, "frame header")],
        [],
    ]
    units = {part.unit.summary: part.unit for parts in got for part in parts}
    assert list(units) == [
        "GET /echo HTTP/1.1",
        "101 Switching Protocols",
        'TEXT fin len 5 "Hello"',
        'TEXT fin masked len 5 "Hello"',
        "CLOSE fin masked len 0",
        "CLOSE fin len 0",
    ]
    masked = units['TEXT fin masked len 5 "Hello"']
    assert (masked.first_seq, masked.last_seq, masked.length, masked.payload) == (150, 161, 11, b"Hello")
    request = units["GET /echo HTTP/1.1"]
    assert (request.first_seq, request.last_seq, request.length) == (1, 150, 149)
    assert request.headers[1] == ("Upgrade", "websocket")
    assert units["101 Switching Protocols"].head == "HTTP/1.1 101 Switching Protocols"


def one(*client: bytes, server: bytes = ANSWER) -> list[Portion]:
    """A connection whose client sends these segments, and whose server answers in one."""
    portions, at = [Portion(True, 0, syn=True), Portion(False, 0, syn=True)], 1
    for data in client:
        portions.append(Portion(True, at, data))
        at += len(data)
    return [*portions, Portion(False, 1, server)]


def summaries(portions: list[Portion]) -> list[str]:
    return [" | ".join(dict.fromkeys(p.unit.summary for p in parts)) for parts in dissect(portions)][2:]


def test_a_long_message_over_many_segments() -> None:
    frame = frames.binary(bytes(65540), mask=KEY).encode()
    pieces = [frame[at : at + 1460] for at in range(0, len(frame), 1460)]
    got = dissect(one(REQUEST, *pieces))
    assert len(frame) == 14 + 65540
    assert told(got[3]) == [
        (0, 14, "BINARY", 0, 14, "frame header"),
        (14, 1460, "BINARY", 14, 1460, "frame payload"),
    ]
    assert told(got[4]) == [(0, 1460, "BINARY", 1460, 2920, "frame payload")]
    unit = got[4][0].unit
    assert (unit.first_seq, unit.length, unit.last_seq) == (150, 65554, 150 + 65554)
    assert len(unit.payload) == MOST_PAYLOAD


def test_without_a_101_there_are_no_frames() -> None:
    refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
    assert summaries(one(REQUEST, HELLO, server=refusal)) == [
        "GET /echo HTTP/1.1",
        "11 octets",
        "404 Not Found | body of 2 octets",
    ]


def test_http_goes_on_until_the_101() -> None:
    first = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    answers = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    assert summaries(one(first + REQUEST, HELLO, server=answers + ANSWER + ECHO)) == [
        "POST /x HTTP/1.1 | body of 3 octets | GET /echo HTTP/1.1",
        'TEXT fin masked len 5 "Hello"',
        '200 OK | body of 12 octets | 100 Continue | 101 Switching Protocols | TEXT fin len 5 "Hello"',
    ]


def test_a_head_request_has_no_body_in_its_answer() -> None:
    head = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
    answers = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
    assert summaries(one(head + REQUEST, HELLO, server=answers + ANSWER + ECHO))[1:] == [
        'TEXT fin masked len 5 "Hello"',
        '200 OK | 101 Switching Protocols | TEXT fin len 5 "Hello"',
    ]


@pytest.mark.parametrize(
    ("client", "server", "says"),
    [
        (b"\x16\x03\x01\x02\x00", b"\x15\x03\x03", ["5 octets", "3 octets"]),
        (REQUEST[:30], b"", ["GET /echo HTTP/1.1", ""]),
        (REQUEST, ANSWER[:40], ["GET /echo HTTP/1.1", "101 Switching Protocols"]),
        (REQUEST, b"garbage", ["GET /echo HTTP/1.1", "7 octets"]),
        (
            REQUEST,
            ANSWER + b"\x81",
            ["GET /echo HTTP/1.1", "101 Switching Protocols | the beginning of a frame's header"],
        ),
        (
            REQUEST,
            ANSWER + bytes.fromhex("827f8000000000000000 aabb"),
            ["GET /echo HTTP/1.1", "101 Switching Protocols | BINARY fin len 9223372036854775808 (2 there) 0xaabb…"],
        ),
        (b"GET /\x1b[2J HTTP/1.1\r\n\r\n", b"", ["GET /\\x1b[2J HTTP/1.1", ""]),
    ],
)
def test_what_is_cut_off_or_something_else(client: bytes, server: bytes, says: list[str]) -> None:
    assert summaries(one(client, server=server)) == says


def test_what_has_no_end_has_no_length() -> None:
    got = dissect(one(REQUEST[:30], server=ANSWER[:40]))
    assert [part.unit.length for parts in got for part in parts] == [None, None]
    cut = dissect(one(REQUEST, HELLO[:8]))
    assert cut[3][-1].unit.length is None
    assert cut[3][-1].unit.header is not None
    assert cut[3][-1].unit.header.whole == 11
    assert cut[3][-1].unit.payload == b"He"


def test_behind_a_gap_there_are_bytes() -> None:
    portions = [
        *one(REQUEST, HELLO),
        Portion(True, 150 + 11 + 100, HELLO),
        Portion(True, 150 + 11 + 111, b"more"),
        Portion(True, 150 + 11 + 500, b"far"),
        Portion(True, 0, b"?"),
    ]
    got = dissect(portions)
    island = got[-4][0].unit
    assert told(got[-4]) == [(0, 11, "bytes", 0, 11, "bytes")]
    assert told(got[-3]) == [(0, 4, "bytes", 11, 15, "bytes")]
    assert (island.first_seq, island.last_seq, island.length) == (261, 276, 15)
    assert told(got[-2]) == [(0, 3, "bytes", 0, 3, "bytes")]
    # A keep-alive of the old kind carries one octet at the number of the SYN (RFC 9293 §3.8.4).
    assert told(got[-1]) == [(0, 1, "bytes", 0, 1, "bytes")]


def test_what_came_first_counts_where_copies_differ() -> None:
    other = HELLO[:6] + bytes(5)
    got = dissect([*one(REQUEST, HELLO), Portion(True, 150, other), Portion(True, 140, bytes(30))])
    assert {p.unit.summary for p in got[-2]} == {'TEXT fin masked len 5 "Hello"'}
    assert told(got[-1])[0] == (0, 10, "request", 139, 149, "http")
    # Nine zeros are four empty continuations and half a header.
    assert told(got[-1])[-1] == (29, 30, "frame", 0, 1, "frame header")


def test_numbers_may_wrap_and_have_any_base() -> None:
    portions = [
        Portion(True, 2**32 - 100, REQUEST),
        Portion(False, 2**32 - 1, ANSWER, syn=True),
        Portion(True, 49, HELLO),
    ]
    got = dissect(portions)
    assert [p[0].unit.summary for p in got] == [
        "GET /echo HTTP/1.1",
        "101 Switching Protocols",
        'TEXT fin masked len 5 "Hello"',
    ]
    assert (got[0][0].unit.first_seq, got[0][0].unit.last_seq) == (2**32 - 100, 49)
    assert (got[1][0].unit.first_seq, got[1][0].unit.last_seq) == (0, 129)


def check_sums(portions: list[Portion], got: list[tuple[Part, ...]]) -> None:
    """The parts of a portion are its payload, without gap or overlap."""
    assert len(got) == len(portions)
    for number, (portion, parts) in enumerate(zip(portions, got, strict=True)):
        at = 0
        for part in parts:
            assert part.packet == number
            assert (part.start, part.end - part.start) == (at, part.to - part.from_)
            assert part.end > part.start
            assert 0 <= part.from_ < part.to <= part.unit.seen
            assert part.unit.from_client is portion.from_client
            at = part.end
        assert at == len(portion.payload)


@given(st.randoms(use_true_random=False), st.integers(1, 400), st.booleans())
def test_any_cut_repeat_and_order_gives_the_same_units(rng: random.Random, step: int, syns: bool) -> None:
    sent = [frames.text("Hello", mask=KEY), frames.binary(bytes(300), mask=KEY), frames.close(1000, mask=KEY)]
    streams = {
        True: REQUEST + b"".join(f.encode() for f in sent),
        False: ANSWER + ECHO + frames.ping(b"x").encode() + b"\x88\x00",
    }
    portions = []
    for from_client, data in streams.items():
        cuts = sorted({0, len(data), *(rng.randrange(len(data)) for _ in range(len(data) // step))})
        pieces = [Portion(from_client, 1 + a, data[a:b]) for a, b in itertools.pairwise(cuts)]
        for _ in range(rng.randrange(4)):
            a = rng.randrange(len(data))
            pieces.append(Portion(from_client, 1 + a, data[a : a + rng.randrange(100)]))
        portions += [Portion(from_client, 0, syn=True)] * syns + pieces
    rng.shuffle(portions)
    got = dissect(portions)
    check_sums(portions, got)
    units: dict[tuple[bool, int], Unit] = {
        (p.unit.from_client, p.unit.first_seq): p.unit for parts in got for p in parts
    }
    assert [units[key].summary for key in sorted(units, key=lambda k: (not k[0], k[1]))] == [
        "GET /echo HTTP/1.1",
        'TEXT fin masked len 5 "Hello"',
        "BINARY fin masked len 300 0x" + "00" * 16 + "…",
        "CLOSE fin masked len 2 1000",
        "101 Switching Protocols",
        'TEXT fin len 5 "Hello"',
        'PING fin len 1 "x"',
        "CLOSE fin len 0",
    ]


anything = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([REQUEST, ANSWER, HELLO, ECHO, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"\r\n\r\n"]),
)


@given(st.lists(st.builds(Portion, st.booleans(), st.integers(0, 2**32 - 1), anything, st.booleans()), max_size=8))
def test_garbage_at_any_number_never_raises(portions: list[Portion]) -> None:
    check_sums(portions, dissect(portions))


@given(st.lists(st.tuples(st.booleans(), anything), max_size=10))
def test_garbage_in_sequence_never_raises(sent: list[tuple[bool, bytes]]) -> None:
    at = {True: 1, False: 1}
    portions = []
    for from_client, data in sent:
        portions.append(Portion(from_client, at[from_client], data))
        at[from_client] += len(data)
    check_sums(portions, dissect(portions))
