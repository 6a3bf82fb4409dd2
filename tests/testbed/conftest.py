"""Sandboxes for the tests, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.testbed.errors import CannotRun
from lab.testbed.sandbox import Sandbox, Sandboxes


@pytest.fixture(scope="session")
def working() -> None:
    """Skips where the system forbids sandboxes."""
    with Sandboxes() as sandboxes:
        try:
            sandboxes.make().close()
        except CannotRun as error:
            pytest.skip(str(error))


@pytest.fixture
def sandboxes(working: None) -> Iterator[Sandboxes]:
    with Sandboxes() as opened:
        yield opened


@pytest.fixture
def sandbox(sandboxes: Sandboxes) -> Iterator[Sandbox]:
    with sandboxes.make() as made:
        yield made
