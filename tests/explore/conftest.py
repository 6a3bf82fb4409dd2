"""Sessions for the tests, and a place for what they write."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent))  # for processes.py

from lab.testbed.sandbox import Sandboxes

pytest.register_assert_rewrite("hand", "terminal")

from hand import Hand  # noqa: E402


@pytest.fixture(scope="session")
def sandboxes(sandbox_works: None) -> Iterator[Sandboxes]:
    with Sandboxes() as opened:
        yield opened


@pytest.fixture
def hand(sandboxes: Sandboxes, tmp_path: Path) -> Iterator[Hand]:
    """A session over IPv4 in a sandbox of its own."""
    with Hand(sandboxes, tmp_path) as one:
        yield one
