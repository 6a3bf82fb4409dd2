"""tshark and the lab, on the same capture: the same headers at the same octets."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from handmade import ACK, HELLO, MASKED_HELLO, PSH, SYN, X, ether, ip4, ip6, opened, ours, tcp, theirs

from lab.layers import dissect_run
from lab.wire.pcapng import PcapngWriter

Header = tuple[str, int, int]
NAMES = {
    "eth": "Ethernet",
    "vlan": "802.1Q",
    "arp": "ARP",
    "ip": "IPv4",
    "ipv6": "IPv6",
    "tcp": "TCP",
    "http": "HTTP",
    "websocket": "WebSocket",
}
"""tshark's names, and the lab's."""


def by_tshark(path: Path) -> list[list[Header]]:
    """Name, first octet and length of each header in each packet."""
    command = ["tshark", "-n", "-r", str(path), "-d", "tcp.port==7080,http", "-T", "pdml"]
    told = subprocess.run(command, capture_output=True, check=True).stdout
    return [
        [
            (NAMES[name], int(proto.get("pos", "0")), int(proto.get("size", "0")))
            for proto in packet.findall("proto")
            if (name := proto.get("name", "")) in NAMES
        ]
        for packet in ElementTree.fromstring(told).findall("packet")
    ]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_finds_the_same_headers(tmp_path: Path) -> None:
    data = bytes.fromhex("827e00c8") + bytes(200)
    frames = [
        *opened(),
        ours(SYN, 9000, 0, options=bytes.fromhex("020405b40402080a00000007000000000103030700000000")),
        ours(PSH | ACK, 161, 130, MASKED_HELLO),
        theirs(PSH | ACK, 130, 161, HELLO),
        theirs(PSH | ACK, 137, 172, data),
        ours(PSH | ACK, 172, 341, MASKED_HELLO * 3),
        theirs(PSH | ACK, 341, 205, bytes.fromhex("880203e8")),
        ether(ip6(tcp(SYN, 0, v6=True, options=bytes.fromhex("020405a0"))), 0x86DD),
        ether(bytes.fromhex("0001080006040001020000000002c6336402000000000000c6336401"), 0x0806),
        ether(bytes.fromhex("00050800") + ip4(tcp(SYN, X + 99)), 0x8100),
        ether(ip4(tcp(SYN, X + 99), options=bytes.fromhex("94040000")), 0x0800),
    ]
    # The SYN with options is another connection's: it would end the first.
    frames[5] = frames[5].replace((40000).to_bytes(2), (40001).to_bytes(2))
    frames = [frame + bytes(max(0, 60 - len(frame))) for frame in frames]
    with PcapngWriter(tmp_path / "all.pcapng") as writer:
        for i, frame in enumerate(frames):
            writer.write(frame, 1_700_000_000 + i)
    theirs_told = by_tshark(tmp_path / "all.pcapng")
    ours_told = [
        [(layer.name, layer.start, layer.octets) for layer in layers if layer.name in NAMES.values()]
        for layers in dissect_run(frames)
    ]
    assert ours_told == theirs_told
    assert sum(name == "WebSocket" for layers in ours_told for name, *_ in layers) == 7
