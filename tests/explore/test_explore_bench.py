"""How long a person waits: `pytest tests/explore/test_explore_bench.py -n0 --benchmark-group-by=group`.

Measured side by side in one run, and asserted by nothing: beside other tests each is only done once.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hand import Hand
from pytest_benchmark.fixture import BenchmarkFixture

SEGMENTS = 40
"""Of what a session has behind it when its steps are measured."""


def _to_the_first_prompt(out: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab", "explore", "--out", str(out)],
        input="quit\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "listen()" in done.stdout


def _import_of_scapy() -> None:
    subprocess.run([sys.executable, "-c", "from scapy.layers.inet import TCP"], check=True)


@pytest.mark.benchmark(group="start-up")
def test_start_up_with_a_sandbox_and_the_first_panel(
    benchmark: BenchmarkFixture, sandbox_works: None, tmp_path: Path
) -> None:
    benchmark.pedantic(_to_the_first_prompt, args=(tmp_path,), rounds=5)


@pytest.mark.benchmark(group="start-up")
def test_start_up_of_python_and_scapy_alone(benchmark: BenchmarkFixture) -> None:
    benchmark.pedantic(_import_of_scapy, rounds=5)


@pytest.fixture
def opened(hand: Hand) -> Hand:
    hand.do("syn", "ack")
    for _ in range(SEGMENTS):
        hand.do('replay TCP(flags="A", seq=x+1, ack=y+1)')
    return hand


@pytest.mark.benchmark(group="a step")
def test_a_step_with_its_panel(benchmark: BenchmarkFixture, opened: Hand) -> None:
    benchmark.pedantic(opened.do, args=("ack",), rounds=20)


@pytest.mark.benchmark(group="a step")
def test_a_step_with_the_ladder_alone(benchmark: BenchmarkFixture, opened: Hand) -> None:
    opened.shell.view.panel = False
    benchmark.pedantic(opened.do, args=("ack",), rounds=20)


@pytest.mark.benchmark(group="a step")
def test_the_same_segment_in_a_scenario(benchmark: BenchmarkFixture, opened: Hand) -> None:
    from scapy.layers.inet import TCP

    peer = opened.session.hand.peer
    peer.connection.inbox.clear()
    benchmark.pedantic(lambda: (peer.send(TCP(flags="A")), peer.expect_silence()), rounds=20)
