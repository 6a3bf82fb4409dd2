"""`lab layers`: a capture or a scenario, a list or pages, and what cannot be read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.scenario.record import Verdict
from lab.testbed.errors import CannotRun
from lab.wire.pcapng import PcapngWriter

SYN = bytes.fromhex(
    "02000000000102000000000208004500002800004000400600 00c0000202c0000201"
    "9c401ba800000000000000005002040000000000".replace(" ", "")
)
"""Ethernet 14, IPv4 20, TCP 20."""
ARP = bytes.fromhex("ffffffffffff02000000000208060001080006040001020000000002c0000202000000000000c0000201")


@pytest.fixture
def capture(home: Path) -> Path:
    """A capture of two packets."""
    path = Path("two.pcapng")
    with PcapngWriter(path) as writer:
        writer.write(ARP, 1_700_000_000.0)
        writer.write(SYN, 1_700_000_000.002)
    return path


def test_a_capture_as_a_list(lab, capture: Path) -> None:
    done = lab("layers", "two.pcapng")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "two.pcapng  2 packets"
    assert "1 0.00 ms       42  E14 A28" in done.stdout
    assert "2 2.00 ms  ►    54  E14 I20 T20  SYN seq 0" in done.stdout
    assert "--packet N" in lines[-1]


@pytest.mark.parametrize("number", ["2", "-1"])
def test_one_packet_as_a_page(lab, capture: Path, number: str) -> None:
    done = lab("layers", "two.pcapng", "--packet", number)
    assert done.exit_code == 0
    assert "packet 2 of 2  2.00 ms  54 octets  connection 1" in done.stdout
    assert "4  Transport     Transport    T TCP                          20  34 to 53" in done.stdout
    assert "packet 1 of 2" not in done.stdout


def test_every_packet_as_a_page(lab, capture: Path) -> None:
    done = lab("layers", "two.pcapng", "--all")
    assert [f"packet {n} of 2" in done.stdout for n in (1, 2)] == [True, True]


@pytest.mark.parametrize("number", ["0", "3", "-3"])
def test_a_packet_that_is_not_there(lab, capture: Path, number: str) -> None:
    done = lab("layers", "two.pcapng", "--packet", number)
    assert (done.exit_code, done.stdout) == (2, "")
    told = f"lab: --packet {number}: there is no such packet, two.pcapng has 2 packets that can be shown\n"
    assert done.stderr == told


def test_as_json(lab, capture: Path) -> None:
    told = json.loads(lab("layers", "two.pcapng", "--json").stdout)
    assert told["capture"] == "two.pcapng"
    assert [[(x["name"], x["octets"]) for x in p["layers"]] for p in told["packets"]] == [
        [("Ethernet", 14), ("ARP", 28)],
        [("Ethernet", 14), ("IPv4", 20), ("TCP", 20)],
    ]
    assert [p["number"] for p in json.loads(lab("layers", "two.pcapng", "-p", "2", "--json").stdout)["packets"]] == [2]


def test_a_capture_that_is_damaged_is_shown_as_far_as_it_goes(lab, capture: Path) -> None:
    Path("cut.pcapng").write_bytes(capture.read_bytes()[:-9])
    done = lab("layers", "cut.pcapng")
    assert done.exit_code == 3
    assert done.stdout.startswith("cut.pcapng  1 packet\n")
    assert "read only so far: the capture is cut short" in done.stdout


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "this is neither a pcap nor a pcapng file: it is too short"),
        (b"garbage" * 100, "this is neither a pcap nor a pcapng file: it begins otherwise"),
        (bytes.fromhex("d4c3b2a1020004000000000000000000ffff000071000000"), "the capture's link type is 113"),
    ],
)
def test_no_capture_at_all(lab, home: Path, content: bytes, sentence: str) -> None:
    Path("odd.pcap").write_bytes(content)
    done = lab("layers", "odd.pcap")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"lab: odd.pcap: {sentence}")


def test_an_empty_capture(lab, home: Path) -> None:
    with PcapngWriter("empty.pcapng"):
        pass
    done = lab("layers", "empty.pcapng")
    assert done.exit_code == 0
    assert "no packet" in done.stdout
    assert lab("layers", "empty.pcapng", "--all").exit_code == 0
    assert lab("layers", "empty.pcapng", "-p", "1").exit_code == 2


def test_a_file_that_is_not_there_and_a_name_that_means_none(lab, home: Path) -> None:
    done = lab("layers", "nowhere.pcapng")
    assert done.exit_code == 2
    told = "lab: there is no file nowhere.pcapng: name a capture, or a scenario (`lab list` shows them)\n"
    assert done.stderr == told
    assert "no scenario, file or folder is called nowhere" in lab("layers", "nowhere").stderr
    assert "handshake means 2 scenarios" in lab("layers", "handshake").stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--ipv6"], "--ipv6 says how a scenario is run, and two.pcapng is a capture: leave it out"),
        (["--seed", "0"], "--seed says how a scenario is run, and two.pcapng is a capture: leave it out"),
        (
            ["-6", "--seed", "7"],
            "--ipv6 and --seed say how a scenario is run, and two.pcapng is a capture: leave them out",
        ),
        (["--all", "--packet", "1"], "--all shows each packet, --packet some: say one of them"),
    ],
)
def test_options_that_mean_nothing_here(lab, capture: Path, options: list[str], sentence: str) -> None:
    done = lab("layers", "two.pcapng", *options)
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"lab: {sentence}\n")


def test_a_folder_of_captures(lab, capture: Path) -> None:
    Path("out/deep").mkdir(parents=True)
    assert "the folder out holds no scenario" in lab("layers", "out").stderr
    capture.rename("out/deep/two.pcapng")
    done = lab("layers", "out")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "lab: out is a folder: name one of its captures, such as out/deep/two.pcapng\n"


def test_a_scenario_is_run_now(lab, runner) -> None:
    done = lab("layers", "handshake/first", "--ipv6", "--seed", "7")
    assert done.exit_code == 0
    assert done.stdout.startswith("handshake/first over IPv6  1 packet  ✓ conforms  seed 7\n")
    plan = runner.plans[0]
    assert (plan.families, plan.seed, plan.testbed) == (("ipv6",), 7, "sandbox")
    told = json.loads(lab("layers", "handshake/first", "--json").stdout)
    assert (told["scenario"], told["verdict"], told["packets"][0]["octets"]) == ("handshake/first", "conforms", 60)


def test_a_scenario_that_does_not_conform_ends_as_its_run(lab, runner) -> None:
    runner.verdicts = {"handshake/first": Verdict.VIOLATES}
    done = lab("layers", "handshake/first")
    assert done.exit_code == 1
    assert "something was not as it should be" in done.stdout


def test_where_no_sandbox_can_be_had(lab, runner) -> None:
    runner.raises = CannotRun("No namespaces here.", "Try sudo.")
    done = lab("layers", "handshake/first")
    assert (done.exit_code, done.stdout, done.stderr) == (3, "", "lab: No namespaces here. Try sudo.\n")


def test_nothing_heavy_is_imported_for_a_capture(capture: Path) -> None:
    code = (
        "import sys; from lab.cli.layers import Asked, show_layers; show_layers(Asked('two.pcapng')); "
        "print(sorted({'scapy', 'wsproto', 'websockets', 'h11'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
