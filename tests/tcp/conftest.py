"""A sandbox for the tests against a real kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.testbed.sandbox import Sandbox, Sandboxes


@pytest.fixture(scope="module")
def sandbox(sandbox_works: None) -> Iterator[Sandbox]:
    """One for all tests of a module."""
    with Sandboxes() as boxes, boxes.make() as box:
        yield box
