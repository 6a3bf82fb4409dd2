"""The requirements*.lock files: whole, checked by hashes, in agreement, and free of addresses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lab

ROOT = Path(lab.__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(name: str) -> dict[str, str]:
    """Package: version."""
    found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_a_version_and_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    for block in re.split(r"^(?=\S)", text.replace("\\\n", ""), flags=re.MULTILINE)[1:]:
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; [\w '=!<>.]+)?( +--hash=sha256:[0-9a-f]{64})+\s*", block), block
    assert "//" not in (ROOT / name).read_text()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", PROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", PROJECT["project"]["optional-dependencies"]["dev"]),
        ("requirements-build.lock", PROJECT["build-system"]["requires"]),
    ],
)
def test_what_the_project_asks_for_is_locked(name: str, wanted: list[str]) -> None:
    there = locked(name)
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(there[canonicalize_name(requirement.name)]), requirement


def test_the_locks_agree() -> None:
    versions: dict[str, set[str]] = {}
    for name in LOCKS:
        for package, version in locked(name).items():
            versions.setdefault(package, set()).add(version)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


def test_ci_runs_the_readmes_commands() -> None:
    readme, ci = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    for command in ("python3 -m lab.bootstrap run", "python3 -m lab.bootstrap test"):
        assert re.search(rf"^    {command}\b", readme, re.MULTILINE), command
        assert re.search(rf"^    timeout \d+ {command}\b", ci, re.MULTILINE), command
