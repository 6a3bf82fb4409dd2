"""Finding scenarios: by name, by glob, by file, by folder."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from lab.scenario.declare import Scenario
from lab.scenario.errors import UsageError
from lab.scenario.guard import asked_to_end, stdout_aside, words_of


def home() -> Path:
    """The folder of the lab's own scenarios: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "_scenarios"
    return inside if inside.is_dir() else package.parent / "scenarios"


def files(root: Path) -> list[Path]:
    """The scenario files below `root`, in the order of their names; those that start with `_` are helpers."""
    return sorted(p for p in root.rglob("*.py") if not p.name.startswith("_") and "__pycache__" not in p.parts)


def names(root: Path | None = None) -> list[str]:
    """The names of all scenarios below `root`, read off the files' paths without importing any."""
    root = root or home()
    return [path.relative_to(root).with_suffix("").as_posix() for path in files(root)]


def load(wanted: Sequence[str] = (), root: Path | None = None) -> list[Scenario]:
    """The scenarios that the words name; all of them without a word.

    A word is a name (`handshake/three_segments`, or its last part where only one has it), a glob over names or last
    parts (`teardown/*`, `fin_*`), a family of names (`handshake`), or the path of a file or folder.
    Raises UsageError for a word that names nothing, or a file that cannot be read or declares no scenario.
    """
    root = root or home()
    paths = dict(zip(names(root), files(root), strict=True))
    chosen: dict[str, Path] = {}
    for word in wanted or ["*"]:
        chosen.update(_paths_of(word, paths, root))
    if not chosen:
        raise UsageError(f"there is no scenario in {root}")
    return [_read(path, name) for name, path in chosen.items()]


def _paths_of(word: str, paths: dict[str, Path], root: Path) -> dict[str, Path]:
    word = word.removesuffix("/")
    if word in paths:
        return {word: paths[word]}
    if found := {n: p for n, p in paths.items() if fnmatchcase(n, word) or n.startswith(word + "/")}:
        return found
    if found := {n: p for n, p in paths.items() if fnmatchcase(n.split("/")[-1], word)}:
        if len(found) > 1 and word in [n.split("/")[-1] for n in found]:
            raise UsageError(f"{word} is the name of {len(found)} scenarios: say which, {' or '.join(found)}")
        return found
    place = Path(word).resolve()
    if place.is_file():
        return {_name(place, root): place}
    if place.is_dir():
        if below := {_name(p, root): p for p in files(place)}:
            return below
        raise UsageError(f"the folder {word} holds no scenario")
    close = difflib.get_close_matches(word, [*paths, *{n.split("/")[-1] for n in paths}], n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else "`lab list` shows them all"
    raise UsageError(f"no scenario, file or folder is called {word}: {hint}")


def _name(path: Path, root: Path) -> str:
    if path.is_relative_to(root.resolve()):
        return path.relative_to(root.resolve()).with_suffix("").as_posix()
    return f"{path.parent.name}/{path.stem}"


@cache
def _read(path: Path, name: str) -> Scenario:
    """Import one scenario file and take the scenario that it declares."""
    module_name = f"_lab_scenario_{hashlib.sha1(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        with stdout_aside():
            spec.loader.exec_module(module)
    except UsageError as error:  # said by @scenario(...)
        raise UsageError(f"{path}{_line_in(path, error)}: {error}") from error
    except BaseException as error:  # whatever a user's file raises is the user's to mend, sys.exit() too
        if asked_to_end(error):
            raise
        raise UsageError(f"{path}{_line_in(path, error)} cannot be read: {words_of(error)}") from error
    declared: list[Scenario] = [
        function.__scenario__
        for function in vars(module).values()
        if getattr(function, "__module__", None) == module_name and hasattr(function, "__scenario__")
    ]
    if len(declared) != 1:
        count = "no scenario" if not declared else f"{len(declared)} scenarios"
        raise UsageError(f"{path} declares {count}: a file tells one story, in a function under @scenario(...)")
    _check_evidence(declared[0], path)
    return replace(declared[0], name=name, path=path)


def _check_evidence(scenario: Scenario, path: Path) -> None:
    if path.is_relative_to(home().resolve()):
        return  # a test sees to the lab's own, so that `lab list` need not read the tables
    from lab.requirements import requirements

    known = requirements()
    for one in scenario.evidence_for:
        if one not in known:
            close = difflib.get_close_matches(one, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "the tables in lab/requirements have them all"
            raise UsageError(f"{path}:{scenario.line}: evidence_for: no requirement has the id {one!r}: {hint}")


def _line_in(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path) and error.lineno:
        return f":{error.lineno}"
    trace, line = error.__traceback__, ""
    while trace:
        if Path(trace.tb_frame.f_code.co_filename) == path:
            line = f":{trace.tb_lineno}"
        trace = trace.tb_next
    return line
