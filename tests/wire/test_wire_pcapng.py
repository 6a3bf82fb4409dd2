"""Captures: read by Scapy and tshark as the lab wrote them, and read by the lab as others wrote them."""

from __future__ import annotations

import gzip
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.utils import PcapWriter, RawPcapNgReader

from lab import __version__
from lab.tcp.segment import ACK, SYN, Segment
from lab.tcp.sequence import Seq
from lab.wire.codec import encode
from lab.wire.errors import CaptureError
from lab.wire.pcapng import PcapngWriter, read_capture, read_pcap, read_pcapng

US, SERVER = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
SYN_FRAME = encode(
    Segment(SYN, Seq(7)),
    source="198.51.100.2",
    destination="198.51.100.1",
    sport=40000,
    dport=80,
    source_mac=US,
    destination_mac=SERVER,
)
ACK_FRAME = encode(
    Segment(ACK, Seq(8), Seq(9), payload=b"odd"),
    source="2001:db8::2",
    destination="2001:db8::1",
    sport=40000,
    dport=80,
    source_mac=US,
    destination_mac=SERVER,
)
WHEN = 1_700_000_000.25
COMMENT = "lab → server\nSYN seq 0\nnow: lab SYN-SENT"


def _two_packets(path: Path) -> None:
    with PcapngWriter(path, interface="va") as writer:
        assert writer.write(SYN_FRAME, WHEN, COMMENT, outgoing=True) == 1
        assert writer.write(ACK_FRAME, WHEN + 0.5, outgoing=False) == 2


def test_octets_by_hand(tmp_path: Path) -> None:
    """An empty capture and one packet of five octets, as the format's draft lays them out (§4.1, §4.2, §4.3)."""
    path = tmp_path / "one.pcapng"
    with PcapngWriter(path) as writer:
        writer.write(b"\1\2\3\4\5", 1.5, "hi", outgoing=True)
    name = f"lab {__version__}".encode()
    filled = name + b"\0" * (-len(name) % 4)
    section = struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1) + struct.pack("=HH", 4, len(name)) + filled + bytes(4)
    interface = struct.pack("=HHI", 1, 0, 0) + struct.pack("=HHB3x", 9, 1, 9) + bytes(4)
    packet = (
        struct.pack("=IIIII", 0, 0, 1_500_000_000, 5, 5)
        + b"\1\2\3\4\5\0\0\0"
        + struct.pack("=HH2s2x", 1, 2, b"hi")
        + struct.pack("=HHI", 2, 4, 2)
        + bytes(4)
    )
    expected = b""
    for kind, body in ((0x0A0D0D0A, section), (1, interface), (6, packet)):
        size = struct.pack("=I", len(body) + 12)
        expected += struct.pack("=I", kind) + size + body + size
    assert path.read_bytes() == expected


def test_scapy_reads_it(tmp_path: Path) -> None:
    _two_packets(tmp_path / "two.pcapng")
    with RawPcapNgReader(str(tmp_path / "two.pcapng")) as reader:
        (first, about), (second, about_second) = list(reader)
    assert (first, second) == (SYN_FRAME, ACK_FRAME)
    assert (about.linktype, about.tsresol, about.wirelen) == (1, 1_000_000_000, len(SYN_FRAME))
    assert (about.tshigh << 32) + about.tslow == 1_700_000_000_250_000_000
    assert _text(about) == COMMENT
    assert (about.direction, about_second.direction) == (2, 1)
    assert _text(about_second) == ""


def _text(about: object) -> str:
    """Scapy 2.6 has one comment, 2.7 a list of them."""
    found = getattr(about, "comments", None) or getattr(about, "comment", None) or b""
    return (found[0] if isinstance(found, list) else found).decode()


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_shows_the_comments(tmp_path: Path) -> None:
    _two_packets(tmp_path / "two.pcapng")
    fields = ["frame.number", "frame.comment", "tcp.seq_raw", "tcp.checksum.status", "frame.packet_flags_direction"]
    told = subprocess.run(
        ["tshark", "-n", "-r", str(tmp_path / "two.pcapng"), "-o", "tcp.check_checksum:TRUE", "-T", "fields"]
        + [word for field in fields for word in ("-e", field)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    first, second = told.stdout.rstrip("\n").split("\n")[-2:]
    assert "SYN seq 0" in told.stdout
    assert first.split("\t")[2:4] == ["7", "1"]
    assert second.split("\t")[2:4] == ["8", "1"]


def test_it_reads_what_it_wrote(tmp_path: Path) -> None:
    _two_packets(tmp_path / "two.pcapng")
    expected = [(WHEN, SYN_FRAME, COMMENT), (WHEN + 0.5, ACK_FRAME, "")]
    assert list(read_pcapng(tmp_path / "two.pcapng")) == expected
    assert list(read_capture(tmp_path / "two.pcapng")) == expected


@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_classic_pcap(tmp_path: Path, endianness: str, nano: bool) -> None:
    path = tmp_path / "classic.pcap"
    with PcapWriter(str(path), linktype=1, nano=nano, endianness=endianness) as writer:
        writer.write_header(None)
        writer.write_packet(SYN_FRAME, sec=1_700_000_000, usec=250_000_000 if nano else 250_000)
        writer.write_packet(ACK_FRAME, sec=1_700_000_000, usec=750_000_000 if nano else 750_000)
    for read in (read_pcap, read_capture):
        found = list(read(path))
        assert [(frame, comment) for _, frame, comment in found] == [(SYN_FRAME, ""), (ACK_FRAME, "")]
        assert [when for when, _, _ in found] == pytest.approx([WHEN, WHEN + 0.5], abs=1e-6)


def _block(order: str, kind: int, body: bytes) -> bytes:
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_of_others(tmp_path: Path, order: str) -> None:
    """Both byte orders, two interfaces, ticks by ten and by two, an offset, blocks unknown, simple, obsolete."""
    tens = struct.pack(order + "HHI", 1, 0, 0) + struct.pack(order + "HHq", 14, 8, 1000) + bytes(4)
    twos = struct.pack(order + "HHI", 1, 0, 0) + struct.pack(order + "HHB3x", 9, 1, 0x80 | 10) + bytes(4)
    options = struct.pack(order + "HH4s", 1, 4, b"abcd") + struct.pack(order + "HH1s3x", 1, 1, b"e") + bytes(4)
    (tmp_path / "other.pcapng").write_bytes(
        _block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        + _block(order, 1, tens)
        + _block(order, 1, twos)
        + _block(order, 0xBAD, b"what?   ")
        + _block(order, 6, struct.pack(order + "IIIII", 0, 0, 2_500_000, 3, 9) + b"one\0" + options)
        + _block(order, 6, struct.pack(order + "IIIII", 1, 0, 1536, 4, 4) + b"two!")
        + _block(order, 2, struct.pack(order + "HHIIII", 1, 0, 0, 512, 4, 4) + b"old!")
        + _block(order, 3, struct.pack(order + "I", 5) + b"plain\0\0\0")
    )
    assert list(read_pcapng(tmp_path / "other.pcapng")) == [
        (1002.5, b"one", "abcd\ne"),
        (1.5, b"two!", ""),
        (0.5, b"old!", ""),
        (0.0, b"plain", ""),
    ]


def _raw_ip(path: Path) -> None:
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))


def _cut(path: Path) -> None:
    _two_packets(path)
    path.write_bytes(path.read_bytes()[:-5])


def _wrong_second_length(path: Path) -> None:
    _two_packets(path)
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b""), "neither"),
        (lambda path: path.write_bytes(b"GET / HTTP/1.1\r\nHost: nowhere\r\n"), "neither"),
        (lambda path: path.write_bytes(gzip.compress(bytes(range(256)))), "neither"),
        (_raw_ip, r"link type is 101, the lab reads Ethernet \(1\)"),
        (_cut, "cut short"),
        (_wrong_second_length, "two lengths differ"),
    ],
)
def test_what_is_no_capture_is_told(tmp_path: Path, make: Callable[[Path], object], words: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(CaptureError, match=words):
        list(read_capture(tmp_path / "x"))


@settings(
    deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4), size=st.integers(0, 500))
def test_damage_raises_nothing_else(tmp_path: Path, changes: list[tuple[int, int]], size: int) -> None:
    _two_packets(tmp_path / "good")
    octets = bytearray((tmp_path / "good").read_bytes())
    for at, value in changes:
        octets[at % len(octets)] = value
    (tmp_path / "bad").write_bytes(octets[:size])
    for read in (read_capture, read_pcapng, read_pcap):
        try:
            list(read(tmp_path / "bad"))
        except CaptureError as error:
            assert "capture" in str(error) or "pcap" in str(error)  # noqa: PT017  that it is said is the point


def test_the_file_has_its_name_only_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "late.pcapng"
    path.write_text("an older one")
    writer = PcapngWriter(path)
    writer.write(SYN_FRAME, WHEN)
    assert path.read_text() == "an older one"
    writer.close()
    writer.close()
    assert [frame for _, frame, _ in read_pcapng(path)] == [SYN_FRAME]
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="closed"):
        writer.write(SYN_FRAME, WHEN)


def test_readable_by_those_whom_the_umask_lets(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    _two_packets(tmp_path / "two.pcapng")
    assert (tmp_path / "two.pcapng").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_nothing_is_left_of_a_writer_that_failed(tmp_path: Path) -> None:
    def write_half() -> None:
        with PcapngWriter(tmp_path / "x.pcapng") as writer:
            writer.write(SYN_FRAME, WHEN)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_full_disk(tmp_path: Path) -> None:
    writer = PcapngWriter(tmp_path / "x.pcapng")
    assert writer._file is not None
    writer._file.close()
    writer._file = open("/dev/full", "wb")  # noqa: PTH123, SIM115  closed by discard()
    writer.write(SYN_FRAME, WHEN)
    with pytest.raises(OSError, match="No space left"):
        writer.close()
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PcapngWriter(tmp_path / "nowhere" / "x.pcapng")


def test_a_very_long_comment_is_cut_between_characters(tmp_path: Path) -> None:
    with PcapngWriter(tmp_path / "x.pcapng") as writer:
        writer.write(SYN_FRAME, WHEN, "→" * 40000)
    ((_, frame, comment),) = read_pcapng(tmp_path / "x.pcapng")
    assert (frame, comment) == (SYN_FRAME, "→" * 21845)
