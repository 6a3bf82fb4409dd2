"""Any octets whatever: each belongs to exactly one layer, and nothing raises."""

from __future__ import annotations

import struct
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.layers import Layer, dissect
from lab.layers.model import PROTOCOLS

ETHERNET = bytes.fromhex("020000000002 020000000001".replace(" ", ""))


def holds(frame: bytes, layers: tuple[Layer, ...]) -> None:
    """Layers are in order, without gap or overlap, and cover the frame; fields lie within their layer, in order."""
    assert [layer.start for layer in layers[:1]] == [0][: len(frame)]
    for before, behind in pairwise(layers):
        assert before.end == behind.start
    assert (layers[-1].end if layers else 0) == len(frame)
    for layer in layers:
        assert layer.start < layer.end
        assert layer.name in PROTOCOLS
        at = layer.start * 8
        for field in layer.fields:
            assert layer.start <= field.start < field.end <= layer.end
            first, behind = field.bits or (0, 8 * (field.end - field.start))
            assert first < behind <= 8 * (field.end - field.start)
            assert field.start * 8 + first >= at, f"{field.name} overlaps the field before it"
            at = field.start * 8 + behind


@given(st.lists(st.binary(max_size=120), max_size=6))
def test_octets(frames: list[bytes]) -> None:
    for frame, found in zip(frames, dissect(frames), strict=True):
        holds(frame, found.layers)
        assert found.frame == frame


KINDS = st.sampled_from([0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8, 0x0026, 0x1234])


@st.composite
def likely(draw: st.DrawFn) -> bytes:
    """A frame with sound beginnings and nonsense in every field that has a length."""
    kind = draw(KINDS)
    frame = ETHERNET + struct.pack("!H", kind)
    if kind == 0x8100:
        kind = draw(KINDS)
        frame += struct.pack("!HH", draw(st.integers(0, 65535)), kind)
    body = draw(st.binary(max_size=90))
    protocol = draw(st.sampled_from([6, 6, 6, 17, 1, 58, 47]))
    if kind == 0x0800:
        words = draw(st.sampled_from([5, 5, 5, 6, 15, 4, 0]))
        total = draw(st.sampled_from([20 + len(body), len(body), 0, 40, 65535]))
        flags = draw(st.sampled_from([0x4000, 0, 0, 0x2000, 0x0001, 0x2001, 0x1FFF]))
        frame += struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, total, 7, flags, 64, protocol, 0, b"\1" * 4, b"\2" * 4)
    elif kind == 0x86DD:
        following = draw(st.sampled_from([protocol, 0, 43, 44, 51, 60, 135, 59]))
        length = draw(st.sampled_from([len(body), 0, 20, 65535]))
        frame += struct.pack("!IHBB16s16s", 6 << 28, length, following, 64, b"\1" * 16, b"\2" * 16)
    if protocol == 6 and draw(st.booleans()):
        offset = draw(st.sampled_from([5, 5, 6, 8, 15, 4, 0]))
        frame += struct.pack("!HHIIHHHH", 80, 9, draw(st.integers(0, 9)), 0, offset << 12 | 16, 9, 0, 0)
    if draw(st.booleans()):
        body = draw(st.sampled_from([b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 101 x\r\n", b"\x81\x85", b"\2\1\2"])) + body
    whole = frame + body
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole


@settings(max_examples=400)
@given(st.lists(likely(), max_size=8))
def test_frames_that_begin_well(frames: list[bytes]) -> None:
    for frame, found in zip(frames, dissect(frames), strict=True):
        holds(frame, found.layers)
