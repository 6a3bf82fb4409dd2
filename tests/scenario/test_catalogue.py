"""Scenarios are found, and say what they rest on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.requirements import requirements
from lab.scenario.catalogue import home, load, names
from lab.scenario.declare import Scenario
from lab.scenario.errors import UsageError

ALL = load()


def test_there_is_a_story_for_each_that_was_promised() -> None:
    assert len([s for s in ALL if s.name.startswith("handshake/")]) >= 14
    assert len([s for s in ALL if s.name.startswith("teardown/")]) >= 12


@pytest.mark.parametrize("scenario", ALL, ids=lambda s: s.name)
def test_a_scenario_names_its_documents_and_known_requirements(scenario: Scenario) -> None:
    assert scenario.title
    assert not scenario.title.endswith(".")
    assert scenario.description
    assert scenario.documents
    assert all(d.startswith("RFC ") for d in scenario.documents)
    assert scenario.evidence_for
    unknown = [one for one in scenario.evidence_for if one not in requirements()]
    assert not unknown
    unseen = [one for one in scenario.evidence_for if requirements()[one].observable == "no"]
    assert not unseen
    assert scenario.function.__name__ == scenario.path.stem


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


GOOD = """
from lab.scenario import scenario

@scenario("A story", documents=["RFC 9293 §3.5"])
def story(peer, server):
    "Told."
"""


def test_names_globs_folders_and_last_parts_find_the_same() -> None:
    assert [s.name for s in load(["handshake/three_segments"])] == ["handshake/three_segments"]
    assert [s.name for s in load(["three_segments"])] == ["handshake/three_segments"]
    assert [s.name for s in load([str(home() / "handshake" / "three_segments.py")])] == ["handshake/three_segments"]
    in_folder = [s.name for s in load(["teardown"])]
    assert in_folder == [s.name for s in load(["teardown/*"])] == [s.name for s in load([str(home() / "teardown")])]
    assert {s.name for s in load(["fin_*"])} == {n for n in names() if n.split("/")[-1].startswith("fin_")}


def test_a_word_that_names_nothing_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="no scenario, file or folder is called three_segment: did you mean three_seg"):
        load(["three_segment"])
    with pytest.raises(UsageError, match="`lab list` shows them all"):
        load(["qqqqqqqq"])


def test_two_of_the_same_name_must_be_told_apart(folder: Callable[[str, str], Path], tmp_path: Path) -> None:
    folder("a/story.py", GOOD)
    folder("b/story.py", GOOD)
    with pytest.raises(UsageError, match="a/story or b/story"):
        load(["story"], tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "declares no scenario"),
        (GOOD + GOOD.replace("def story", "def other"), "declares 2 scenarios"),
        ("def broken(:", r"broken.py:1 cannot be read: SyntaxError"),
        ("import os\nraise RuntimeError('no')", r"broken.py:2 cannot be read: RuntimeError: no"),
        ("x = 1\0", r"broken.py cannot be read: (Syntax|Value)Error: source code string cannot contain null bytes"),
        ("raise SystemExit(0)", r"broken.py:1 cannot be read: SystemExit: 0"),
        ("import sys\nsys.exit()", r"broken.py:2 cannot be read: SystemExit$"),
        ("raise BaseException('mine')", r"broken.py:1 cannot be read: BaseException: mine"),
        (
            "class Mute(Exception):\n    def __str__(self):\n        return 1 / 0\nraise Mute",
            r"broken.py:4 cannot be read: Mute: \(and its words cannot be had: ZeroDivisionError\)",
        ),
        (
            GOOD.replace('["RFC 9293 §3.5"]', '"RFC 9293"'),
            r"broken.py:4: documents is a list: write documents=\['RFC 9293'\]",
        ),
        (GOOD.replace("]", '], evidence_for="MUST-13"'), r"evidence_for is a list: write evidence_for=\['MUST-13'\]"),
        (GOOD.replace("]", "], evidence_for=[13]"), r'evidence_for is a list of texts such as \["MUST-13"\], not'),
        (GOOD.replace("]", "], evidence_for=['MUST-133']"), r"broken.py:4: .* the id 'MUST-133': did you mean MUST-"),
        (GOOD.replace("]", "], evidence_for=['?']"), r"has the id '\?': the tables in lab/requirements have them all"),
        (GOOD.replace('"A story"', "7"), r"broken.py:4: title is one line of text, not 7"),
        (GOOD.replace("]", "], takes=float('nan')"), r"broken.py:4: takes is a number of seconds, not nan"),
    ],
)
def test_a_file_that_tells_no_story_is_refused(
    folder: Callable[[str, str], Path], tmp_path: Path, text: str, complaint: str
) -> None:
    folder("family/broken.py", text)
    with pytest.raises(UsageError, match=complaint):
        load(["family/broken"], tmp_path)


def test_ctrl_c_while_a_file_is_read_ends_the_lab(folder: Callable[[str, str], Path], tmp_path: Path) -> None:
    folder("family/asks.py", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(["family/asks"], tmp_path)


def test_what_a_file_prints_goes_to_standard_error(
    folder: Callable[[str, str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = "import os\nprint('one')\nos.write(1, b'two\\n')\nos.system('echo three')\n"
    folder("family/loud.py", noise + GOOD)
    load(["family/loud"], tmp_path)
    os.write(1, b"the report\n")
    told = capfd.readouterr()
    assert told.out == "the report\n"
    assert sorted(told.err.split()) == ["one", "three", "two"]


def test_a_source_in_another_encoding_is_told(folder: Callable[[str, str], Path], tmp_path: Path) -> None:
    path = folder("family/latin.py", "")
    path.write_bytes(b"# -*- coding: latin-1 -*-" + GOOD.replace("§", "\xa7").encode("latin-1"))
    (scenario,) = load(["family/latin"], tmp_path)
    assert scenario.documents == ("RFC 9293 §3.5",)
    assert "§3.5" in scenario.source


def test_finding_names_imports_no_scapy() -> None:
    import subprocess
    import sys

    code = "import sys; from lab.scenario.catalogue import names; names(); sys.exit('scapy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
