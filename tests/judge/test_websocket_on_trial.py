"""The judge of WebSocket on trial: servers broken on purpose draw *violates*, the honest ones draw nothing."""

from __future__ import annotations

import pytest
from trial import BROKEN, draws_nothing, names_what_is_wrong
from websocket_servers import BREAKAGES, HONEST, entry_point

from lab.scenario.catalogue import load
from lab.scenario.declare import Scenario
from lab.scenario.needs import Needs
from lab.scenario.record import Result, Verdict
from lab.scenario.runner import Plan, run

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
    draws_nothing(results(server, playable(), (family,)))


@pytest.mark.parametrize("server", [b.name for b in BREAKAGES.values() if b.caught_by])
def test_a_broken_server_draws_a_violation_that_names_the_field(server: str, sandbox_works: None) -> None:
    breakage = BREAKAGES[server]
    scenarios = [s for s in playable() if s.name.rpartition("/")[2] in breakage.caught_by]
    assert len(scenarios) == len(breakage.caught_by)
    for result in results(server, scenarios):
        assert result.verdict is Verdict.VIOLATES, (result.name, result.family, result.verdict, result.problems)
        assert result.problems[0].field in breakage.fields, (result.name, result.problems[0])
        names_what_is_wrong(result)
