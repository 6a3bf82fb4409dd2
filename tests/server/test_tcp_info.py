"""struct tcp_info by name: octets written by hand, at the offsets of include/uapi/linux/tcp.h."""

from __future__ import annotations

import struct

from lab.server import tcp_info


def test_fields_are_read_at_their_offsets() -> None:
    raw = bytearray(248)
    raw[0] = 7
    raw[2] = 3
    raw[5] = 1 | 4
    raw[6] = 0xA7  # shift counts: send 7, receive 10
    for offset, value in ((8, 204000), (16, 1460), (68, 333), (100, 5), (228, 64240)):
        struct.pack_into("=I", raw, offset, value)
    for offset, value in ((104, 2**40), (120, 17), (200, 2**33)):
        struct.pack_into("=Q", raw, offset, value)
    info = tcp_info.parse(bytes(raw))
    assert info["state"] == 7
    assert info["retransmits"] == 3
    assert info["options"] == tcp_info.OPTION_BITS["timestamps"] | tcp_info.OPTION_BITS["wscale"]
    assert (info["snd_wscale"], info["rcv_wscale"]) == (7, 10)
    assert (info["rto"], info["snd_mss"], info["rtt"], info["total_retrans"]) == (204000, 1460, 333, 5)
    assert (info["pacing_rate"], info["bytes_acked"], info["bytes_sent"]) == (2**40, 17, 2**33)
    assert info["snd_wnd"] == 64240


def test_an_older_kernels_shorter_structure_gives_fewer_fields() -> None:
    info = tcp_info.parse(struct.pack("=8B24I", *range(8), *range(24)))
    assert info["total_retrans"] == 23
    assert "pacing_rate" not in info


def test_nothing_gives_nothing() -> None:
    assert tcp_info.parse(b"") == {}
