"""`lab ladder`: a scenario or a capture; text, Mermaid, SVG; what is refused, and how it ends."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from lab.scenario.record import Verdict
from lab.tcp.segment import Segment, flags_from
from lab.tcp.sequence import Seq
from lab.testbed.errors import CannotRun
from lab.wire.codec import encode
from lab.wire.pcapng import PcapngWriter

ARP = bytes.fromhex("ffffffffffff02000000000208060001080006040001020000000002c0000202000000000000c0000201")

LADDER = """\
two.pcapng
3 segments of 2 connections
connection A: client 192.0.2.1:40000, server 192.0.2.2:80
first numbers of connection A: client 100, server 200 (both shown as 0)
connection B: client 192.0.2.1:40001, server 192.0.2.2:80
first numbers of connection B: client 100, server not known

   time    #       client │                                       │ server
0.00 ms A  1     SYN-SENT │── SYN      seq 0 ────────────────────►│ SYN-RECEIVED
1.00 ms A  2  ESTABLISHED │◄─ SYN+ACK  seq 0  ack 1 ──────────────│ SYN-RECEIVED
2.00 ms B  3     SYN-SENT │── SYN      seq 0 ────────────────────►│
"""


def frame(ours: bool, flags: str, port: int = 40000) -> bytes:
    """A segment of the client's or the server's, with their first numbers."""
    seq, ack = (100, 0) if ours else (200, 101)
    a, b = ("192.0.2.1", port), ("192.0.2.2", 80)
    if not ours:
        a, b = b, a
    return encode(
        Segment(flags_from(flags), Seq(seq), Seq(ack)), source=a[0], destination=b[0], sport=a[1], dport=b[1],
        source_mac=b"\2\0\0\0\0\1", destination_mac=b"\2\0\0\0\0\2",
    )  # fmt: skip


@pytest.fixture
def capture(home: Path) -> Path:
    """A capture of two connections."""
    path = Path("two.pcapng")
    with PcapngWriter(path) as writer:
        for n, one in enumerate((frame(True, "S"), frame(False, "SA"), frame(True, "S", 40001))):
            writer.write(one, 1_700_000_000 + n / 1000)
    return path


def test_a_capture_in_text(lab, capture: Path) -> None:
    done = lab("ladder", "two.pcapng", COLUMNS="80")
    assert (done.exit_code, done.stdout) == (0, LADDER)
    assert lab("ladder", "two.pcapng", "--text", COLUMNS="80").stdout == LADDER


def test_the_width_that_is_asked_for(lab, capture: Path) -> None:
    for width in (60, 120):
        lines = lab("ladder", "two.pcapng", "--width", str(width)).stdout.splitlines()
        assert max(map(len, lines)) <= width
    assert "RFC" not in lab("ladder", "two.pcapng", "--width", "60").stdout
    assert lab("ladder", "two.pcapng", "--width", "59").exit_code == 2


def test_one_connection(lab, capture: Path) -> None:
    done = lab("ladder", "two.pcapng", "--connection", "B")
    assert "client 192.0.2.1:40001   server 192.0.2.2:80" in done.stdout
    assert "SYN+ACK" not in done.stdout
    wrong = lab("ladder", "two.pcapng", "--connection", "C")
    told = "lab: --connection C: two.pcapng has no such connection, there are A, B\n"
    assert (wrong.exit_code, wrong.stdout, wrong.stderr) == (2, "", told)


def test_as_mermaid(lab, capture: Path) -> None:
    lines = lab("ladder", "two.pcapng", "--mermaid").stdout.splitlines()
    assert lines[:4] == ["```mermaid", "sequenceDiagram", "    title two.pcapng", "    participant client as client"]
    assert lines[-1] == "```"
    assert "    client->>server: A#58; SYN seq 0" in lines


def test_as_svg(lab, capture: Path) -> None:
    done = lab("ladder", "two.pcapng", "--svg")
    root = ET.fromstring(done.stdout)
    assert done.exit_code == 0
    assert "SYN+ACK" in "".join(root.itertext())
    scaled = lab("ladder", "two.pcapng", "--svg", "--to-scale").stdout
    assert "to scale" in scaled
    assert "to scale" not in done.stdout


def test_into_a_file(lab, capture: Path) -> None:
    for option, name, begins in (
        ("--svg", "a/b.svg", "<svg"),
        ("--mermaid", "a.md", "```mermaid\n"),
        ("--mermaid", "a.mmd", "sequenceDiagram\n"),
        ("--text", "a.txt", "two.pcapng\n"),
    ):
        done = lab("ladder", "two.pcapng", option, "--out", name)
        assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
        assert Path(name).read_text(encoding="utf-8").startswith(begins)
    done = lab("ladder", "two.pcapng", "--svg", "--out", ".")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "that is a folder: name a file with --out" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-"], "lab ladder reads no packets from standard input: name a capture's file, or a scenario"),
        (["two.pcapng", "--svg", "--mermaid"], "--mermaid and --svg: say one of them"),
        (["two.pcapng", "--to-scale"], "--to-scale is for a picture: say --svg too"),
        (
            ["two.pcapng", "--svg", "--width", "80"],
            "--width is for the ladder in text, and --svg has a width of its own: leave it out",
        ),
        (["two.pcapng", "--ipv6"], "--ipv6 says how a scenario is run, and two.pcapng is a capture: leave it out"),
        (["none.pcapng"], "there is no file none.pcapng: name a capture, or a scenario (`lab list` shows them)"),
        (["arp.pcapng"], "arp.pcapng holds no TCP segment: `lab layers arp.pcapng` shows what it holds"),
        (["odd.pcap"], "odd.pcap: this is neither a pcap nor a pcapng file: it is too short"),
        (["."], ". is a folder: name one of its captures, such as arp.pcapng"),
    ],
)
def test_what_is_refused(lab, capture: Path, words: list[str], sentence: str) -> None:
    with PcapngWriter("arp.pcapng") as writer:
        writer.write(ARP, 0.0)
    Path("odd.pcap").write_bytes(b"odd")
    done = lab("ladder", *words)
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"lab: {sentence}\n")


@pytest.mark.parametrize("option", ["--text", "--svg"])
def test_a_capture_that_is_cut_short(lab, capture: Path, option: str) -> None:
    Path("cut.pcapng").write_bytes(capture.read_bytes()[:-9])
    done = lab("ladder", "cut.pcapng", option)
    assert done.exit_code == 3
    assert "SYN+ACK" in done.stdout
    where = done.stdout if option == "--text" else done.stderr
    assert "read only so far: the capture is cut short" in where


def test_frames_that_are_not_tcp(lab, capture: Path) -> None:
    with PcapngWriter("both.pcapng") as writer:
        writer.write(ARP, 0.0)
        writer.write(frame(True, "S"), 0.001)
    assert "ARP request" not in lab("ladder", "both.pcapng").stdout
    assert "ARP request" in lab("ladder", "both.pcapng", "--frames").stdout


def test_a_scenario_is_run_now(lab, runner) -> None:
    done = lab("ladder", "handshake/first", "--ipv6", "--seed", "7")
    assert done.exit_code == 0
    assert done.stdout.startswith("handshake/first over IPv6")
    plan = runner.plans[0]
    assert (plan.families, plan.seed, plan.testbed) == (("ipv6",), 7, "sandbox")
    assert "handshake means 2 scenarios" in lab("ladder", "handshake").stderr


@pytest.mark.parametrize("option", ["--text", "--mermaid", "--svg"])
def test_it_ends_as_the_run_does(lab, runner, option: str) -> None:
    for verdict, code in ((Verdict.VIOLATES, 1), (Verdict.INCONCLUSIVE, 3), (Verdict.PERMITTED, 0)):
        runner.verdicts = {"handshake/first": verdict}
        done = lab("ladder", "handshake/first", option)
        assert done.exit_code == code
        assert ("something was not as it should be" in done.stdout) is (code != 0)


def test_where_no_sandbox_can_be_had(lab, runner) -> None:
    runner.raises = CannotRun("No namespaces here.", "Try sudo.")
    done = lab("ladder", "handshake/first", "--svg")
    assert (done.exit_code, done.stdout, done.stderr) == (3, "", "lab: No namespaces here. Try sudo.\n")


@pytest.mark.parametrize("option", ["--text", "--mermaid", "--svg"])
def test_an_output_that_has_but_ascii(capture: Path, option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab", "ladder", "two.pcapng", option],
        capture_output=True, check=True, env={"PYTHONIOENCODING": "ascii", "PATH": ""},
    )  # fmt: skip
    assert done.stdout.isascii()
    assert b"SYN+ACK" in done.stdout


def test_nothing_heavy_is_imported_for_a_capture(capture: Path) -> None:
    code = (
        "import sys; from lab.cli.ladder import Asked, show_ladder; show_ladder(Asked('two.pcapng', form='svg')); "
        "print(sorted({'scapy', 'wsproto', 'websockets', 'h11'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_names_are_completed(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab"], capture_output=True, text=True, check=False,
        env={"_LAB_COMPLETE": "complete_bash", "COMP_WORDS": "lab ladder teardown/cl", "COMP_CWORD": "2", "PATH": ""},
    )  # fmt: skip
    assert "teardown/client_first" in done.stdout
