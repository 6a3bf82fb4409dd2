"""The service under test: an agent's, in this process's own network namespace."""

from __future__ import annotations

from collections.abc import Iterator

import agents
import pytest

from lab.server.client import Agent


@pytest.fixture
def served() -> Iterator[Agent]:
    """An agent whose WebSocket service runs."""
    with agents.over_socketpair() as running:
        running.services()
        yield running


@pytest.fixture
def port(served: Agent) -> int:
    """The port of the WebSocket service."""
    return served.services()["websocket"]
