"""Run the lab from a fresh clone, on a machine that has Python 3.11 and nothing else.

    python3 -m lab.bootstrap run [...]     `lab run [...]`
    python3 -m lab.bootstrap test [...]    the lab's own tests: `pytest [...]`
    python3 -m lab.bootstrap lab ARGS...   any other command of the lab

The first time it makes a virtual environment, `.venv` in the clone, with the packages of the requirements*.lock files
(each file checked by its hash) and the lab itself; later it finds that nothing has changed and starts at once. Progress
goes to standard error.
"""

# Standard library only. And it must run, up to its own complaint, on a Python that is too old for the lab: hence
# annotations in quotes, and nothing of the language that is younger than Python 3.6.
import contextlib
import hashlib
import json
import os
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
"""The oldest Python that will do."""
ROOT = Path(__file__).resolve().parent.parent
"""The clone."""
CANNOT = 3
"""The exit code where the lab could not be started: says nothing about any server, as in `lab.cli.ends`."""
USAGE = 2
"""The exit code of wrong usage."""
INTERRUPTED = 130
"""The exit code after Ctrl-C."""
STAMP = "made-by-lab-bootstrap.json"
"""In the virtual environment: what is installed there. Written before all else, with nothing in it yet."""

if False:  # for the type checker
    from collections.abc import Iterator

_LOCKED = ("--require-hashes", "--only-binary=:all:")


class Part:
    """Something to install: what it is called, the files that decide whether it is up to date, what pip is told."""

    def __init__(self, name: str, title: str, files: "tuple[str, ...]", options: "tuple[str, ...]") -> None:
        self.name = name
        self.title = title
        self.files = files
        self.options = options

    def digest(self, root: Path) -> str:
        """Of the files' content."""
        digest = hashlib.sha256()
        for name in self.files:
            digest.update((root / name).read_bytes() + b"\0")
        return digest.hexdigest()


PARTS = (
    Part(
        "packages",
        "the packages that the lab needs",
        ("requirements.lock", "requirements-build.lock"),
        (*_LOCKED, "-r", "requirements.lock", "-r", "requirements-build.lock"),
    ),
    # Without isolation pip builds with the hatchling just installed and checked by its hash, and fetches no other.
    Part(
        "lab",
        "the lab",
        ("pyproject.toml", "lab/__init__.py"),
        ("--no-deps", "--no-build-isolation", "--editable", "."),
    ),
    Part(
        "tests",
        "the packages that its tests need",
        ("requirements-dev.lock",),
        (*_LOCKED, "-r", "requirements-dev.lock"),
    ),
)
"""What is installed, in this order. The last only for the tests."""

_EXPLANATIONS = (
    (
        ("do not match the hashes", "DO NOT MATCH THE HASHES"),
        "a package is not the one that the lab was locked to, and was not installed",
    ),
    (("No space left on device",), "the disk is full: make room, and start again"),
    (("Permission denied", "Read-only file system"), "a file cannot be written: is the clone yours?"),
    (
        ("No matching distribution", "Could not fetch", "Max retries", "connection", "timed out", "name resolution"),
        "the packages cannot be fetched: is there a network, and does pip reach its package index?",
    ),
)


class Trouble(Exception):
    """Why the lab cannot be started: a sentence, and what to do about it."""


def main(arguments: "list[str]") -> int:
    """Do as the command line says; returns the exit code. Does not return where a command is started in its place."""
    try:
        if sys.version_info[:2] < OLDEST:
            raise Trouble(
                f"this is Python {sys.version_info[0]}.{sys.version_info[1]}, and the lab needs 3.11 or newer: "
                "start it with such a one, for example python3.11 -m lab.bootstrap run"
            )
        if not arguments or arguments[0] not in ("run", "test", "lab"):
            asked = arguments in (["-h"], ["--help"])
            print((__doc__ or "").split("\n\n")[1], file=sys.stdout if asked else sys.stderr)
            return 0 if asked else USAGE
        folder = make(tests=arguments[0] == "test")
        if arguments[0] == "test":
            os.chdir(str(ROOT))  # pytest finds its configuration and the tests from here
            command = [str(folder / "bin" / "python"), "-m", "pytest", *arguments[1:]]
        else:
            command = [str(folder / "bin" / "lab"), *arguments[arguments[0] == "lab" :]]
        sys.stderr.flush()
        os.execv(command[0], command)
    except Trouble as trouble:
        print(f"lab: {trouble}", file=sys.stderr)
        return CANNOT
    except OSError as error:
        print(f"lab: {error.filename or 'cannot start'}: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        return CANNOT
    except KeyboardInterrupt:
        print("\nlab: interrupted; the next start takes it up from here", file=sys.stderr)
        return INTERRUPTED


def make(tests: bool = False, root: Path = ROOT) -> Path:
    """See to it that the virtual environment is there and up to date, with the tests' packages where `tests` says so;
    returns its folder. Raises Trouble, or OSError where a file cannot be read.
    """
    if not (root / "requirements.lock").is_file():
        raise Trouble(f"{root} is no clone of the lab. Where it is installed already, it is started with: lab run")
    folder = root / ".venv"
    wanted = {part.name: part.digest(root) for part in PARTS if tests or part.name != "tests"}
    if not _up_to_date(folder, wanted):
        with _alone(root):
            # Another start may have made it while this one waited.
            if not _up_to_date(folder, wanted):
                _install(root, folder, wanted)
    return folder


def _install(root: Path, folder: Path, wanted: "dict[str, str]") -> None:
    stamp = _read_stamp(folder)
    if stamp is None and folder.exists():
        raise Trouble(f"{folder} is there, but was not made by this command: move it away, and start again")
    if stamp is None or stamp.get("base") != _base(folder):
        _make_empty(folder)
        stamp = {"base": _base(folder)}
    for part in PARTS:
        if part.name not in wanted or stamp.get(part.name) == wanted[part.name]:
            continue
        # What is half installed must not count as installed.
        stamp.pop(part.name, None)
        _write_stamp(folder, stamp)
        with _step(f"installing {part.title}"):
            _run(folder, root, "pip", "install", "--quiet", "--no-input", "--retries=2", *part.options)
        stamp[part.name] = wanted[part.name]
        _write_stamp(folder, stamp)


def _make_empty(folder: Path) -> None:
    """Make a virtual environment with nothing in it but pip."""
    import importlib.util
    import shutil

    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise Trouble(
                f"this Python cannot make a virtual environment, since its module {module} is missing. On Debian and "
                f"Ubuntu: apt install python3-venv (for a Python of your own choice: python{version}-venv)"
            )
    import venv

    with _step(f"making .venv with Python {sys.version.split()[0]}"):
        try:
            if folder.exists():
                shutil.rmtree(str(folder))
            folder.mkdir()
            _write_stamp(folder, {})
            venv.EnvBuilder(symlinks=True).create(str(folder))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Trouble(f"{folder} cannot be made ({reason}): have the clone in a folder of your own") from error
        _run(folder, folder, "ensurepip", "--upgrade", "--default-pip")


def _run(folder: Path, where: Path, *arguments: str) -> None:
    """Run a module of the virtual environment's Python. Raises Trouble, with the end of what it said, if it fails."""
    import subprocess

    # Settings by which pip would install elsewhere than into the virtual environment.
    surroundings = {name: text for name, text in os.environ.items() if name not in ("PIP_TARGET", "PIP_PREFIX")}
    surroundings.update(PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    with subprocess.Popen(
        [str(folder / "bin" / "python"), "-m", *arguments],
        cwd=str(where),
        env=surroundings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            words = process.communicate()[0].decode(errors="replace")
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        said = "".join(f"\n     {line}" for line in words.splitlines()[-8:] if line.strip())
        raise Trouble(f"{explain(words)}\n{arguments[0]} said:{said}")


def explain(words: str) -> str:
    """What most likely lies behind a failure of pip that said these words."""
    for signs, explanation in _EXPLANATIONS:
        if any(sign in words for sign in signs):
            return explanation
    return "installing failed"


@contextlib.contextmanager
def _step(what: str) -> "Iterator[None]":
    """One line of progress, with the time that the step took."""
    start = time.monotonic()
    print(f"lab: {what} ... ", end="", file=sys.stderr, flush=True)
    end = "not done"
    try:
        yield
        end = f"{time.monotonic() - start:.1f} s"
    finally:
        print(end, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _alone(root: Path) -> "Iterator[None]":
    """Let one start at a time make the virtual environment; the others wait."""
    import fcntl

    folder = os.open(str(root), os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _base(folder: Path) -> "list[str]":
    """What a virtual environment cannot outlive: a change of its Python or of its place, which its scripts name."""
    return [sys.version, os.path.realpath(sys.executable), str(folder)]


def _up_to_date(folder: Path, wanted: "dict[str, str]") -> bool:
    stamp = _read_stamp(folder) or {}
    return stamp.get("base") == _base(folder) and all(stamp.get(name) == digest for name, digest in wanted.items())


def _read_stamp(folder: Path) -> "dict[str, object] | None":
    """None where the folder is not there, or is not ours."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _write_stamp(folder: Path, stamp: "dict[str, object]") -> None:
    new = folder / f"{STAMP}.new"
    new.write_text(json.dumps(stamp), encoding="utf-8")
    new.replace(folder / STAMP)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
