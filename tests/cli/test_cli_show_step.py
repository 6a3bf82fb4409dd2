"""`lab show --step` and `--speed`: a recorded run shown at the reader's pace, in a pipe and typed at a terminal."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest
from processes import killed

import lab
from lab.cli import pace
from lab.explore.film import Film, statements
from lab.report.terminal import Screen
from lab.report.text import UNICODE, plain
from lab.scenario.catalogue import load
from lab.scenario.errors import UsageError
from lab.scenario.record import Call, End, Packet, Result, Verdict
from lab.scenario.runner import Plan, run
from lab.tcp.segment import PSH, letters
from lab.tcp.state import State

PICTURES = Path(__file__).parent / "pictures"
BROKEN = Path(__file__).parent.parent / "broken" / "broken_servers.py"
ROOT = Path(lab.__file__).parent.parent
TRIES_AGAIN = "teardown/three_segments_suffice"
"""Opens connection after connection until the kernel joins an ACK and a FIN: no two runs are alike."""
MOST_TRIES = 10
PATIENCE = 30.0
"""Seconds after which a terminal that does not show what it should has failed. Nothing is measured by them."""


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LAB_", "LC_", "COLUMNS", "LINES", "NO_COLOR"))}
    return {**kept, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "TERM": "xterm-256color", **more}


def show(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab", "show", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(**more), cwd=ROOT, timeout=120
    )


def normalised(text: str) -> str:
    """Without what differs from run to run and from kernel to kernel: times, and numbers of four digits and more."""
    text = re.sub(r"^ *\d[\d.]* m?s(?= )", lambda m: "time".rjust(len(m[0])), text, flags=re.M)
    text = re.sub(r"rto .*", "rto …", text)
    text = re.sub(r"(in |\+)\d[\d.]* m?s\b", r"\1TIME", text)
    text = re.sub(r"server \d+ \(both", "server Y (both", text)
    text = re.sub(r"server \d+$", "server Y", text, flags=re.M)
    return re.sub(r"(?<!RFC )\b\d{4,}", lambda m: "#" * len(m[0]), text)


def held_against(picture: str, text: str) -> None:
    """Compare with a stored picture; LAB_TESTS_DRAW=1 stores this one instead."""
    path = PICTURES / f"{picture}.txt"
    text = "\n".join(line.rstrip() for line in normalised(text).rstrip().splitlines()) + "\n"
    if os.environ.get("LAB_TESTS_DRAW"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def shown(text: str) -> str:
    """What a run's showing printed, without the story above it."""
    return text[text.index("What follows was recorded") :]


# What is recorded


def watched(name: str, *, watch: bool = True, **more: Any) -> list[Result]:
    return run(Plan(scenarios=load([name]), seed=7, watch=watch, **more)).results


@pytest.mark.usefixtures("sandbox_works")
def test_where_each_end_stood_at_every_entry_of_three_segments() -> None:
    [result] = watched("handshake/three_segments", families=("ipv4",))
    told = []
    for entry, moment in zip(result.timeline, result.moments, strict=True):
        if isinstance(entry, Packet) and entry.segment is None:
            continue
        standing = moment.standing
        ends = [(e.state, e.snd_una, e.snd_nxt, e.rcv_nxt) for e in (standing.lab, standing.server)]
        what = entry.kind if isinstance(entry, Call) else letters(entry.segment.flags)
        told.append((moment.line, what, *ends, standing.kernel, standing.earlier))
        assert standing.objection == ""
        assert standing.connection == "A"
    closed, listens = (State.CLOSED, None, None, None), (State.LISTEN, None, None, None)
    syn_sent = (State.SYN_SENT, 0, 1, None)
    received, acknowledged = (State.SYN_RECEIVED, None, None, 1), (State.SYN_RECEIVED, 0, 1, 1)
    open_ = (State.ESTABLISHED, 1, 1, 1)
    # RFC 9293 figure 6; the numbers are those of §3.3.1, counted from each SYN.
    assert told == [
        (22, "call", closed, listens, None, True),
        (25, "S", syn_sent, received, None, True),
        (25, "SA", open_, acknowledged, State.SYN_RECEIVED, False),
        (27, "check", open_, acknowledged, State.SYN_RECEIVED, False),
        (30, "A", open_, open_, State.ESTABLISHED, False),
        (31, "check", open_, open_, State.ESTABLISHED, False),
        (32, "check", open_, open_, State.ESTABLISHED, False),
        (33, "call", open_, open_, State.ESTABLISHED, False),
    ]
    moves = [[(m.by, m.name) for m in moment.standing.legal] for moment in result.moments[-8:]]
    assert moves[0] == [("lab", "syn"), ("server", "close")]
    assert moves[2] == [("lab", "ack"), ("lab", "data"), ("lab", "fin"), ("lab", "rst")]
    assert ("server", "shutdown") in moves[-1]
    assert all(moment.standing.illegal for moment in result.moments)


@pytest.mark.usefixtures("sandbox_works")
def test_the_kernels_word_is_not_carried_over_to_a_later_entry() -> None:
    [result] = watched("teardown/client_first", families=("ipv4",))
    [called] = [
        moment.standing
        for entry, moment in zip(result.timeline, result.moments, strict=True)
        if isinstance(entry, Call) and entry.text == "close()"
    ]
    # The program has called, and its FIN is not read yet: what the kernel said last is of before the call.
    assert (called.kernel, called.earlier) == (State.CLOSE_WAIT, True)
    assert (called.lab.state, called.server.state) == (State.FIN_WAIT_2, State.LAST_ACK)
    assert called.lab == End(State.FIN_WAIT_2, 2, 2, called.lab.snd_wnd, 1, 65535)
    last = result.moments[-1].standing
    assert (last.kernel, last.earlier, last.lab.state) == (State.CLOSED, False, State.TIME_WAIT)


@pytest.mark.usefixtures("sandbox_works")
def test_nothing_is_recorded_unasked() -> None:
    assert [result.moments for result in watched("handshake/three_segments", watch=False)] == [[], []]


@pytest.mark.parametrize("folder", ["handshake", "teardown"])
@pytest.mark.usefixtures("sandbox_works")
def test_watching_changes_nothing(folder: str) -> None:
    def told(result: Result) -> tuple[Verdict, tuple[Any, ...]]:
        """All but times and ports; and what a kernel sends twice once, PSH left out: its timers and buffers do that."""
        entries = [
            (e.sender, letters(e.segment.flags & ~PSH), e.seq, e.ack, len(e.segment.payload), e.peer_state,
             e.server_state)
            if isinstance(e, Packet) and e.segment is not None
            else (e.kind, re.sub(r"\d[\d.]*", "N", e.text))
            for e in result.timeline
            if isinstance(e, Call) or e.segment is not None
        ]  # fmt: skip
        return result.verdict, tuple(dict.fromkeys(entries))

    def outcomes(names: Sequence[str], *, watch: bool) -> dict[tuple[str, str], tuple[Verdict, tuple[Any, ...]]]:
        results = run(Plan(scenarios=[one for one in load(names) if not one.slow], seed=7, watch=watch)).results
        assert all(len(result.moments) == (len(result.timeline) if watch else 0) for result in results)
        return {(result.name, result.family): told(result) for result in results}

    with_, without = outcomes([folder], watch=True), outcomes([folder], watch=False)
    assert len(with_) >= 2 * 15
    # Some have more than one way to go, since a kernel may delay an ACK: then the same must come of both once.
    for (name, family), outcome in with_.items():
        watched_, others = {outcome}, {without[name, family]}
        if name == TRIES_AGAIN:
            assert outcome[0] is without[name, family][0] is Verdict.CONFORMS
            continue
        for _ in range(MOST_TRIES):
            if watched_ & others:
                break
            watched_.add(outcomes([name], watch=True)[name, family])
            others.add(outcomes([name], watch=False)[name, family])
        assert watched_ & others, name


def test_a_statement_is_told_as_one_line() -> None:
    source = "def story(peer):\n    peer.send(\n        TCP(\n            flags='S'))\n    with x:\n        y()\n"
    assert statements(source) == {
        1: (1, "def story(peer):"),
        2: (2, "peer.send( TCP( flags='S'))"),
        3: (2, "peer.send( TCP( flags='S'))"),
        4: (2, "peer.send( TCP( flags='S'))"),
        5: (5, "with x:"),
        6: (6, "y()"),
    }
    assert statements("def (") == {}


# At the clock's pace


class Reel:
    """A film of which only the times matter."""

    def __init__(self, *times: float) -> None:
        self.times = times
        self.drawn: list[int] = []
        self.takes = 0.0
        self.clock = Clock()

    def __len__(self) -> int:
        return len(self.times)

    def time(self, number: int) -> float:
        return self.times[number]

    def shot(self, number: int, width: int, *, below: bool = True) -> list[Any]:
        self.drawn.append(number)
        self.clock.now += self.takes
        return []


class Clock:
    """Goes on only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 9))
        self.now += seconds


@pytest.mark.parametrize(
    ("speed", "slept"),
    [(1.0, [0.25, 60.0]), (0.5, [0.5, 120.0]), (10.0, [0.025, 6.0]), (0.01, [25.0, 3600.0, 2400.0])],
)
def test_each_entry_comes_when_it_is_due(speed: float, slept: list[float]) -> None:
    reel = Reel(0.5, 0.5, 0.75, 0.6, 60.75)  # the one before the last began earlier, and was over later
    pace.play(reel, Screen(width=80), speed, clock=reel.clock, sleep=reel.clock.sleep)  # type: ignore[arg-type]
    assert reel.drawn == [0, 1, 2, 3, 4]
    assert reel.clock.slept == slept


def test_what_drawing_takes_does_not_add_up() -> None:
    reel = Reel(1.0, 2.0, 3.0, 3.5)
    reel.takes = 0.75
    pace.play(reel, Screen(width=80), 1.0, clock=reel.clock, sleep=reel.clock.sleep)  # type: ignore[arg-type]
    assert reel.clock.slept == [0.25, 0.25]  # and none before the last, which is late


@pytest.mark.usefixtures("sandbox_works")
@pytest.mark.parametrize(
    ("picture", "name"),
    [("three_segments", "handshake/three_segments"), ("exact_101", "websocket/opening/exact_101")],
)
def test_a_run_in_a_pipe(picture: str, name: str) -> None:
    done = show(name, "--speed", "1000", "--seed", "1")
    assert (done.returncode, done.stderr) == (0, "")
    text = shown(done.stdout)
    if name.startswith("websocket"):  # its program does what it likes, whenever its kernel is asked
        text = re.sub(r"^  kernel .*", "  kernel", text, flags=re.M).replace("wire, socket and", "wire and")
        text = re.sub(r"^.*exact_101.py:.*", "(the line at work)", text, flags=re.M)
    held_against(picture, text)


@pytest.mark.usefixtures("sandbox_works")
def test_a_pipe_of_sixty_columns_in_ascii() -> None:
    done = show("three_segments", "--speed", "1000", "--seed", "1", "-6", COLUMNS="60", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    held_against("three_segments_60_ascii", shown(done.stdout))
    assert max(map(len, shown(done.stdout).splitlines())) <= 60


@pytest.mark.usefixtures("sandbox_works")
def test_a_violation_is_told_at_its_packet() -> None:
    served = ["--served-by", f"{BROKEN}:broken_syn_ack_acks_x"]
    done = show("three_segments", "--speed", "1000", "--seed", "1", *served)
    assert done.returncode == 1
    text = shown(done.stdout)
    at, told, end = text.index("SYN+ACK  seq 0"), text.index("✗ the server"), text.index("✗ violates")
    assert at < told < end
    assert "✗ ack: expected" in text[told:end]  # in the panel, where all would agree otherwise
    assert "agree" not in text[told:end]
    assert text.count("✗ the server") == 1
    assert "conforms" not in text


@pytest.mark.usefixtures("sandbox_works")
@pytest.mark.parametrize(
    ("where", "kernel"),
    [
        (["host", "--agent", "198.51.100.1:CONTROL"], "kernel  ESTABLISHED    rto"),
        (["target", "--target", "198.51.100.1:7007"], "kernel  cannot be asked"),
    ],
    ids=["host", "target"],
)
def test_another_hosts_server(where: list[str], kernel: str) -> None:
    program = [sys.executable, str(ROOT / "tests/scenario/lab_on_two_hosts.py"), "ipv4"]
    words = ["show", "three_segments", "--speed", "1000", "--interface", "lab0", "--testbed", *where]
    done = subprocess.run(
        [*program, *words], capture_output=True, text=True, check=False, env=environment(), cwd=ROOT, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    text = shown(done.stdout)
    assert kernel in text
    assert any(line.startswith(("✓ conforms", "✓ permitted", "! deviates")) for line in text.splitlines())
    assert text.count("three_segments.py:30  peer.send") == 1


@pytest.mark.usefixtures("sandbox_works")
def test_what_cannot_be_run_is_told_as_ever(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def stack(channel, facts): pass\n")
    done = show("websocket/opening/exact_101", "--speed", "1", "--served-by", f"{tmp_path}/mine.py:stack")
    assert done.returncode == 3
    assert "this server cannot play it" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--speed", "0"], "--speed: 0 is no pace"),
        (["--speed=-2"], "--speed: -2 is no pace"),
        (["--speed", "nan"], "--speed: nan is no pace"),
        (["--speed", "inf"], "--speed: inf is no pace"),
        (["--step"], "--step waits for the keys of a terminal, and this is none"),
        (["--step", "--speed", "1"], "say one of them"),
        (["--speed", "1", "--no-run"], "leave --no-run out"),
        (["--speed", "1", "--frames"], "leave --frames out"),
    ],
)
def test_wrong_usage(lab: Callable[..., Any], runner: Any, words: list[str], said: str) -> None:
    done = lab("show", "first", *words)
    assert (done.exit_code, done.stdout, runner.plans) == (2, "", [])
    assert said in done.stderr


@pytest.mark.parametrize(("keys", "screen"), [(True, False), (False, True)])
def test_keys_need_a_terminal_on_either_side(monkeypatch: pytest.MonkeyPatch, keys: bool, screen: bool) -> None:
    monkeypatch.setattr(sys, "stdin", Stream(keys))
    monkeypatch.setattr(sys, "stdout", Stream(screen))
    with pytest.raises(UsageError, match="this is none"):
        pace.Pace(step=True)
    monkeypatch.setattr(sys, "stdin", Stream(True))
    monkeypatch.setattr(sys, "stdout", Stream(True))
    assert pace.Pace(step=True)


class Stream(io.StringIO):
    """Says that it is a terminal, or that it is none."""

    def __init__(self, is_one: bool) -> None:
        super().__init__()
        self.isatty = lambda: is_one  # type: ignore[method-assign]


def test_the_help_says_that_it_was_recorded_and_why(lab: Callable[..., Any]) -> None:
    text = " ".join(lab("show", "--help").stdout.replace("│", " ").split())
    assert "It is played at full speed all the same, recorded, and shown a moment later" in text
    assert "the server's timers would go on running" in text


# At a terminal


class Terminal:
    """A terminal with the lab in it: what its screen shows, and what is typed."""

    def __init__(self, child: pexpect.spawn, rows: int, columns: int) -> None:
        self.child = child
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def until(self, holds: Callable[[str], bool]) -> str:
        """The screen, as soon as it is so."""
        end = time.monotonic() + PATIENCE
        while not holds(self.text):
            assert time.monotonic() < end, self.text
            try:
                data = self.child.read_nonblocking(65536, timeout=1)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                assert holds(self.text), self.text
                break
            self.written += data
            self._stream.feed(data)
        return self.text

    def at(self, number: int) -> str:
        """The screen, as soon as that entry is shown and a key is waited for."""
        return self.until(lambda text: text.splitlines()[-1:] != [] and text.splitlines()[-1].startswith(f"{number}/"))

    def types(self, *keys: str) -> None:
        for key in keys:
            self.child.send(key)

    def ends(self) -> int:
        """Its exit code, once it has ended."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                data = self.child.read_nonblocking(65536, timeout=1)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                break
            self.written += data
            self._stream.feed(data)
        self.child.wait()
        code = self.child.exitstatus
        assert code is not None
        return int(code)


@contextlib.contextmanager
def terminal(
    *words: str, rows: int = 50, columns: int = 80, before: Sequence[str] = (), **more: str
) -> Iterator[Terminal]:
    command = [*before, sys.executable, "-m", "lab", "show", *words, "--step", "--seed", "1"]
    child = pexpect.spawn(
        command[0], command[1:], env=environment(**more), cwd=str(ROOT), dimensions=(rows, columns), timeout=PATIENCE
    )
    try:
        yield Terminal(child, rows, columns)
    finally:
        killed(child)


@pytest.mark.usefixtures("sandbox_works")
def test_keys_go_forward_and_back() -> None:
    with terminal("three_segments", rows=40) as one:
        assert "listen() ●" in one.at(1)
        one.types("\r")
        assert "25  peer.send" in one.at(2)
        one.types(" ")
        one.at(3)
        one.types("\x1b[C")
        assert "27  server.is_in(State.SYN_RECEIVED)" in one.at(4)
        one.types("b")
        back = one.at(3)
        held_against("screen_back_at_3", back)
        one.types("\x1b[D")
        assert "kernel  not asked yet" in one.at(2)
        one.types("G")
        assert "accept() ●" in one.at(8)
        one.types("g")
        first = one.at(1)
        assert "listen() ●" in first
        assert "SYN" not in first.partition("legal now")[0]  # the ladder is as it was then
        one.types("b")
        one.types("\x1bOC")
        one.at(2)
        one.types("\x1b[F", "\n")
        assert one.ends() == 0
        assert "✓ conforms" in one.text
        assert "/8" not in one.text  # the line that waits for a key is gone


@pytest.mark.usefixtures("sandbox_works")
def test_the_panel_goes_and_comes_back() -> None:
    with terminal("three_segments") as one:
        one.at(1)
        one.types("G")
        one.at(8)
        one.types("p")
        without = one.until(lambda text: "SND.UNA" not in text and "8/8" in text)
        held_against("screen_without_panel", without)
        one.types("p")
        one.until(lambda text: "SND.UNA" in text and "8/8" in text)
        one.types("?")
        one.until(lambda text: "back one" in text and "the first, the last" in text)
        one.types("x")  # no key of ours: the help goes
        one.until(lambda text: "back one" not in text and "8/8" in text)
        one.types("q")
        assert one.ends() == 0


@pytest.mark.usefixtures("sandbox_works")
def test_sixty_columns_without_colour() -> None:
    with terminal("three_segments", rows=60, columns=60, NO_COLOR="1", LANG="C", PYTHONIOENCODING="ascii") as one:
        one.at(1)
        one.types("\r", "\r")
        held_against("screen_60_plain", one.at(3))
        assert not re.search(rb"\x1b\[[\d;]*3\dm", one.written)
        one.types("q")
        assert one.ends() == 0


@pytest.mark.usefixtures("sandbox_works")
def test_colour_where_there_is_some() -> None:
    with terminal("three_segments") as one:
        one.at(1)
        one.types("q")
        assert one.ends() == 0
        assert re.search(rb"\x1b\[[\d;]*3\dm", one.written)


@pytest.mark.usefixtures("sandbox_works")
def test_another_size_draws_it_anew() -> None:
    with terminal("three_segments", rows=50, columns=100) as one:
        one.at(1)
        one.types("\r", "\r")
        assert "RFC 9293 §3.10.7.2" in next(line for line in one.at(3).splitlines() if "◄─ SYN+ACK" in line)
        one.screen.resize(45, 70)
        one.child.setwinsize(45, 70)
        names = ["#", "lab", "│", "│", "server"]
        narrow = one.until(lambda text: text.partition("\n")[0].split() == names and "3/8" in text)
        assert max(map(len, narrow.splitlines())) <= 70
        one.types("q")
        assert one.ends() == 0


@pytest.mark.usefixtures("sandbox_works")
def test_a_violating_server_at_a_terminal() -> None:
    with terminal("three_segments", "--served-by", f"{BROKEN}:broken_syn_ack_acks_x", rows=60) as one:
        one.at(1)
        one.types("\r", "\r")
        held_against("screen_violates", one.at(3))
        one.types("q")
        assert one.ends() == 1
        assert "✗ violates" in one.text


def modes(one: Terminal) -> list[Any]:
    return termios.tcgetattr(one.child.fileno())


@pytest.mark.usefixtures("sandbox_works")
@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (lambda one: one.types("q"), 0),
        (lambda one: one.types("\x04"), 0),
        (lambda one: one.types("\x03"), 130),
        (lambda one: one.child.kill(signal.SIGINT), 130),
        (lambda one: one.child.kill(signal.SIGTERM), 143),
    ],
    ids=["q", "Ctrl-D", "Ctrl-C", "SIGINT", "SIGTERM"],
)
def test_the_terminal_is_as_it_was(ends: Callable[[Terminal], None], code: int) -> None:
    with terminal("three_segments") as one:
        before = modes(one)
        one.at(1)
        assert modes(one) != before
        ends(one)
        assert one.ends() == code
        assert modes(one) == before
        if code:
            assert one.text.splitlines()[-1].startswith("lab: ")
            assert "Traceback" not in one.text


@pytest.mark.usefixtures("sandbox_works")
def test_ctrl_backslash_does_not_leave_the_terminal_in_a_mess() -> None:
    with terminal("three_segments") as one:
        before = modes(one)
        one.at(1)
        one.types("\x1c", "\r")
        one.at(2)
        one.types("q")
        assert one.ends() == 0
        assert modes(one) == before


@pytest.mark.usefixtures("sandbox_works")
def test_stopped_and_gone_on() -> None:
    with terminal("three_segments") as one:
        one.at(1)
        raw = modes(one)
        one.child.kill(signal.SIGSTOP)
        os.waitpid(one.child.pid, os.WUNTRACED)
        changed = modes(one)
        changed[3] |= termios.ECHO | termios.ICANON  # as a shell does
        termios.tcsetattr(one.child.fileno(), termios.TCSANOW, changed)
        one.child.kill(signal.SIGCONT)
        one.until(lambda text: modes(one)[3] == raw[3])
        one.types("\r")
        one.at(2)
        one.types("q")
        assert one.ends() == 0


def test_the_terminal_is_as_it_was_where_drawing_fails() -> None:
    ours, theirs = os.openpty()
    try:
        before = termios.tcgetattr(theirs)
        with contextlib.suppress(ZeroDivisionError), pace.Keys(theirs):
            assert termios.tcgetattr(theirs) != before
            raise ZeroDivisionError
        assert termios.tcgetattr(theirs) == before
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (b"\r \n\x1b[C\x1bOC", ["next"] * 5),
        (b"b\x7f\x1b[D", ["back"] * 3),
        (b"gG\x1b[H\x1b[4~", ["first", "last", "first", "last"]),
        (b"p?q\x04", ["panel", "help", "quit", "quit"]),
        (b"\x1b[1;5Cx\x1bb\xc3\xa9q", ["", "", "", "", "", "quit"]),  # Ctrl-right, x, Alt-b, é
        (b"\x1b", [""]),
    ],
)
def test_keys_are_known_by_what_a_terminal_sends(typed: bytes, read: list[str]) -> None:
    ours, theirs = os.openpty()
    try:
        with pace.Keys(theirs) as keys:
            os.write(ours, typed)
            assert [keys.read() for _ in read] == read
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_terminal_that_goes_away_is_the_end() -> None:
    ours, theirs = os.openpty()
    try:
        with pace.Keys(theirs) as keys:
            os.close(ours)
            assert keys.read() == "quit"
    finally:
        os.close(theirs)


@pytest.mark.usefixtures("sandbox_works")
def test_a_dumb_terminal_is_not_sent_what_it_cannot_obey() -> None:
    with terminal("three_segments", TERM="dumb") as one:
        one.at(1)
        one.types("\r")
        one.at(2)
        one.types("b")
        one.at(1)
        one.types("q")
        assert one.ends() == 0
        assert b"\x1b" not in one.written


@pytest.mark.usefixtures("sandbox_works")
def test_a_long_wait_is_announced_at_a_terminal() -> None:
    reel = Reel(0.0, 61.0)
    screen = Screen(width=80)
    file = screen.console.file = io.StringIO()
    screen.console._force_terminal = True
    pace.play(reel, screen, 10.0, clock=reel.clock, sleep=reel.clock.sleep)  # type: ignore[arg-type]
    assert "the next entry in 6.10 s" in file.getvalue()
    assert file.getvalue().endswith("\r\x1b[J")


@pytest.mark.usefixtures("sandbox_works")
def test_problems_that_no_packet_shows_come_at_the_end() -> None:
    [result] = watched("handshake/three_segments", families=("ipv4",))
    scenario = load(["handshake/three_segments"])[0]
    film = Film(result, scenario, UNICODE)
    drawn = [plain(film.shot(i, 80)) for i in range(len(film))]
    assert all(text.startswith("handshake/three_segments.py:") for text in drawn)
    assert plain(film.anew(2, 80)).splitlines()[0].split() == ["time", "#", "lab", "│", "│", "server"]
    assert plain(film.close(80, seed=7)).startswith("✓ conforms")


@pytest.mark.usefixtures("sandbox_works")
def test_few_rows_show_what_is_legal_and_leave_out_the_rest() -> None:
    with terminal("three_segments", rows=24) as one:
        one.at(1)
        one.types("\r", "\r")
        text = one.at(3)
        held_against("screen_24_rows", text)
        assert "SND.UNA" in text
        assert "◄─ SYN+ACK" in text
        one.types("q")
        assert one.ends() == 0
