"""Which server can play which scenario."""

from __future__ import annotations

from typing import Any

import pytest

from lab.scenario.needs import Needs, offered, why_not

A, L, W, E, S = Needs.AGENT, Needs.LISTENER, Needs.WEBSOCKET, Needs.ECHO, Needs.SERVICES


@pytest.mark.parametrize(
    ("testbed", "options", "there"),
    [
        ("sandbox", {}, {A, L, W, E, S}),
        ("host", {"control": ("server", 7000)}, {A, L, W, E, S}),
        ("target", {"resource": None, "echoes": False}, {L}),
        ("target", {"resource": None, "echoes": True}, {L}),
        ("target", {"resource": "/", "echoes": False}, {L, W}),
        ("target", {"resource": "/", "echoes": True}, {L, W, E}),
        ("sandbox", {"serve": "a:b", "program": False}, {A, L}),
        ("sandbox", {"serve": "a:b", "program": True}, {A, L, W}),
        ("sandbox", {"serve": "a:b", "program": True, "echoes": True}, {A, L, W, E}),
        ("sandbox", {"serve": "a:b", "program": None}, {A, L, W}),
    ],
)
def test_what_a_server_offers(testbed: str, options: dict[str, Any], there: set[Needs]) -> None:
    assert offered(testbed, options) == there


@pytest.mark.parametrize("needs", Needs)
def test_the_reason_agrees_in_number(needs: Needs) -> None:
    assert why_not(needs).startswith("it needs")
    assert why_not(needs, many=True).startswith("they need ")
