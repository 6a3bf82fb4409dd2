"""What the README shows is true: its scenario runs as it is printed, its commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from lab.scenario.catalogue import load
from lab.scenario.record import Verdict
from lab.scenario.runner import Plan, run

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_scenario_runs_as_printed(tmp_path: Path, sandbox_works: None) -> None:
    (text,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "@scenario" in block]
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "old_duplicate.py").write_text(text)
    done = run(Plan(load([str(folder)])))
    assert [r.verdict for r in done.results] == [Verdict.CONFORMS] * 2, [r.problems for r in done.results]


def test_its_commands_and_options_exist() -> None:
    helps = {}
    for command in set(re.findall(r"\blab (run|list|show|layers|doctor|serve|bench)\b", README)):
        shown = subprocess.run(
            [sys.executable, "-m", "lab", command, "--help"], capture_output=True, text=True, check=True
        )
        helps[command] = shown.stdout
    assert set(helps) == {"run", "list", "show", "layers", "doctor", "serve", "bench"}
    commands = [line.split("#")[0] for line in README.splitlines() if line.startswith("    ")]
    for line in commands:
        if match := re.search(r"\blab (run|serve|layers) (.*)", line):
            for option in re.findall(r"--[a-z0-9-]+", match[2]):
                assert option in helps[match[1]], line


def test_no_figure_is_left_out() -> None:
    assert not re.search(r"^[A-Z]{4,}$", README, re.M)
