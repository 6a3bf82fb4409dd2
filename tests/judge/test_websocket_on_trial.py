"""The judge of WebSocket on trial: servers broken on purpose draw *violates*, the honest ones draw nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab.scenario.catalogue import load
from lab.scenario.declare import Scenario
from lab.scenario.needs import Needs
from lab.scenario.record import Result, Verdict
from lab.scenario.runner import Plan, run

BROKEN = Path(__file__).parent.parent / "broken"
sys.path.append(str(BROKEN))

from websocket_servers import BREAKAGES, HONEST, entry_point  # noqa: E402

FINE = {Verdict.CONFORMS, Verdict.PERMITTED, Verdict.DEVIATES}
FAMILIES = ("ipv4", "ipv6")


def playable() -> list[Scenario]:
    """The scenarios that any WebSocket server that echoes can be put to."""
    return [s for s in load(("websocket",)) if not s.slow and s.needs in (Needs.WEBSOCKET, Needs.ECHO)]


def results(server: str, scenarios: list[Scenario], families: tuple[str, ...] = FAMILIES) -> list[Result]:
    options = {"serve": entry_point(server), "path": [str(BROKEN)], "program": True, "echoes": True}
    return run(Plan(scenarios, families, testbed_options=options, seed=7)).results  # type: ignore[arg-type]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("server", HONEST)
def test_an_honest_server_draws_no_violation(server: str, family: str, sandbox_works: None) -> None:
    scenarios = playable()
    assert scenarios
    for result in results(server, scenarios, (family,)):
        assert result.verdict in FINE, (result.name, result.family, result.problems)
        assert result.checks > 0
        assert result.witnesses == ("wire", "socket", "model")


@pytest.mark.parametrize("server", [b.name for b in BREAKAGES.values() if b.caught_by])
def test_a_broken_server_draws_a_violation_that_names_the_field(server: str, sandbox_works: None) -> None:
    breakage = BREAKAGES[server]
    scenarios = [s for s in playable() if s.name.rpartition("/")[2] in breakage.caught_by]
    assert len(scenarios) == len(breakage.caught_by)
    for result in results(server, scenarios):
        assert result.verdict is Verdict.VIOLATES, (result.name, result.family, result.verdict, result.problems)
        problem = result.problems[0]
        assert problem.field in breakage.fields, (result.name, problem)
        assert problem.message
        assert problem.section
        assert problem.file.endswith(f"{result.name}.py")
        assert problem.source in Path(problem.file).read_text()
        assert problem.expected != problem.observed
        assert problem.wire
        assert problem.socket
        assert problem.model
