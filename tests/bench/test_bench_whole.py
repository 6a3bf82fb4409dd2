"""`lab bench` as it is: real connections, counted; ended in the middle; as an ordinary user; wrong usage."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from processes import ROOT, running

from lab.bench import measure
from lab.bench.contestants import FAST, KERNEL, SCENARIO, SR1
from lab.bench.messages import HAND, LIBRARY

BENCH = ["-W", "error", "-c", "from lab.cli import main; main()", "bench"]
NOBODY = 65534
PATIENCE = 60


def bench(*options: str, python: str = sys.executable, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), *more.pop("site", [])]), "PATH": os.environ["PATH"]}
    return subprocess.run(
        [python, *BENCH, *options],
        cwd="/",
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **more,
    )


def check(document: dict[str, Any], family: str) -> None:
    """The numbers hang together: each rate from counted connections, each ratio from the medians."""
    assert document["family"] == family
    assert [each["name"] for each in document["contestants"]] == [SCENARIO, FAST, SR1, KERNEL]
    medians = {}
    for each in document["contestants"]:
        rates = [turn["connections"] / turn["seconds"] for turn in each["per_second"]["rounds"]]
        assert len(rates) == document["rounds"]
        assert min(turn["connections"] for turn in each["per_second"]["rounds"]) >= 1
        assert each["connections"] == sum(turn["connections"] for turn in each["per_second"]["rounds"])
        assert each["per_second"]["lowest"] == min(rates)
        assert each["per_second"]["highest"] == max(rates)
        medians[each["name"]] = each["per_second"]["median"]
        assert min(rates) <= each["per_second"]["median"] <= max(rates)
    assert set(document["ratios"]) == {SCENARIO, SR1, KERNEL}
    for name, ratio in document["ratios"].items():
        assert ratio == pytest.approx(medians[FAST] / medians[name])
    assert document["machine"]["kernel"].startswith("Linux")
    said = document["messages"]
    assert [each["name"] for each in said["contestants"]] == [
        HAND, LIBRARY, "by hand, 32 ahead", "websockets, 32 ahead",
    ]  # fmt: skip
    for each in said["contestants"]:
        rates = [turn["messages"] / turn["seconds"] for turn in each["per_second"]["rounds"]]
        assert len(rates) == document["rounds"]
        assert each["messages"] == sum(turn["messages"] for turn in each["per_second"]["rounds"]) >= len(rates)
        assert min(rates) <= each["per_second"]["median"] <= max(rates)
        medians[each["name"]] = each["per_second"]["median"]
    assert said["ratios"] == {
        LIBRARY: pytest.approx(medians[HAND] / medians[LIBRARY]),
        "websockets, 32 ahead": pytest.approx(medians["by hand, 32 ahead"] / medians["websockets, 32 ahead"]),
    }


def test_over_ipv4_as_json(sandbox_works: None) -> None:
    done = bench("--json", "--seconds", "0.05", "--rounds", "2")
    assert (done.returncode, done.stderr) == (0, "")
    check(json.loads(done.stdout), "ipv4")


def test_over_ipv6(sandbox_works: None) -> None:
    from lab.bench.told import document

    said: list[str] = []
    result = measure("ipv6", seconds=0.05, rounds=1, on_turn=lambda name, number: said.append(name))
    check(document(result), "ipv6")
    assert len(said) == 16


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be another user")
def test_as_an_ordinary_user(sandbox_works: None) -> None:
    """With whatever Python that user can run, and the packages of this one."""
    import shutil

    import scapy

    site = [str(Path(scapy.__file__).parent.parent)]
    for python in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        try:
            who: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "site": site}
            done = bench("--json", "--seconds", "0.02", "--rounds", "1", python=python or "", **who)
        except OSError:
            continue
        if "No module named" in done.stderr or "SyntaxError" in done.stderr:
            continue
        if "does not let the lab make network namespaces" in done.stderr:
            pytest.skip(f"ordinary users may not, here: {done.stderr}")
        assert (done.returncode, done.stderr) == (0, "")
        check(json.loads(done.stdout), "ipv4")
        return
    pytest.skip("an ordinary user can run no Python 3.11, or cannot read the lab's folder")


def descendants(pid: int) -> set[int]:
    """All processes below one."""
    found: set[int] = set()
    todo = [pid]
    while todo:
        for tasks in Path(f"/proc/{todo.pop()}/task").glob("*/children"):
            try:
                children = {int(child) for child in tasks.read_text().split()}
            except OSError:
                continue
            todo += children
            found |= children
    return found


def wait_until(holds: Any) -> bool:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (signal.SIGINT, 130, "lab: interrupted\n"),
        (signal.SIGTERM, 143, "lab: ended by SIGTERM\n"),
        (signal.SIGKILL, -9, ""),
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else "",
)
def test_ended_in_the_middle_it_leaves_nothing(number: int, code: int, says: str, sandbox_works: None) -> None:
    command = [sys.executable, *BENCH, "--seconds", "60", "--json"]
    with running(command, cwd=ROOT) as process:
        # The zygote, the sandbox's server, and the four helpers.
        assert wait_until(lambda: len(descendants(process.pid)) == 6 or process.poll() is not None)
        below = descendants(process.pid)
        assert len(below) == 6
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (code, "", says)
    assert wait_until(lambda: all(gone(pid) for pid in below))


@pytest.mark.parametrize("options", [["--rounds", "0"], ["--seconds", "0"], ["--seconds", "much"], ["--faster"]])
def test_wrong_usage(options: list[str]) -> None:
    done = bench(*options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
