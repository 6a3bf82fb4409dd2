"""Frames that a kernel left to its card to cut: cut into the segments that would have been on the wire."""

from __future__ import annotations

import sys

import pytest

from lab.wire.codec import TcpFrame, decode
from lab.wire.offload import PLAIN, segments

MACS = bytes.fromhex("020000000002 020000000001")
# source port 7, destination port 1024, seq 2**32 - 16, ack 1, 32 octets of header, FIN PSH ACK CWR, window 512
TCP = bytes.fromhex("0007 0400 fffffff0 00000001 8099 0200 0000 0000") + bytes.fromhex("0101080a0000000100000002")
DATA = b"abcdefghijklmnopqrstuvwxy"
IPV4 = bytes.fromhex("4500 004d ffff 4000 40 06 0000 c6336401 c6336402")
IPV6 = bytes.fromhex("60000000 0039 06 40") + bytes.fromhex(
    "20010db8000000000000000000000001 20010db8000000000000000000000002"
)
VLAN = bytes.fromhex("8100 0005")


def header(kind: int, size: int) -> bytes:
    """struct virtio_net_hdr, on this machine's byte order."""
    return bytes([1, kind]) + (66).to_bytes(2, sys.byteorder) + size.to_bytes(2, sys.byteorder) + bytes(4)


def tcp_frames(frame: bytes, with_header: bytes) -> list[TcpFrame]:
    found = [decode(piece) for piece in segments(frame, with_header)]
    assert all(isinstance(one, TcpFrame) for one in found)
    return [one for one in found if isinstance(one, TcpFrame)]


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (MACS + b"\x08\x00" + IPV4 + TCP + DATA, 1),
        (MACS + b"\x08\x00" + IPV4 + TCP + DATA, 0x81),
        (MACS + b"\x86\xdd" + IPV6 + TCP + DATA, 4),
    ],
    ids=["IPv4", "IPv4 with ECN", "IPv6"],
)
def test_each_piece_is_a_segment_of_its_own(frame: bytes, kind: int) -> None:
    found = tcp_frames(frame, header(kind, 10))
    assert [bytes(one.segment.payload) for one in found] == [b"abcdefghij", b"klmnopqrst", b"uvwxy"]
    assert [int(one.segment.seq) for one in found] == [0xFFFFFFF0, 0xFFFFFFFA, 4]
    assert [int(one.segment.ack) for one in found] == [1, 1, 1]
    assert [int(one.segment.flags) for one in found] == [0x90, 0x10, 0x19]
    assert all(one.ip_checksum_correct and not one.truncated for one in found)


def test_the_ip_header_says_each_pieces_length_and_number() -> None:
    pieces = segments(MACS + b"\x08\x00" + IPV4 + TCP + DATA, header(1, 10))
    assert [piece[16:20].hex() for piece in pieces] == ["003effff", "003e0000", "00390001"]
    pieces = segments(MACS + b"\x86\xdd" + IPV6 + TCP + DATA, header(4, 10))
    assert [piece[18:20].hex() for piece in pieces] == ["002a", "002a", "0025"]


def test_behind_a_vlan_tag_too() -> None:
    pieces = segments(MACS + VLAN + b"\x08\x00" + IPV4 + TCP + DATA, header(1, 20))
    assert [piece[:18] for piece in pieces] == [MACS + VLAN + b"\x08\x00"] * 2
    assert [piece[-5:] for piece in pieces] == [b"pqrst", b"uvwxy"]


@pytest.mark.parametrize(
    "with_header", [PLAIN, header(0, 10), header(3, 10), header(1, 0)], ids=["plain", "none", "UDP", "no size"]
)
def test_what_was_not_left_to_be_cut_stays_whole(with_header: bytes) -> None:
    frame = MACS + b"\x08\x00" + IPV4 + TCP + DATA
    assert segments(frame, with_header) == [frame]


def test_one_segments_worth_is_as_it_was() -> None:
    frame = MACS + b"\x08\x00" + IPV4 + TCP + DATA
    (only,) = segments(frame, header(1, 25))
    assert only[14 + 20 :] == frame[14 + 20 :]


@pytest.mark.parametrize("length", [0, 13, 14, 20, 34, 40, 53])
def test_a_cut_off_frame_does_no_harm(length: int) -> None:
    frame = (MACS + b"\x08\x00" + IPV4 + TCP)[:length]
    assert segments(frame, header(1, 10)) == [frame]
