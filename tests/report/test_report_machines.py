"""What machines read: JSON, JUnit, captures, and files that are whole or not there."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.report.captures import capture_path, comment_of, write_capture
from lab.report.files import CannotWrite, folder_for, write_whole
from lab.report.json_report import document, dumps
from lab.report.junit import junit
from lab.scenario.record import Call, Packet, Result, Run
from lab.wire import pcapng

PROMISED = ["version", "testbed", "kernel", "seed", "scenarios", "summary"]
PROMISED_OF_A_SCENARIO = [
    "name", "title", "family", "verdict", "seconds", "packets", "checks", "capture", "problems", "documents",
]  # fmt: skip


def test_json_has_the_promised_keys_first(mixed: Run) -> None:
    told = json.loads(dumps(document(mixed)))
    assert list(told)[:6] == PROMISED
    assert all(list(scenario)[:10] == PROMISED_OF_A_SCENARIO for scenario in told["scenarios"])
    assert told["summary"] == {
        "conforms": 2, "permitted": 0, "deviates": 1, "violates": 2, "inconclusive": 1, "cannot run": 1,
    }  # fmt: skip
    assert told["exit_code"] == 1


def test_json_tells_a_problem_in_full(violating: Result) -> None:
    told = json.loads(dumps(document(Run("0.1.0", "sandbox", "6.1.0", 42, [violating]))))["scenarios"][0]
    assert (told["verdict"], told["packets"], told["family"]) == ("violates", 3, "ipv4")
    problem = told["problems"][0]
    assert (problem["field"], problem["expected"], problem["observed"], problem["frame"]) == ("ack", "1", "2", 3)
    assert problem["verdict"] == "violates"


def test_json_tells_the_time_line_when_asked(conforming: Result) -> None:
    run = Run("0.1.0", "sandbox", "", 1, [conforming])
    assert "timeline" not in document(run)["scenarios"][0]
    told = json.loads(dumps(document(run, timeline=True)))["scenarios"][0]["timeline"]
    assert [entry["kind"] for entry in told] == ["call", "packet", "packet", "packet", "check", "packet", "call"]
    assert told[3]["flags"] == ["SYN", "ACK"]
    assert (told[3]["seq"], told[3]["ack"], told[3]["server_state"]) == (0, 1, "SYN-RECEIVED")


def test_json_can_be_ascii(violating: Result) -> None:
    run = Run("0", "sandbox", "", 1, [violating])
    assert dumps(document(run), ascii_only=True).isascii()
    assert "§" in dumps(document(run))


@pytest.mark.parametrize("ascii_only", [False, True])
def test_json_is_valid_whatever_it_tells(ascii_only: bool) -> None:
    text = dumps({"a": "\x00\x1b\x7f\x9b § 😀 \ud800."}, ascii_only=ascii_only)
    assert json.loads(text.encode("ascii" if ascii_only else "utf-8")) == {"a": "\x00\x1b\x7f\x9b § 😀 \ufffd."}
    assert not [c for c in text if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0]


def test_junit_counts_and_names(mixed: Run) -> None:
    root = ElementTree.fromstring(junit(mixed, now=1_700_000_000).split("\n", 1)[1])
    assert root.tag == "testsuites"
    assert [(s.get("name"), s.get("tests"), s.get("failures"), s.get("errors"), s.get("skipped")) for s in root] == [
        ("handshake", "5", "2", "0", "0"),
        ("teardown", "2", "0", "1", "1"),
    ]
    assert root[0].get("timestamp") == "2023-11-14T22:13:18"
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert set(cases) == {
        "three_segments[ipv4]", "three_segments[ipv6]", "wrong_ack[ipv4]", "wrong_ack[ipv6]", "repeated_syn[ipv4]",
        "lost[ipv4]", "lost[ipv6]",
    }  # fmt: skip
    failure = cases["wrong_ack[ipv4]"].find("failure")
    assert failure is not None
    assert failure.get("type") == "violates"
    assert "expected 1    observed 2" in (failure.text or "")
    assert "◄─ SYN+ACK" in (failure.text or "")
    skipped = cases["lost[ipv6]"].find("skipped")
    assert skipped is not None
    assert "cannot run" in skipped.get("message", "")
    error = cases["lost[ipv4]"].find("error")
    assert error is not None
    assert "inconclusive" in error.get("message", "")
    assert "deviates: a repeated SYN" in cases["repeated_syn[ipv4]"].findtext("system-out", "")
    assert len(cases["three_segments[ipv4]"]) == 0


def test_junit_survives_any_text(violating: Result) -> None:
    violating.problems[0].message = "data \x00\x1b\ud800 <&> ]]> \uffff"
    root = ElementTree.fromstring(junit(Run("0", "sandbox", "", 1, [violating])).split("\n", 1)[1])
    assert "<&> ]]>" in next(root.iter("failure")).get("message", "")


def test_a_capture_tells_its_story(tmp_path: Path, violating: Result) -> None:
    write_capture(violating, tmp_path / "out")
    path = tmp_path / "out/handshake/wrong_ack-ipv4.pcapng"
    assert violating.capture == str(path)
    packets = list(pcapng.read_pcapng(path))
    assert [frame for _, frame, _ in packets] == [p.frame for p in violating.packets]
    assert packets[2][0] == pytest.approx(1_700_000_000.00034, abs=1e-6)
    assert packets[0][2] == "before: the server's program: listen()\nserver → lab\nARP: who has 198.51.100.2?"
    assert packets[1][2] == ("lab → server\nSYN seq 0\nnow: lab SYN-SENT, server SYN-RECEIVED\nrule: RFC 9293 §3.5")
    assert packets[2][2] == (
        "server → lab\nSYN+ACK seq 0 ack 2\nnow: lab SYN-SENT, server SYN-RECEIVED\nrule: RFC 9293 §3.5\n"
        "CHECK FAILED: the server's SYN+ACK does not acknowledge our SYN (ack: expected 1, observed 2) "
        "[RFC 9293 §3.5] scenarios/handshake/three_segments.py:22"
    )


def test_calls_stand_with_the_packet_before_them(conforming: Result) -> None:
    last = conforming.packets[-1]
    calls = [Call(1, 4, "call", "close()"), Call(2, 4, "check", "silence")]
    comment = comment_of(last, conforming, before=[], after=calls)
    assert comment.splitlines()[-2:] == ["then: the server's program: close()", "then: held: silence"]


def test_a_strangers_frame_is_told(conforming: Result) -> None:
    stray = Packet(9, 1.0, 1.0, "kernel", b"", summary="RST")
    assert comment_of(stray, conforming, before=[], after=[]).startswith("the lab's own kernel sent this, not the lab")


def test_a_capture_replaces_an_older_one(tmp_path: Path, conforming: Result) -> None:
    path = capture_path(tmp_path, conforming)
    path.parent.mkdir(parents=True)
    path.write_text("old")
    write_capture(conforming, tmp_path)
    assert len(list(pcapng.read_pcapng(path))) == 4
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_run_without_packets_leaves_no_capture_of_another(tmp_path: Path, conforming: Result) -> None:
    write_capture(conforming, tmp_path)
    path = Path(conforming.capture)
    assert path.is_file()
    conforming.timeline, conforming.capture = [], ""
    write_capture(conforming, tmp_path)
    assert not path.exists()
    assert conforming.capture == ""


def test_a_name_cannot_leave_the_folder(tmp_path: Path, conforming: Result) -> None:
    conforming.name = "../../etc/passwd"
    assert capture_path(tmp_path, conforming) == tmp_path / "etc/passwd-ipv4.pcapng"


def test_a_full_disk_leaves_nothing(tmp_path: Path, conforming: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: pcapng.PcapngWriter, *args: object, **more: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pcapng.PcapngWriter, "write", full)
    with pytest.raises(CannotWrite, match="no space left on device; make room or choose another place with --out"):
        write_capture(conforming, tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    assert conforming.capture == ""


def test_write_whole_replaces_at_once_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "new/report.xml"
    write_whole(path, "one", option="--junit")
    write_whole(path, "two §", option="--junit")
    assert path.read_text(encoding="utf-8") == "two §"
    assert [p.name for p in path.parent.iterdir()] == ["report.xml"]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_write_whole_takes_devices_and_says_what_they_say() -> None:
    write_whole(Path("/dev/null"), "x", option="--junit")
    with pytest.raises(CannotWrite, match=r"cannot write /dev/full: no space left on device; .* with --junit"):
        write_whole(Path("/dev/full"), "x", option="--junit")


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_in_the_way_is_told(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="choose another place with --out"):
        folder_for(tmp_path / place, option="--out")


def test_a_folder_is_tried_without_a_trace(tmp_path: Path) -> None:
    folder_for(tmp_path / "out", option="--out")
    assert list((tmp_path / "out").iterdir()) == []
