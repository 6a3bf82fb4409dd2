"""The command as a person runs it: a process of its own, a real sandbox, signals, full disks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import ROOT, running

from lab.doctor import CAP_SYS_ADMIN, Machine

MAIN = "from lab.cli import main; main()"
START = [sys.executable, "-c", MAIN]
STORY = """\
import time

from lab.scenario.declare import scenario


@scenario("A story", documents=["RFC 9293 §3.5"])
def story(peer, server):
    server.listen()
    peer.open()
    time.sleep({seconds})
"""


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    machine = Machine()
    for name, why in machine.trials(user=not machine.capabilities() >> CAP_SYS_ADMIN & 1).items():
        if why:
            pytest.skip(f"this system forbids what a sandbox needs: {name}: {why}")


@pytest.fixture
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Marks what the test starts; the function tells which marked processes live. None may at the end."""
    mark = f"LAB_TEST_MARK={tmp_path}"
    monkeypatch.setenv(*mark.split("=", 1))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # where it is not installed
    monkeypatch.chdir(tmp_path)

    def living() -> list[str]:
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid():
                try:
                    if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                        found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
                except OSError:
                    continue  # gone, or not ours
        return found

    yield living
    deadline = time.monotonic() + 5
    while (left := living()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == []


def test_a_run_in_the_sandbox(marked: Callable[[], list[str]]) -> None:
    done = subprocess.run(
        [*START, "run", "three_segments", "client_first", "--json", "--seed", "1"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert done.stderr == ""
    assert [(s["name"], s["family"]) for s in told["scenarios"]] == [
        ("handshake/three_segments", "ipv4"),
        ("handshake/three_segments", "ipv6"),
        ("teardown/client_first", "ipv4"),
        ("teardown/client_first", "ipv6"),
    ]
    assert all(Path(s["capture"]).is_file() for s in told["scenarios"])


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (signal.SIGINT, 130, "lab: interrupted\n"),
        (signal.SIGTERM, 143, "lab: ended by SIGTERM\n"),
    ],
)
def test_a_signal_ends_a_run_cleanly(
    number: signal.Signals, code: int, says: str, marked: Callable[[], list[str]]
) -> None:
    stories = Path("stories")
    stories.mkdir()
    (stories / "short.py").write_text(STORY.format(seconds=0))
    (stories / "long.py").write_text(STORY.format(seconds=600))
    words = ["run", "stories", "--ipv4", "--jobs", "2"]
    with running([*START, *words]) as process:
        deadline = time.monotonic() + 30
        first = Path("lab-out/stories/short-ipv4.pcapng")
        while not first.exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (code, says)
    assert "interrupted: 1 of 2 runs done\nstill running: stories/long over IPv4\n" in out
    assert [p.name for p in Path("lab-out").rglob("*") if p.is_file()] == [first.name]


def test_two_signals_in_a_row_end_it_as_one_does(marked: Callable[[], list[str]]) -> None:
    Path("long.py").write_text(STORY.format(seconds=600))
    for pause in (0.0, 0.001, 0.01, 0.1):
        words = ["run", "long.py", "--ipv4", "--json"]
        with running([*START, *words]) as process:
            deadline = time.monotonic() + 30
            while sum("run long.py" in words for words in marked()) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            time.sleep(pause)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (130, "lab: interrupted\n")
        if out:  # the second may have ended the report as well
            assert json.loads(out)["still_running"] in ([], [{"name": f"{Path.cwd().name}/long", "family": "ipv4"}])


def test_ctrl_c_while_the_command_is_being_loaded() -> None:
    # The import of the commands is where most of a start's time goes.
    code = (
        "import sys\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == sys.argv.pop():\n"
        "            raise KeyboardInterrupt\n"
        "        sys.argv.append('typer')\n"
        "sys.meta_path.insert(0, Interrupts())\n" + MAIN
    )
    done = subprocess.run([sys.executable, "-c", code, "typer"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "lab: interrupted\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(closed: str, marked: Callable[[], list[str]]) -> None:
    Path("short.py").write_text(STORY.format(seconds=0))
    words = "run short.py --ipv4 --junit lab.xml"
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {words} {closed}', sys.executable, MAIN],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert ("1 conforms" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))
    assert 'tests="1"' in Path("lab.xml").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tiny disk needs root")
def test_a_disk_that_fills_up(tmp_path: Path, marked: Callable[[], list[str]]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        done = subprocess.run(
            [*START, "run", "handshake", "--ipv4", "--out", "disk"],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 3
        assert done.stdout == ""
        assert done.stderr.startswith("lab: cannot write disk/handshake/")
        assert done.stderr.endswith(".pcapng: no space left on device; make room or choose another place with --out\n")
        files = [p for p in disk.rglob("*") if p.is_file()]
        assert [p for p in files if p.suffix != ".pcapng" or p.name.startswith(".")] == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_help_takes_no_more_than_half_as_long_again_as_an_empty_program(tmp_path: Path) -> None:
    empty = tmp_path / "empty.py"
    empty.write_text(
        "import typer\n\napp = typer.Typer()\n\n\n@app.command()\ndef a() -> None:\n    '''A.'''\n\n\n"
        "@app.command()\ndef b() -> None:\n    '''B.'''\n\n\napp()\n"
    )

    def cost(*command: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, *command, "--help"], stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    # Processor time, best of several in turn: the wall clock would measure what else this machine does.
    pairs = [(cost(str(empty)), cost("-c", MAIN)) for _ in range(6)]
    assert min(ours for _, ours in pairs) <= 1.5 * min(plain for plain, _ in pairs)
