"""Lets the trials import the servers that are broken on purpose, and say in full what a result lacks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.register_assert_rewrite("trial")
sys.path.append(str(Path(__file__).parent.parent / "broken"))
