"""The fields of Linux's `struct tcp_info` (include/uapi/linux/tcp.h), by name."""

from __future__ import annotations

import struct
from typing import Final

_OCTETS: Final = ("state", "ca_state", "retransmits", "probes", "backoff", "options")
_WORDS: Final = (
    ("I", "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets"),
    ("I", "last_data_sent last_ack_sent last_data_recv last_ack_recv pmtu rcv_ssthresh rtt rttvar"),
    ("I", "snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans"),
    ("Q", "pacing_rate max_pacing_rate bytes_acked bytes_received"),
    ("I", "segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out"),
    ("Q", "delivery_rate busy_time rwnd_limited sndbuf_limited"),
    ("I", "delivered delivered_ce"),
    ("Q", "bytes_sent bytes_retrans"),
    ("I", "dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash"),
    ("H", "total_rto total_rto_recoveries"),
    ("I", "total_rto_time"),
)


def _layout() -> tuple[tuple[str, str, int], ...]:
    """Name, format and offset of each field behind the eight octets at the front."""
    fields: list[tuple[str, str, int]] = []
    at = 8
    for code, names in _WORDS:
        size = struct.calcsize("=" + code)
        for name in names.split():
            fields.append((name, code, at))
            at += size
    return tuple(fields)


_FIELDS: Final = _layout()
_END: Final = _FIELDS[-1][2] + 4
_ALL: Final = struct.Struct("=" + "".join(code for _, code, _ in _FIELDS))

OPTION_BITS: Final = {"timestamps": 1, "sack": 2, "wscale": 4, "ecn": 8, "ecn_seen": 16, "syn_data": 32}
"""Bits of the field `options`: what both ends agreed to use on this connection."""

SIZE: Final = 512
"""Octets to ask getsockopt for: more than any kernel has."""


def parse(raw: bytes) -> dict[str, int]:
    """The fields that `raw` holds, by their names without `tcpi_`. Times are in microseconds (rto, ato, rtt …) or
    milliseconds (last_…), as the kernel gives them; an older kernel's shorter structure gives fewer fields.

    `snd_wscale` and `rcv_wscale` are the shift counts of RFC 7323 §2.2.
    """
    info: dict[str, int] = dict(zip(_OCTETS, raw, strict=False))
    if len(raw) > 6:
        info["snd_wscale"] = raw[6] & 0xF
        info["rcv_wscale"] = raw[6] >> 4
    if len(raw) >= _END:
        info.update(zip((name for name, _, _ in _FIELDS), _ALL.unpack_from(raw, 8), strict=True))
        return info
    for name, code, at in _FIELDS:
        if at + struct.calcsize("=" + code) > len(raw):
            break
        info[name] = struct.unpack_from("=" + code, raw, at)[0]
    return info
