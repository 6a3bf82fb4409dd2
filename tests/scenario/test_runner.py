"""Many scenarios at once: order, families, ends that were not meant."""

from __future__ import annotations

import os
import signal
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
        "interrupts": "    raise KeyboardInterrupt",
        "generator": "    raise GeneratorExit",
        "own_stop": (
            "    from lab.scenario.errors import Stopped\n"
            "    from lab.scenario.record import Problem, Verdict\n"
            "    raise Stopped(Problem(Verdict.VIOLATES, 'no'))"
        ),
        "thread": (
            "    import threading\n"
            "    def work(): raise ValueError('in a thread')\n"
            "    t = threading.Thread(target=work); t.start(); t.join()"
        ),
        "closes": "    os.closerange(3, 1000)",
        "closes_and_stays": "    os.closerange(3, 1000)\n    while True: pass",
        "endless_thread": ("    import threading, time\n    threading.Thread(target=time.sleep, args=[600]).start()"),
        "forks": "    if not os.fork(): return\n    os.wait()",
        "deletes": "    os.unlink(__file__)\n    raise ValueError('gone')",
        "loud": (
            "    print('one'); sys.stdout.flush(); os.write(1, b'two\\n'); os.system('echo three')\n    print('four')"
        ),
        "flags": "    peer.send(TCP(flags='XQ'))",
        "stays": "    while True: pass",
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
    [
        ("killed", "was killed by SIGKILL"),
        ("left", "ended with code 7"),
        ("exits", "the script itself failed: SystemExit: 1"),
        ("interrupts", "the script itself failed: KeyboardInterrupt"),
        ("generator", "the script itself failed: GeneratorExit"),
        ("own_stop", "the script itself failed: Stopped: no"),
        ("thread", "a thread of the script failed: ValueError: in a thread"),
        ("closes", "the script closed file descriptors that are not its own, the lab's among them"),
        ("closes_and_stays", "the script closed file descriptors that are not its own, the lab's among them"),
        ("deletes", "the script itself failed: ValueError: gone"),
        ("flags", "the script itself failed: Scapy knows no such flags as 'XQ': TCP's are F, S, R, P, A, U, E, C and"),
    ],
)
def test_a_run_that_ends_as_it_should_not_is_inconclusive(
    stories: Path, name: str, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    done = told(stories, name, families=("ipv4",))
    assert [r.verdict for r in done.results] == [Verdict.INCONCLUSIVE]
    assert words in done.results[0].problems[0].message
    assert done.exit_code == 3
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "line"), [("exits", 11), ("interrupts", 11), ("thread", 12), ("flags", 11)])
def test_the_scripts_mistake_has_its_line(stories: Path, name: str, line: int) -> None:
    (problem,) = told(stories, name, families=("ipv4",)).results[0].problems
    assert problem.line == line
    assert problem.source == (stories / "family" / f"{name}.py").read_text().splitlines()[line - 1].strip()


@pytest.mark.parametrize("name", ["endless_thread", "forks"])
def test_what_a_script_leaves_running_holds_nobody_up(stories: Path, name: str) -> None:
    done = told(stories, name, families=("ipv4",))
    assert [(r.verdict, r.problems) for r in done.results] == [(Verdict.CONFORMS, [])]
    assert done.seconds < 20


def test_what_a_script_prints_goes_to_standard_error(stories: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert told(stories, "loud", families=("ipv4",)).exit_code == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert sorted(err.split()) == ["four", "one", "three", "two"]


def test_ctrl_c_is_the_parents_to_answer(stories: Path, capfd: pytest.CaptureFixture[str]) -> None:
    parent = os.getpid()

    def send() -> None:
        for child in Path("/proc/self/task").glob("*/children"):
            for pid in map(int, child.read_text().split()):
                if Path(f"/proc/{pid}/cmdline").read_bytes() == Path(f"/proc/{parent}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGINT)
                    sent.append(pid)
        if len(sent) > 3:
            raise KeyboardInterrupt

    sent: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        run(Plan(load(["stays"], stories), families=("ipv4",)), on_tick=send)
    assert len(set(sent)) == 1  # it outlived the first of them
    assert not Path(f"/proc/{sent[0]}").exists()
    assert capfd.readouterr() == ("", "")


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
