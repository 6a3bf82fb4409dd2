"""Every duty of a WebSocket server that can be observed is shown by a scenario, or the table says why it is not."""

from __future__ import annotations

import re

import pytest

from lab.requirements import not_shown, requirements
from lab.scenario.catalogue import load

SHOWN = {one for scenario in load() for one in scenario.evidence_for}
DUTIES = [
    r
    for r in requirements().values()
    if r.table == "rfc6455" and r.level in ("MUST", "MUST NOT") and r.observable != "no"
    if not r.how_to_check.startswith("Lab client duty")
]


def test_the_tables_have_the_duties_that_were_counted_by_hand() -> None:
    assert len(DUTIES) == 77


@pytest.mark.parametrize("duty", [r.id for r in DUTIES])
def test_a_scenario_shows_it_or_the_table_says_why_not(duty: str) -> None:
    assert (duty in SHOWN) != (duty in not_shown())


def test_what_is_not_shown_exists_and_has_a_reason() -> None:
    assert set(not_shown()) <= {duty.id for duty in DUTIES}
    assert all(re.fullmatch(r"[A-Z].{30,}\.", why) for why in not_shown().values())
