"""`lab list`, `lab show`, `lab --version`, `lab --help`, completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import __version__
from lab.cli.options import complete_name
from lab.scenario.record import Verdict
from lab.testbed.errors import CannotRun


def test_list_tells_each_scenario(lab, home: Path) -> None:
    assert lab("list").stdout.splitlines() == [
        "handshake/",
        "  first       The story of first",
        "              RFC 9293 §3.5",
        "  open_ended  The story of open_ended",
        "              RFC 9293 §3.5",
        "",
        "teardown/",
        "  long        The story of long",
        "              RFC 9293 §3.5  slow, 61.0 s",
        "",
        "3 scenarios, 1 of them slow. `lab show NAME` tells one, `lab run NAME` runs it.",
    ]


def test_list_as_json(lab, home: Path) -> None:
    told = json.loads(lab("list", "teardown", "--json").stdout)["scenarios"]
    assert [(s["name"], s["slow"], s["takes"], s["documents"]) for s in told] == [
        ("teardown/long", True, 61.0, ["RFC 9293 §3.5"])
    ]


def test_list_of_nothing_is_wrong_usage(lab, home: Path) -> None:
    assert lab("list", "moon").exit_code == 2


def test_show_tells_the_story_and_runs_it(lab, runner) -> None:
    runner.verdicts = {"handshake/first": Verdict.VIOLATES}
    done = lab("show", "first", "--ipv6", "--seed", "3")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[:7] == [
        "The story of first",
        "handshake/first",
        "",
        "What happens, in two lines.",
        "",
        "documents    RFC 9293 §3.5",
        "",
    ]
    assert '  12      peer.send(TCP(flags="S"))' in lines
    assert any(line.startswith("handshake/first over IPv6") for line in lines)
    assert "✗ something was not as it should be" in lines
    assert runner.plans[0].seed == 3


def test_show_without_running(lab, runner) -> None:
    done = lab("show", "first", "--no-run")
    assert (done.exit_code, runner.plans) == (0, [])
    assert "peer.send" in done.stdout


def test_show_tells_the_story_where_nothing_can_run(lab, runner) -> None:
    runner.raises = CannotRun("No namespaces here.", "Try sudo.")
    done = lab("show", "first")
    assert done.exit_code == 3
    assert "What happens, in two lines." in done.stdout
    assert done.stderr == "lab: No namespaces here. Try sudo.\n"


def test_show_wants_one(lab, home: Path) -> None:
    done = lab("show", "handshake")
    assert done.exit_code == 2
    assert done.stderr == ("lab: handshake means 2 scenarios (handshake/first, handshake/open_ended): name one\n")


def test_completion_knows_names_and_folders(home: Path) -> None:
    assert complete_name("hand") == ["handshake", "handshake/first", "handshake/open_ended"]
    assert complete_name("teardown/") == ["teardown/long"]
    assert complete_name("x") == []


def test_version(lab) -> None:
    assert lab("--version").stdout == f"lab {__version__}\n"


@pytest.mark.parametrize("command", [[], ["run"], ["list"], ["show"], ["doctor"], ["serve"]])
def test_help_of_every_command(command: list[str], lab) -> None:
    done = lab(*command, "--help")
    assert done.exit_code == 0
    assert "Usage: lab" in done.stdout


def test_help_tells_how_verdicts_become_junit_and_exit_codes(lab) -> None:
    assert "violates is a failure" in " ".join(lab("run", "--help").stdout.replace("│", " ").split())
    assert "3 something could not be concluded, or nothing run" in " ".join(lab("--help").stdout.split())


def run_python(code: str, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **options.pop("env", {})}  # type: ignore[dict-item]
    command = [sys.executable, *options.pop("python", ()), "-c", code, *words]  # type: ignore[misc]
    return subprocess.run(command, text=True, capture_output=True, env=environment, check=False, **options)  # type: ignore[call-overload,no-any-return]


MAIN = "from lab.cli import main; main()"


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (["--help"], {}),
        (["run", "--help"], {}),
        (["--version"], {}),
        ([], {"_LAB_COMPLETE": "complete_bash", "COMP_WORDS": "lab run hand", "COMP_CWORD": "2"}),
    ],
)
def test_help_and_completion_import_nothing_heavy(words: list[str], environment: dict[str, str]) -> None:
    done = run_python(MAIN, *words, env=environment, python=["-X", "importtime"])
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "typer" in imported
    assert not {name for name in imported if name.split(".")[0] in ("scapy", "pyroute2", "asyncio")}
    assert "lab.scenario.runner" not in imported
    if environment:
        assert "handshake/three_segments" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["--help"]])
def test_an_output_that_takes_no_more_is_one_sentence(words: list[str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (3, "lab: cannot write the output: no space left on device\n")


def test_a_reader_that_leaves_is_no_violation() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "list"], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (141, "")
