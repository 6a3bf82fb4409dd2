"""The stories of `scenarios/layers` can fail: with one number changed, each does, and names both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.scenario.catalogue import files, home, load
from lab.scenario.record import Result, Verdict
from lab.scenario.runner import Plan, run

STORIES = [path for path in files(home()) if path.parent.name == "layers"]
MUTATIONS = {
    "syn": ("20 + 4 + 2 + 10 + 1 + 3", "20 + 4 + 2 + 10 + 1 + 4"),
    "http_request": ("len(line) + 2 for", "len(line) + 1 for"),
    "switching_protocols": ("*http, frame", '*http, ("WebSocket", 1), frame'),
    "masked_frame": ('("WebSocket", 2 + 4)', '("WebSocket", 2)'),
    "server_frame": ('("WebSocket", 2), ("Payload", 12)', '("WebSocket", 6), ("Payload", 8)'),
    "ipv6_packet": ('("Payload", 12)', '("Payload", 13)'),
    "fragmented_ipv4": ('("TCP", 4), ("Payload", 12)', '("IPv4 fragment", 16)'),
}
"""For each story, what is changed in it, and into what."""


def played(path: Path) -> Result:
    """One run over IPv4."""
    plan = Plan(scenarios=load([str(path)]), families=("ipv4",), testbed="sandbox", seed=3)
    return run(plan).results[0]


@pytest.mark.usefixtures("sandbox_works")
@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_one_number_changed(story: Path, tmp_path: Path) -> None:
    before, after = MUTATIONS[story.stem]
    script = story.read_text(encoding="utf-8")
    assert before in script
    wrong = tmp_path / f"{story.stem}.py"
    wrong.write_text(script.replace(before, after, 1), encoding="utf-8")
    result = played(wrong)
    assert result.verdict is Verdict.VIOLATES
    (problem,) = result.problems
    assert problem.field == "layers"
    assert problem.frame is not None
    assert problem.expected != problem.observed
    assert re.match(r"Ethernet 14 \+ IPv4 20 \+ TCP \d+", problem.observed)
