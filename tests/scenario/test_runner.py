"""Many scenarios at once: order, families, ends that were not meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.scenario.catalogue import load
from lab.scenario.errors import UsageError
from lab.scenario.record import Result, Run, Verdict
from lab.scenario.runner import Plan, run

HEAD = """
import os, signal, sys
from scapy.layers.inet import TCP
from lab.scenario import scenario

@scenario("A story", documents=["RFC 9293 §3.5"], evidence_for=["9293-3.5-fig6-B"])
def story(peer, server):
    "Told."
    server.listen()
    peer.open()
"""


@pytest.fixture
def stories(tmp_path: Path, sandbox_works: None) -> Path:
    folder = tmp_path / "family"
    folder.mkdir()
    for name, end in {
        "good": "",
        "killed": "    os.kill(os.getpid(), signal.SIGKILL)",
        "left": "    os._exit(7)",
        "exits": "    sys.exit(1)",
        "wrong": "    peer.expect(TCP(flags='R'), within=0.05)",
    }.items():
        (folder / f"{name}.py").write_text(HEAD + end + "\n")
    return tmp_path


def told(root: Path, *names: str, **more: object) -> Run:
    return run(Plan(load(names, root), **more))  # type: ignore[arg-type]


def test_every_scenario_over_each_family_in_the_plans_order(stories: Path) -> None:
    started: list[tuple[str, str]] = []
    ended: list[Result] = []
    plan = Plan(load(["good", "wrong"], stories), seed=3)
    done = run(plan, on_start=lambda *a: started.append(a), on_result=ended.append)
    expected = [(f"family/{n}", f) for n in ("good", "wrong") for f in ("ipv4", "ipv6")]
    assert [(r.name, r.family) for r in done.results] == expected
    assert sorted(started) == sorted((r.name, r.family) for r in ended) == sorted(expected)
    assert done.summary == {Verdict.CONFORMS: 2, Verdict.VIOLATES: 2}
    assert done.exit_code == 1
    assert done.seed == 3


def test_numbers_wrap_in_the_first_family_of_each(stories: Path) -> None:
    both = told(stories, "good")
    assert [r.isns["A"][0] == 2**32 - 1 for r in both.results] == [True, False]
    alone = told(stories, "good", families=("ipv6",))
    assert [r.isns["A"][0] == 2**32 - 1 for r in alone.results] == [True]


@pytest.mark.parametrize(
    ("name", "words"),
    [("killed", "was killed by SIGKILL"), ("left", "ended with code 7"), ("exits", "SystemExit: 1")],
)
def test_a_run_that_ends_without_a_word_is_inconclusive(stories: Path, name: str, words: str) -> None:
    done = told(stories, name, families=("ipv4",))
    assert [r.verdict for r in done.results] == [Verdict.INCONCLUSIVE]
    assert words in done.results[0].problems[0].message
    assert done.exit_code == 3


def test_fail_fast_leaves_the_rest(stories: Path) -> None:
    done = told(stories, "wrong", "good", families=("ipv4",), jobs=1, fail_fast=True)
    assert [(r.name, r.verdict) for r in done.results] == [("family/wrong", Verdict.VIOLATES)]


def test_nothing_to_run_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="nothing to run"):
        run(Plan([]))


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (["conforms"], 0),
        (["permitted", "deviates"], 0),
        (["conforms", "cannot run"], 0),
        (["conforms", "violates", "inconclusive"], 1),
        (["conforms", "inconclusive"], 3),
        (["cannot run"], 3),
        ([], 3),
    ],
)
def test_exit_codes(verdicts: list[str], code: int) -> None:
    results = [Result("n", "t", "ipv4", Verdict(v)) for v in verdicts]
    assert Run("0", "sandbox", "", 0, results).exit_code == code
