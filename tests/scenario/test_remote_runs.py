"""`lab run` between two hosts: the lab on one, `lab serve` on the other, a wire between them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def lab(*arguments: str, families: str = "ipv4,ipv6") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(HERE / "lab_on_two_hosts.py"), families, *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)


def on_host(*arguments: str) -> list[str]:
    return [
        "run", *arguments, "--testbed", "host", "--interface", "lab0", "--agent", "198.51.100.1:CONTROL", "--json",
    ]  # fmt: skip


def host(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return lab(*on_host(*arguments), **more)


def target(*arguments: str, port: int = 7007, address: str = "198.51.100.1") -> subprocess.CompletedProcess[str]:
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return lab("run", *arguments, "--testbed", "target", "--interface", "lab0", "--target", where, "--json")


def verdicts(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    document: dict[str, Any] = json.loads(run.stdout)
    return {verdict: count for verdict, count in document["summary"].items() if count}


TWICE = '''
from pathlib import Path

from lab.scenario import Peer, Server, scenario


@scenario("Twice", documents=["RFC 9293 §3.6.1"])
def twice(peer: Peer, server: Server) -> None:
    """The first time on A, the second on B, so that A is not used at all."""
    site, again = server.websocket("/echo"), Path("again")
    ws = (peer.another() if again.exists() else peer).websocket(site)
    ws.open()
    ws.leave()
    again.touch()
'''


@pytest.fixture(autouse=True)
def _in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox_works: None) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(HERE.parents[1]))


def test_every_fast_scenario_against_another_hosts_agent() -> None:
    run = host("--jobs", "3")  # other tests keep this machine busy already
    wrong = [
        s for s in json.loads(run.stdout)["scenarios"] if s["verdict"] in ("violates", "inconclusive", "cannot run")
    ]
    assert run.returncode == 0, [(s["name"], s["family"], s["problems"]) for s in wrong]
    assert set(verdicts(run)) == {"conforms", "permitted", "deviates"}
    document = json.loads(run.stdout)
    assert document["testbed"] == "host"
    assert {s["family"] for s in document["scenarios"]} == {"ipv4", "ipv6"}


def test_what_an_earlier_run_has_left_in_time_wait_is_not_taken_for_this_runs() -> None:
    # The same seed chooses the same port for A, and the server's kernel remembers that connection for a minute.
    Path("twice.py").write_text(TWICE)
    one = on_host("twice.py", "--seed", "7")
    run = lab(*one, "THEN", *one, families="ipv4")
    document = json.loads(run.stdout)
    assert run.returncode == 0, [(s["name"], s["family"], s["problems"]) for s in document["scenarios"]]
    assert verdicts(run) == {"conforms": 1}


def test_a_family_that_the_other_host_lacks_is_left_out_with_a_word() -> None:
    run = host("three_segments", families="ipv4")
    assert run.returncode == 0
    assert [s["family"] for s in json.loads(run.stdout)["scenarios"]] == ["ipv4"]


@pytest.mark.parametrize("address", ["198.51.100.1", "2001:db8::1"])
def test_an_unmodified_target_is_tried_with_what_needs_no_agent(address: str) -> None:
    run = target(address=address)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr
    scenarios = json.loads(run.stdout)["scenarios"]
    assert len(scenarios) >= 6
    assert {s["verdict"] for s in scenarios} <= {"conforms", "permitted", "deviates"}


def test_a_target_where_nothing_listens_is_a_sentence() -> None:
    run = target("three_segments", port=7008)
    assert (run.returncode, run.stdout) == (3, "")
    assert "Nothing listens on 198.51.100.1 port 7008" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_public_target_is_refused_before_anything_is_sent() -> None:
    run = target("three_segments", address="203.0.114.1")
    assert (run.returncode, run.stdout) == (3, "")
    assert "--i-may-test-this-target" in run.stderr


def test_an_agent_that_is_not_there_is_a_sentence() -> None:
    run = lab("run", "--testbed", "host", "--interface", "lab0", "--agent", "198.51.100.1:9")
    assert run.returncode == 3
    assert "is `lab serve` running there?" in run.stderr
