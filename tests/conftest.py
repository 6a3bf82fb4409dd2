"""What all tests share: the reason why a sandbox cannot be had, and a CI that takes no such reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from lab.testbed.errors import CannotRun
from lab.testbed.sandbox import Sandboxes

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def sandbox_works() -> None:
    """Skips where the system forbids sandboxes."""
    with Sandboxes() as sandboxes:
        try:
            sandboxes.make().close()
        except CannotRun as error:
            pytest.skip(str(error))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two for each processor: many tests wait for timers or for another process."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Where LAB_TESTS_MAY_NOT_SKIP is set, as on CI, a test that skips has failed: nothing there may be missing, but an
    ordinary user need not be root.
    """
    report = yield
    if os.environ.get("LAB_TESTS_MAY_NOT_SKIP") and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if os.geteuid() != 0 and "needs root" in reason:
            return report
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} may not be skipped here (LAB_TESTS_MAY_NOT_SKIP): {reason}"
    return report
