"""The README's two commands: what is installed when, what is done again, what is said where it cannot be done."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import bootstrap

ROOT = bootstrap.ROOT
FILES = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock", "pyproject.toml", "lab/__init__.py")


class Clone:
    """A clone without a network: what would have been installed is written down."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.done: list[str] = []
        self.fails = ""
        for name in FILES:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(f"{name} as it was\n")
        monkeypatch.setattr(bootstrap, "_run", self.run)

    def run(self, folder: Path, where: Path, *arguments: str) -> None:
        """In place of pip, and of ensurepip."""
        assert folder == self.root / ".venv"
        what = {"ensurepip": "venv", "requirements.lock": "packages", ".": "lab", "requirements-dev.lock": "tests"}
        name = next(what[argument] for argument in arguments if argument in what)
        self.done.append(name)
        if name == self.fails:
            raise bootstrap.Trouble("it failed")

    def start(self, *, tests: bool = False) -> list[str]:
        """What a start installs."""
        self.done = []
        assert bootstrap.make(tests=tests, root=self.root) == self.root / ".venv"
        return self.done


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    return Clone(tmp_path, monkeypatch)


def test_a_second_start_installs_nothing(clone: Clone) -> None:
    assert clone.start() == ["venv", "packages", "lab"]
    assert clone.start() == []


def test_the_tests_packages_come_with_the_tests_only(clone: Clone) -> None:
    clone.start()
    assert clone.start(tests=True) == ["tests"]
    assert clone.start(tests=True) == []
    assert clone.start() == []


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("requirements.lock", ["packages"]),
        ("requirements-build.lock", ["packages"]),
        ("pyproject.toml", ["lab"]),
        ("lab/__init__.py", ["lab"]),
        ("requirements-dev.lock", ["tests"]),
    ],
)
def test_what_has_changed_is_installed_again(clone: Clone, changed: str, again: list[str]) -> None:
    clone.start(tests=True)
    (clone.root / changed).write_text("other\n")
    assert clone.start(tests=True) == again
    assert clone.start(tests=True) == []


@pytest.mark.parametrize("fails", ["venv", "packages", "lab"])
def test_half_made_counts_as_not_made(clone: Clone, fails: str) -> None:
    clone.fails = fails
    with pytest.raises(bootstrap.Trouble):
        clone.start()
    clone.fails = ""
    whole = ["venv", "packages", "lab"]
    assert clone.start() == whole[whole.index(fails) :]


def test_an_update_that_fails_counts_as_not_made(clone: Clone) -> None:
    clone.start()
    before = (clone.root / "requirements.lock").read_text()
    (clone.root / "requirements.lock").write_text("other\n")
    clone.fails = "packages"
    with pytest.raises(bootstrap.Trouble):
        clone.start()
    clone.fails = ""
    (clone.root / "requirements.lock").write_text(before)
    assert clone.start() == ["packages"]


def test_a_clone_that_moved_is_made_anew(clone: Clone, tmp_path: Path) -> None:
    clone.start()
    moved = tmp_path.with_name("moved here")
    tmp_path.rename(moved)
    clone.root = moved
    assert clone.start() == ["venv", "packages", "lab"]


def test_another_python_makes_it_anew(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.start()
    stamp = clone.root / ".venv" / bootstrap.STAMP
    stamp.write_text(stamp.read_text().replace(sys.version.split()[0], "3.11.0"))
    assert clone.start() == ["venv", "packages", "lab"]


def test_a_damaged_stamp_makes_it_anew(clone: Clone) -> None:
    clone.start()
    (clone.root / ".venv" / bootstrap.STAMP).write_text("{")
    assert clone.start() == ["venv", "packages", "lab"]


def test_a_venv_of_somebody_else_is_left_alone(clone: Clone) -> None:
    (clone.root / ".venv").mkdir()
    (clone.root / ".venv" / "theirs").touch()
    with pytest.raises(bootstrap.Trouble, match="was not made by this command"):
        clone.start()
    assert (clone.root / ".venv" / "theirs").exists()


def test_a_folder_that_cannot_be_written_is_named(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(bootstrap.Trouble, match=r"\.venv cannot be made \(permission denied\)"):
        clone.start()


def test_without_ensurepip_it_says_what_to_install(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name))
    with pytest.raises(bootstrap.Trouble, match="apt install python3-venv"):
        clone.start()
    assert not (clone.root / ".venv").exists()


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["run", "--json"], ["lab", "run", "--json"]),
        (["lab", "list"], ["lab", "list"]),
        (["lab"], ["lab"]),
        (["test", "-q"], ["python", "-m", "pytest", "-q"]),
    ],
)
def test_the_command_that_is_started(
    arguments: list[str], command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "make", lambda tests: tmp_path)
    monkeypatch.setattr(os, "execv", lambda path, words: started.append([path, *words]))
    monkeypatch.chdir(tmp_path)
    bootstrap.main(arguments)
    program = str(tmp_path / "bin" / command[0])
    assert started == [[program, program, *command[1:]]]


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (bootstrap.Trouble("there is a hole"), 3, "lab: there is a hole\n"),
        (PermissionError(13, "Permission denied", "/x"), 3, "lab: /x: permission denied\n"),
        (KeyboardInterrupt(), 130, "\nlab: interrupted; the next start takes it up from here\n"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    error: BaseException,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(tests: bool) -> Path:
        raise error

    monkeypatch.setattr(bootstrap, "make", fail)
    assert bootstrap.main(["run"]) == code
    assert capsys.readouterr() == ("", sentence)


@pytest.mark.parametrize(
    ("words", "explanation"),
    [
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('...: Failed to "
            "establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/rich/\n"
            "ERROR: No matching distribution found for rich==15.0.0",
            "cannot be fetched",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "not the one"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'",
            "is the clone yours",
        ),
        ("ERROR: something new", "installing failed"),
    ],
)
def test_pips_words_are_explained(words: str, explanation: str) -> None:
    assert explanation in bootstrap.explain(words)


def test_a_python_that_is_too_old_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    assert bootstrap.main(["run"]) == 3
    assert "this is Python 3.10, and the lab needs 3.11" in capsys.readouterr().err


def test_old_pythons_can_read_it() -> None:
    for name in ("bootstrap.py", "__init__.py"):
        ast.parse((ROOT / "lab" / name).read_text(), feature_version=(3, 6))


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = "import sys; import lab.bootstrap; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env={"PATH": ""}
    )
    assert set(run.stdout.split()) - sys.stdlib_module_names - {"__main__"} == {"lab"}


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["walk"], 2), (["--help"], 0)])
def test_usage(arguments: list[str], code: int) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "lab.bootstrap", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == code
    said, nothing = (run.stderr, run.stdout) if code else (run.stdout, run.stderr)
    assert "python3 -m lab.bootstrap run" in said
    assert nothing == ""


def test_the_stamp_is_never_half_written(clone: Clone) -> None:
    clone.start()
    stamp = json.loads((clone.root / ".venv" / bootstrap.STAMP).read_text())
    assert set(stamp) == {"base", "packages", "lab"}
    assert not list((clone.root / ".venv").glob("*.new"))
