"""A session on another host, and at a target that knows nothing of the lab: what needs an agent says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from processes import ROOT

pytestmark = pytest.mark.usefixtures("sandbox_works")
PROGRAM = ROOT / "tests" / "scenario" / "lab_on_two_hosts.py"
HOST = ["--testbed", "host", "--interface", "lab0", "--agent", "198.51.100.1:CONTROL"]


def explore(typed: str, out: Path, *words: str) -> tuple[int, str]:
    """The exit code, and all that was said, as words."""
    command = [sys.executable, str(PROGRAM), "ipv4,ipv6", "explore", "--seed", "1", "--out", str(out), *words]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def at(address: str) -> list[str]:
    return ["--testbed", "target", "--interface", "lab0", "--target", address]


WHOLE = 'syn\nack\nserver accept\ndata "x"\nserver recv\nfin\nserver close\nack\nnew\nsyn\nrst\n'


@pytest.mark.parametrize("family", [[], ["--ipv6"]], ids=["ipv4", "ipv6"])
def test_another_host_with_an_agent(tmp_path: Path, family: list[str]) -> None:
    code, said = explore(WHOLE, tmp_path, *HOST, *family)
    assert code == 0, said
    assert "✓ conforms" in said or "permitted" in said
    assert "program reads b'x'" in said
    assert "wire, socket and model agree" in said


def test_websocket_on_another_host(tmp_path: Path) -> None:
    code, said = explore('ws open\nws text "hello"\nws ping "p"\nack\nws close 1000\nfin\n', tmp_path, *HOST)
    assert code == 0, said
    assert 'TEXT fin len 5 "hello"' in said
    assert 'PONG fin len 1 "p"' in said


def test_what_is_saved_there_is_a_scenario(tmp_path: Path) -> None:
    story = tmp_path / "story.py"
    code, said = explore(WHOLE + f"save {story}\n", tmp_path, *HOST)
    assert code == 0, said
    done = subprocess.run(
        [sys.executable, "-m", "lab", "run", str(story), "--out", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_target_is_played_by_its_segments(tmp_path: Path) -> None:
    code, said = explore('syn\nack\ndata "hello"\nack\nfin\nack\n', tmp_path, *at("198.51.100.1:7007"))
    assert code == 0, said
    assert '"hello"' in said
    assert "wire and model agree" in said
    assert "cannot be asked" in said


@pytest.mark.parametrize(
    "line",
    ["server listen", "server stop", "server accept", "server connect", "server send x", "server recv",
     "server shutdown", "server close", "server abort", "new closed"],
)  # fmt: skip
def test_what_needs_an_agent_says_so(tmp_path: Path, line: str) -> None:
    code, said = explore(f"syn\nack\n{line}\n", tmp_path, *at("198.51.100.1:7007"))
    assert code == 2, said
    assert "nobody can" in said
    assert "Traceback" not in said


def test_a_target_that_speaks_websocket(tmp_path: Path) -> None:
    typed = 'ws open\nws text "hello"\nack\nws close 1000\nfin\n'
    code, said = explore(typed, tmp_path, *at("ws://198.51.100.1:7080/echo"))
    assert code == 0, said
    assert 'TEXT fin len 5 "hello"' in said
    code, said = explore(typed, tmp_path, *at("198.51.100.1:7007"))
    assert code == 2
    assert "this target is no WebSocket server: `--target ws://HOST:PORT/PATH` names one" in said


def test_others_are_left_alone(tmp_path: Path) -> None:
    code, said = explore('send IP(dst="198.51.100.77")/TCP(flags="S")\n', tmp_path, *at("198.51.100.1:7007"))
    assert code == 2
    assert "Only the server at 198.51.100.1 may be sent to here" in said
