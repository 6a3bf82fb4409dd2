"""What can spoil a measurement."""

from __future__ import annotations

from lab.scenario.errors import LabError


class BenchError(LabError):
    """There is no result: a connection was not whole, or the counts do not agree. One sentence."""
