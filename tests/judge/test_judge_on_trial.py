"""The judge on trial: every server that is broken on purpose draws *violates*, the honest ones draw nothing."""

from __future__ import annotations

import pytest
from breakages import BREAKAGES, Breakage
from broken_servers import entry_point
from trial import BROKEN, FINE, draws_nothing, names_what_is_wrong

from lab.scenario.catalogue import load
from lab.scenario.needs import Needs
from lab.scenario.record import Result, Verdict
from lab.scenario.runner import Plan, run


def results(serve: str, names: tuple[str, ...] = (), families: tuple[str, ...] = ("ipv4", "ipv6")) -> list[Result]:
    scenarios = [s for s in load(names) if not s.slow and s.needs in (Needs.AGENT, Needs.LISTENER)]
    plan = Plan(scenarios, families, testbed_options={"serve": serve, "path": [str(BROKEN)]}, seed=7)  # type: ignore[arg-type]
    return run(plan).results


HONEST = [f"serve_honest{kind}" for kind in ("", "_like_linux", "_plain", "_forgetful", "_patient", "_chatty")]


@pytest.mark.parametrize("serve", HONEST)
def test_an_honest_server_draws_no_violation(serve: str, sandbox_works: None) -> None:
    draws_nothing(results(f"broken_servers:{serve}"))


@pytest.mark.parametrize("breakage", [b for b in BREAKAGES.values() if b.caught_by], ids=lambda b: b.name)
def test_a_broken_server_draws_a_violation_that_names_the_field(breakage: Breakage, sandbox_works: None) -> None:
    for family in breakage.families:
        found = results(entry_point(breakage.name), breakage.caught_by, (family,))
        caught = [r for r in found if r.verdict is Verdict.VIOLATES]
        assert caught, [(r.name, r.verdict) for r in found]
        assert not [r for r in found if r.verdict not in {*FINE, Verdict.VIOLATES}], found
        named = {result.problems[0].field for result in caught}
        assert named & set(breakage.fields), named
        for result in caught:
            names_what_is_wrong(result)


PROMISED = 16
"""How many ways to be broken the project promises to catch, at least."""


def test_all_that_is_promised_is_on_trial() -> None:
    promised = [b for b in BREAKAGES.values() if b.main]
    assert len(promised) >= PROMISED
    assert all(b.caught_by for b in promised)
