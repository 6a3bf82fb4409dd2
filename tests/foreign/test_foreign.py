"""The stories of WebSocket against servers that we did not write: the verdicts, and the table of them in the README."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.requirements import not_shown

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.append(str(HERE))

import table  # noqa: E402  from this folder

SERVERS = {row["server"]: row for row in table.rows("servers.csv")}
ADDRESSES = {"ipv4": "198.51.100.1", "ipv6": "[2001:db8::1]"}
BY_CHANCE = {"ws-resets"}
"""What turns on whether the server has read all before it closes: its kernel sends a RST where it has not."""


def play(server: str, family: str, *stories: str) -> list[dict[str, Any]]:
    """What `lab run` finds at the server, a document's scenarios."""
    for need in SERVERS[server]["needs"].split():
        there = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") if need == "nginx" else (
            importlib.util.find_spec(need)
        )  # fmt: skip
        if not there:
            pytest.skip(f"{need} is not installed")
    words = [
        *("run", *stories, "--testbed", "target", "--interface", "lab0", "--json", "-v", "--echo", "--jobs", "4"),
        *("--target", f"ws://{ADDRESSES[family]}:8080/echo"),
    ]
    program = [sys.executable, str(HERE / "rig.py"), SERVERS[server]["program"], *words]
    run = subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in run.stderr
    assert run.stdout, run.stderr
    document = json.loads(run.stdout)
    assert run.returncode == (1 if document["summary"]["violates"] else 0), run.stderr
    scenarios: list[dict[str, Any]] = document["scenarios"]
    assert {one["family"] for one in scenarios} == {family}
    return scenarios


@pytest.fixture(autouse=True)
def _in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def told(one: dict[str, Any]) -> str:
    """What the verdict rests on: the field of the first problem, or the permitted choices."""
    if one["problems"]:
        return str(one["problems"][0]["field"])
    chance = BY_CHANCE | ({"old-edge"} if we_repeated_ourselves(one) else set())
    return " ".join(sorted({remark["choice"] for remark in one["remarks"]} - chance))


def we_repeated_ourselves(one: dict[str, Any]) -> bool:
    """Whether a timer of ours ran out on a busy machine: what a kernel does with a whole repeat is its kernel's choice,
    which nobody sees where nothing is repeated.
    """
    text = [
        (entry["connection"], entry["seq"], entry["length"])
        for entry in one["timeline"]
        if entry["kind"] == "packet" and entry["sender"] == "peer" and entry["length"]
    ]
    return len(set(text)) < len(text)


@pytest.mark.parametrize("family", ADDRESSES)
@pytest.mark.parametrize("server", SERVERS)
def test_a_server_does_what_the_table_says(server: str, family: str, sandbox_works: None) -> None:
    found = play(server, family, "websocket")
    assert [one["name"] for one in found] == table.stories()
    expected = {
        row["scenario"]: (row["verdict"], row["told"]) for row in table.rows("expected.csv") if row["server"] == server
    }
    observed = {one["name"]: (one["verdict"], told(one)) for one in found}
    plain = [("conforms", ""), ("permitted", "")]  # what is permitted only by chance
    assert {name: verdict for name, verdict in observed.items() if verdict not in plain} == expected, [
        (one["name"], one["problems"][0]["message"]) for one in found if one["problems"]
    ]


def test_ports_that_the_server_remembers_are_opened_afresh(sandbox_works: None) -> None:
    (one,) = play("aiohttp", "ipv4", str(HERE / "stories" / "same_port_again.py"))
    assert one["verdict"] == "conforms", one["problems"]


def test_the_readme_has_the_table() -> None:
    readme = (ROOT / "scenarios" / "websocket" / "README.md").read_text(encoding="utf-8")
    for part in (table.counts(), table.deviations()):
        assert part in readme, "put there what `python tests/foreign/table.py` prints"


def test_the_table_is_in_order() -> None:
    names = set(table.stories())
    for row in table.rows("expected.csv"):
        assert row["server"] in SERVERS
        assert row["scenario"] in names
        assert row["verdict"] in ("permitted", "violates")
        assert row["told"]
        assert bool(row["does"] and row["says"]) is (row["verdict"] == "violates")


def test_the_readme_tells_no_tales() -> None:
    readme = (ROOT / "scenarios" / "websocket" / "README.md").read_text(encoding="utf-8")
    run = [sys.executable, "-m", "lab", "run", "--help"]
    shown = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    for option in re.findall(r"--(?!rm\b)[a-z][a-z-]+", readme):
        assert option in shown
    for path in re.findall(r"`((?:tests|lab)/[^`: ]+)`", readme):
        assert list(ROOT.glob(path)), path
    for id_ in not_shown():
        assert not id_.startswith("6455") or f"`{id_}`" in readme
