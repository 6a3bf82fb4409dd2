"""Fragments: read together where all have come, named for what they are where not."""

from __future__ import annotations

from itertools import permutations

import pytest
from handmade import ACK, HELLO, PSH, SYN, X, Y, ether, ip4, ip6, opened, ours, tcp, theirs

from lab.layers import dissect, dissect_run

MORE = 0x2000


def pieces(segment: bytes, size: int, ident: int = 7) -> list[bytes]:
    """The frames of a segment in IPv4 fragments of `size` octets."""
    frames = []
    for at in range(0, len(segment), size):
        more = MORE if at + size < len(segment) else 0
        frames.append(ether(ip4(segment[at : at + size], bits=more | at // 8, ident=ident), 0x0800))
    return frames


def shapes(frames: list[bytes]) -> list[list[tuple[str, int]]]:
    """Names and octets, frame by frame, without Ethernet and IP."""
    found = []
    for frame, layers in zip(frames, dissect_run(frames), strict=True):
        assert sum(layer.octets for layer in layers) == len(frame)
        assert [(layer.name, layer.octets) for layer in layers[:2]] == [("Ethernet", 14), ("IPv4", 20)]
        found.append([(layer.name, layer.octets) for layer in layers[2:]])
    return found


SEGMENT = tcp(ACK, X + 1, Y + 1, b"sixteen octets !")
WHOLE = [[("TCP", 8)], [("TCP", 8)], [("TCP", 4), ("Payload", 4)], [("Payload", 8)], [("Payload", 4)]]
"""20 + 16 octets in eights."""


def test_a_header_in_three_fragments() -> None:
    frames = pieces(SEGMENT, 8)
    assert shapes(frames) == WHOLE
    layers = [layers[2] for layers in dissect_run(frames)]
    assert [layer.note for layer in layers[:3]] == [
        "octets 0 to 7 of its 20, the rest in packets 2, 3, 4, 5",
        "octets 8 to 15 of its 20, the rest in packets 1, 3, 4, 5",
        "octets 16 to 19 of its 20, the rest in packets 1, 2, 4, 5",
    ]
    told = [[(one.name, one.value, one.start) for one in layer.fields] for layer in layers[:3]]
    assert told[0] == [("source port", "40000", 34), ("destination port", "7080", 36), ("sequence number", "0", 38)]
    assert [name for name, _, _ in told[2]] == ["checksum", "urgent pointer"]
    assert layers[2].fields[0].meaning.startswith("right")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_any_order(order: tuple[int, ...]) -> None:
    frames = pieces(SEGMENT, 16)
    wanted = [[("TCP", 16)], [("TCP", 4), ("Payload", 12)], [("Payload", 4)]]
    assert shapes([frames[i] for i in order]) == [wanted[i] for i in order]


@pytest.mark.parametrize("missing", range(5))
def test_with_one_missing_nothing_is_guessed(missing: int) -> None:
    frames = [frame for i, frame in enumerate(pieces(SEGMENT, 8)) if i != missing]
    sizes = [size for i, size in enumerate((8, 8, 8, 8, 4)) if i != missing]
    assert shapes(frames) == [[("IPv4 fragment", size)] for size in sizes]


def test_a_repeated_fragment_changes_nothing() -> None:
    frames = pieces(SEGMENT, 8)
    assert shapes([frames[0], *frames]) == [WHOLE[0], *WHOLE]
    assert shapes([*frames, frames[4]]) == [*WHOLE, [("IPv4 fragment", 4)]]


def test_overlapping_fragments_each_belong_where_they_say() -> None:
    first = ether(ip4(SEGMENT[:24], bits=MORE, ident=7), 0x0800)
    second = ether(ip4(SEGMENT[16:], bits=2, ident=7), 0x0800)
    assert shapes([first, second]) == [[("TCP", 20), ("Payload", 4)], [("TCP", 4), ("Payload", 16)]]


def test_fragments_that_contradict_each_other() -> None:
    last = ether(ip4(SEGMENT[24:32], bits=3, ident=7), 0x0800)
    beyond = ether(ip4(SEGMENT[:8], bits=MORE | 9, ident=7), 0x0800)
    ragged = ether(ip4(SEGMENT[:7], bits=MORE, ident=7), 0x0800)
    too_far = ether(ip4(SEGMENT, bits=0x1FFF, ident=9), 0x0800)
    assert shapes([last, beyond, ragged, too_far]) == [
        [("IPv4 fragment", 8)], [("IPv4 fragment", 8)], [("IPv4 fragment", 7)], [("IPv4 fragment", 36)],
    ]  # fmt: skip


def test_a_piece_that_is_short_leaves_a_gap() -> None:
    """Seven octets where eight were announced, by a ragged length or by a capture that kept no more."""
    ragged = ether(ip4(SEGMENT[:7], bits=MORE, ident=7), 0x0800)
    cut = ether(ip4(SEGMENT[:8], bits=MORE, ident=7), 0x0800)[:-1]
    rest = ether(ip4(SEGMENT[8:], bits=1, ident=7), 0x0800)
    for first in (ragged, cut):
        assert shapes([first, rest]) == [[("IPv4 fragment", 7)], [("IPv4 fragment", 28)]]


def test_a_last_piece_that_the_capture_cut() -> None:
    """Where the packet ends nobody can tell then."""
    first, last = pieces(SEGMENT, 24)
    assert shapes([first, last[:-4]]) == [[("IPv4 fragment", 24)], [("IPv4 fragment", 8)]]


def test_a_last_piece_before_the_others() -> None:
    beyond = ether(ip4(SEGMENT[16:24], bits=MORE | 2, ident=7), 0x0800)
    last = ether(ip4(SEGMENT[8:12], bits=1, ident=7), 0x0800)
    first = ether(ip4(SEGMENT[:8], bits=MORE, ident=7), 0x0800)
    assert {name for told in shapes([beyond, last, first]) for name, _ in told} == {"IPv4 fragment"}


def test_two_packets_at_once() -> None:
    a, b = pieces(SEGMENT, 24, 1), pieces(SEGMENT, 24, 2)
    assert shapes([a[0], b[0], b[1], a[1]]) == [[("TCP", 20), ("Payload", 4)]] * 2 + [[("Payload", 12)]] * 2


def test_padding_behind_a_fragment() -> None:
    frames = [frame + bytes(60 - len(frame)) for frame in pieces(SEGMENT, 24)]
    assert shapes(frames) == [[("TCP", 20), ("Payload", 4), ("Padding", 2)], [("Payload", 12), ("Padding", 14)]]


def test_a_message_in_fragments_is_read_with_its_stream() -> None:
    segment = tcp(PSH | ACK, Y + 130, X + 161, HELLO, to_server=False)
    parts = []
    for at in (0, 16):
        bits = (MORE if at == 0 else 0) | at // 8
        parts.append(ether(ip4(segment[at : at + 16], bits=bits, ident=3, to_server=False), 0x0800, to_server=False))
    assert shapes([*opened(), *parts])[5:] == [[("TCP", 16)], [("TCP", 4), ("WebSocket", 2), ("Payload", 5)]]
    last = dissect([*opened(), *parts])[6]
    assert last.about == "fragment of: PSH+ACK seq 130 ack 161 len 7"
    assert last.says == ('TEXT fin len 5 "Hello"',)


def test_ipv6_fragments() -> None:
    segment = tcp(SYN, 0, v6=True)
    frames = []
    for at in (0, 16):
        header = bytes([6, 0]) + (at | (at == 0)).to_bytes(2) + bytes.fromhex("00000007")
        frames.append(ether(ip6(header + segment[at : at + 16], 44), 0x86DD))
    found = [[(layer.name, layer.octets) for layer in layers] for layers in dissect_run(frames)]
    start = [("Ethernet", 14), ("IPv6", 40), ("IPv6 fragment header", 8)]
    assert found == [[*start, ("TCP", 16)], [*start, ("TCP", 4)]]
    alone = dissect_run(frames[1:])[0]
    assert (alone[-1].name, alone[-1].octets) == ("IPv6 fragment", 4)


def test_thousands_of_fragments_that_never_fit_are_no_burden() -> None:
    frames = [ether(ip4(bytes(8), bits=MORE | (i % 4000) + 1, ident=1), 0x0800) for i in range(8000)]
    assert {layers[-1].name for layers in dissect_run(frames)} == {"IPv4 fragment"}


def test_ordinary_packets_are_left_alone() -> None:
    frames = [ours(SYN, 0, 0), theirs(SYN | ACK, 0, 1)]
    assert shapes(frames) == [[("TCP", 20)], [("TCP", 20)]]
