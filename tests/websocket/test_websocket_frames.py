"""Frames: the bytes of RFC 6455 §5.7 by hand, and a reader that any stream in any pieces leaves unharmed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.websocket import frames
from lab.websocket.frames import Frame, FrameReader, Opcode, ReadFrame, parse_header, unmask

KEY = bytes.fromhex("37fa213d")
"""The masking key of RFC 6455 §5.7."""


@pytest.mark.parametrize(
    ("frame", "octets"),
    [
        (frames.text("Hello"), "81 05 48 65 6c 6c 6f"),
        (frames.text("Hello", mask=KEY), "81 85 37 fa 21 3d 7f 9f 4d 51 58"),
        (frames.text("Hel", fin=False), "01 03 48 65 6c"),
        (frames.continuation("lo"), "80 02 6c 6f"),
        (frames.ping(b"Hello"), "89 05 48 65 6c 6c 6f"),
        (frames.pong(b"Hello", mask=KEY), "8a 85 37 fa 21 3d 7f 9f 4d 51 58"),
        (frames.binary(bytes(256)), "82 7e 01 00" + "00" * 256),
        (frames.binary(bytes(65536)), "82 7f 00 00 00 00 00 01 00 00" + "00" * 65536),
        (frames.binary(bytes(125)), "82 7d" + "00" * 125),
        (frames.binary(bytes(126)), "82 7e 00 7e" + "00" * 126),
        (frames.binary(bytes(65535)), "82 7e ff ff" + "00" * 65535),
        (frames.close(), "88 00"),
        (frames.close(1000), "88 02 03 e8"),
        (frames.close(1002, "no"), "88 04 03 ea 6e 6f"),
        (frames.text(""), "81 00"),
        # Wrong on purpose.
        (frames.text("x", rsv=4), "c1 01 78"),
        (frames.text("x", rsv=2), "a1 01 78"),
        (frames.text("x", rsv=1), "91 01 78"),
        (Frame(3, b"x"), "83 01 78"),
        (Frame(15), "8f 00"),
        (frames.ping(fin=False), "09 00"),
        (frames.text("x", length_bits=16), "81 7e 00 01 78"),
        (frames.text("x", length_bits=64), "81 7f 00 00 00 00 00 00 00 01 78"),
        (frames.binary(b"", announced=2**63), "82 7f 80 00 00 00 00 00 00 00"),
        (frames.binary(b"ab", announced=2**64 - 1), "82 7f ff ff ff ff ff ff ff ff 61 62"),
        (frames.close(65535), "88 02 ff ff"),
        (Frame(Opcode.CLOSE, b"\x03"), "88 01 03"),
    ],
)
def test_a_frame_makes_these_octets_and_they_make_the_frame(frame: Frame, octets: str) -> None:
    wire = bytes.fromhex(octets)
    assert frame.encode() == wire
    header = parse_header(wire)
    assert header is not None
    assert (header.fin, header.rsv, header.opcode, header.key) == (frame.fin, frame.rsv, frame.opcode, frame.mask)
    assert header.length == frame.length
    assert wire[: header.size] == frame.header
    if frame.announced is None:
        assert FrameReader().feed(wire) == [ReadFrame(frame, 0, len(wire), header.size)]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Frame(16), "0 to 15"),
        (lambda: Frame(-1), "0 to 15"),
        (lambda: frames.text("", rsv=8), "0 to 7"),
        (lambda: frames.text("", mask=b"abc"), "4 octets"),
        (lambda: frames.text("", length_bits=8), "7, 16 or 64 bits"),
        (lambda: frames.text("x" * 126, length_bits=7), "cannot be written in 7 bits"),
        (lambda: frames.text("", length_bits=16, announced=65536), "cannot be written in 16 bits"),
        (lambda: frames.text("", announced=2**64), "cannot be written in 64 bits"),
        (lambda: frames.close(65536), "16 bits"),
        (lambda: frames.close(None, "why"), "follows a code"),
        (lambda: unmask(b"", b""), "4 octets"),
    ],
)
def test_what_no_header_can_say_is_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (frames.text("hello", mask=KEY), 'TEXT fin masked len 5 "hello"'),
        (frames.text("Hel", fin=False), 'TEXT no-fin len 3 "Hel"'),
        (frames.continuation("", rsv=5), "CONTINUATION fin rsv1 rsv3 len 0"),
        (frames.binary(b"\x00\x01" * 20), "BINARY fin len 40 0x00010001000100010001000100010001…"),
        (frames.close(1000, "bye"), 'CLOSE fin len 5 1000 "bye"'),
        (frames.close(1005), "CLOSE fin len 2 1005"),
        (Frame(Opcode.CLOSE, b"\x03"), "CLOSE fin len 1 0x03"),
        (frames.close(), "CLOSE fin len 0"),
        (frames.ping(b"\xff\x00"), "PING fin len 2 0xff00"),
        (Frame(3), "opcode 3 fin len 0"),
        (frames.text("x", length_bits=64), 'TEXT fin len 1 in 64 bits "x"'),
        (frames.binary(b"ab", announced=2**63), "BINARY fin len 9223372036854775808 (2 there) 0x6162…"),
        (frames.text("a\x1b[2J\n\u202e"), 'TEXT fin len 9 "a\\u001b[2J\\n\\u202e"'),
        (frames.text("ä" * 60), f'TEXT fin len 120 "{"ä" * 60}"'),
        (frames.text("ä" * 61), f'TEXT fin len 122 "{"ä" * 60}"…'),
        (frames.text('{"do": "move", "x": -1}'), """TEXT fin len 23 '{"do": "move", "x": -1}'"""),
        (frames.text('"it\'s"'), """TEXT fin len 6 '"it\\'s"'"""),
        (frames.text("it's"), """TEXT fin len 4 "it's\""""),
        (frames.text('"\x1b\\"\u202e'), """TEXT fin len 7 '"\\u001b\\\\"\\u202e'"""),
        (frames.close(1008, '"x" is none'), """CLOSE fin len 13 1008 '"x" is none'"""),
        (frames.text(b"\xce\xba\xff"), "TEXT fin len 3 0xcebaff"),
    ],
)
def test_a_frame_is_told_in_one_line(frame: Frame, line: str) -> None:
    assert frame.describe() == line


def test_unmasking_goes_on_in_the_middle() -> None:
    masked = bytes.fromhex("7f9f4d5158")
    assert b"".join(unmask(KEY, masked[i : i + 1], i) for i in range(5)) == b"Hello"
    assert unmask(KEY, b"") == b""


def test_every_frame_gets_a_key_of_its_own() -> None:
    keys = [frames.text("x").masked().mask for _ in range(20)]
    assert len(set(keys)) == 20
    assert frames.text("Hello").masked(KEY).encode().hex() == "818537fa213d7f9f4d5158"


any_frame = st.builds(
    Frame,
    st.integers(0, 15),
    st.binary(max_size=300),
    st.booleans(),
    st.integers(0, 7),
    st.one_of(st.none(), st.binary(min_size=4, max_size=4)),
    st.sampled_from([None, 16, 64]),
)


def plain(frame: Frame) -> tuple[object, ...]:
    return (frame.opcode, frame.payload, frame.fin, frame.rsv, frame.mask)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` cut at these places, modulo its length."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.lists(any_frame, max_size=6), st.lists(st.integers(0, 5000), max_size=12))
def test_any_split_gives_the_same_frames(sent: list[Frame], cuts: list[int]) -> None:
    wire = b"".join(frame.encode() for frame in sent)
    reader = FrameReader()
    got = [frame for piece in pieces(wire, cuts) for frame in reader.feed(piece)]
    assert [plain(r.frame) for r in got] == [plain(f) for f in sent]
    assert [wire[r.start : r.end] for r in got] == [f.encode() for f in sent]
    assert [r.header_size for r in got] == [len(f.header) for f in sent]
    assert reader.waiting == 0
    assert reader.partial is None


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_garbage_never_raises_and_any_split_gives_the_same(data: bytes, cuts: list[int]) -> None:
    whole, split = FrameReader(most=50), FrameReader(most=50)
    one = whole.feed(data)
    assert [f for piece in pieces(data, cuts) for f in split.feed(piece)] == one
    assert (whole.partial, whole.too_large, whole.waiting) == (split.partial, split.too_large, split.waiting)
    assert whole.waiting <= 14 + 50
    for frame in one:
        frame.frame.describe()


def test_a_frame_of_2_to_the_63_is_not_waited_for() -> None:
    reader = FrameReader()
    assert reader.feed(bytes.fromhex("8101 78 827f8000000000000000")) == [ReadFrame(frames.text("x"), 0, 3, 2)]
    assert reader.too_large is not None
    assert reader.too_large.length == 2**63
    for _ in range(100):
        assert reader.feed(bytes(65536)) == []
    assert reader.waiting == 10
    assert reader.start == 3
    assert reader.received == 13 + 100 * 65536


def test_the_limit_itself_is_taken_and_one_more_is_not() -> None:
    assert FrameReader(most=126).feed(frames.binary(bytes(126)).encode()) != []
    reader = FrameReader(most=125)
    assert reader.feed(frames.binary(bytes(126)).encode()) == []
    assert reader.too_large is not None


def test_one_octet_at_a_time_a_header_is_looked_at_no_more_than_it_has_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    real = frames.parse_header

    def counting(data: bytes, at: int = 0) -> frames.Header | None:
        looks.append(at)
        return real(data, at)

    monkeypatch.setattr(frames, "parse_header", counting)
    reader = FrameReader()
    wire = frames.binary(bytes(20000)).encode()
    got = [frame for octet in wire for frame in reader.feed(bytes((octet,)))]
    assert [frame.end for frame in got] == [20004]
    assert len(looks) == 4 + 1  # The header's octets, and the look for a next frame behind the last.
    assert set(looks) <= {0, 20004}


def test_a_header_is_not_there_until_its_last_octet() -> None:
    wire = bytes.fromhex("81fe 0100 37fa213d")
    for size in range(8):
        assert parse_header(wire[:size]) is None
    header = parse_header(b"??" + wire, 2)
    assert header is not None
    assert (header.size, header.length, header.length_bits, header.whole) == (8, 256, 16, 264)


@given(st.binary(max_size=60), st.integers(0, 15), st.integers(0, 5000))
def test_every_payload_can_be_shown(data: bytes, opcode: int, more: int) -> None:
    shown = frames.show(opcode, data, len(data) + more)
    assert shown.isprintable()
    assert len(shown) < 700
    assert json.dumps(shown)
