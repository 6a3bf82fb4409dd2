"""IPv4 fragments, against numbers written by hand and against Scapy's reassembly."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, defragment
from scapy.layers.l2 import Ether

from lab.wire.fragments import fragments

PACKET = bytes(
    Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
    / IP(src="198.51.100.2", dst="198.51.100.1", flags="DF", id=7)
    / TCP(sport=1, dport=2, flags="PA")
    / b"0123456789"
)
"""30 octets behind the IPv4 header."""


def test_lengths_offsets_and_flags_are_those_of_rfc_791() -> None:
    made = [Ether(piece)[IP] for piece in fragments(PACKET, 16, identification=0x1234)]
    assert [(p.id, p.frag, int(p.flags), p.len) for p in made] == [(0x1234, 0, 1, 36), (0x1234, 2, 0, 34)]
    for p in made:
        right = p.chksum
        del p.chksum
        assert IP(bytes(p)).chksum == right


@pytest.mark.parametrize("octets", [8, 16, 24, 32, 65528])
def test_put_together_they_are_the_packet(octets: int) -> None:
    (whole,) = defragment([Ether(piece) for piece in fragments(PACKET, octets, identification=9)])
    assert bytes(whole[IP].payload) == PACKET[34:]


def test_padding_behind_the_packet_is_no_part_of_it() -> None:
    assert b"".join(p[34:] for p in fragments(PACKET + bytes(6), 8, identification=9)) == PACKET[34:]


@pytest.mark.parametrize("octets", [0, -8, 4, 12, 65536])
def test_a_length_that_no_offset_can_say_is_refused(octets: int) -> None:
    with pytest.raises(ValueError, match="a multiple of 8 octets"):
        fragments(PACKET, octets, identification=9)


def test_only_ipv4_is_cut() -> None:
    with pytest.raises(ValueError, match="only an IPv4 packet"):
        fragments(PACKET[:12] + b"\x86\xdd" + PACKET[14:], 8, identification=9)
