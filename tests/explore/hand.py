"""A session in a test's hands: lines go in, steps and sentences come out; and what was saved, played again."""

from __future__ import annotations

import io
import itertools
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.explore.errors import CommandError
from lab.explore.ground import echoing
from lab.explore.session import Session, Step
from lab.explore.shell import Shell
from lab.report.terminal import Screen
from lab.scenario.catalogue import load
from lab.scenario.play import play
from lab.scenario.record import Call, Packet, Result, Verdict
from lab.tcp.segment import letters
from lab.testbed.sandbox import Sandboxes

ROOT = Path(__file__).parent.parent.parent
FAMILIES = ("ipv4", "ipv6")
FINE = {Verdict.CONFORMS, Verdict.PERMITTED, Verdict.DEVIATES}


class Hand:
    """A shell on ground of its own, whose screen is a text."""

    def __init__(
        self,
        sandboxes: Sandboxes,
        out: Path,
        *,
        family: Any = "ipv4",
        seed: int = 1,
        width: int = 80,
        panel: bool = True,
        serve: str | None = None,
        path: Sequence[str] = (),
        sysctls: dict[str, str] | None = None,
        echoes: bool = False,
    ) -> None:
        """`echoes`: the server of `serve` was said to send each message back."""
        self.screen = Screen(width=width)
        self.paper = io.StringIO()
        self.screen.console.file = self.paper
        self.grounds = 0

        def begin(name: str) -> Session:
            self.grounds += 1
            testbed = sandboxes.make(serve=serve, path=path, sysctls=sysctls)
            return Session(testbed, family, seed=seed, name=name, echoing=echoing(own=serve is None, told=echoes))

        self.shell = Shell(begin, self.screen, panel=panel, out=out)
        self.out = out

    @property
    def session(self) -> Session:
        """The session under way."""
        return self.shell.session

    def __enter__(self) -> Hand:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.testbed.close()

    # What is typed

    def do(self, *lines: str) -> Step:
        """Type the lines, each of which is a step; the last one's."""
        step: Step | None = None
        for line in lines:
            step = self.shell.do(line)
            assert step is not None, line
        assert step is not None
        return step

    def look(self, line: str) -> str:
        """What a line that only looks shows."""
        before = len(self.paper.getvalue())
        packets = len(self.session.bench.timeline)
        assert self.shell.do(line) is None
        assert len(self.session.bench.timeline) == packets, "whoever looks sends nothing"
        return self.paper.getvalue()[before:]

    def refused(self, line: str) -> str:
        """The sentence that a line gets which cannot be done: nothing has gone out then."""
        before = len(self.session.bench.timeline)
        try:
            self.shell.do(line)
        except CommandError as error:
            entries = self.session.bench.timeline[before:]
            assert not [e for e in entries if isinstance(e, Packet) and e.sender == "peer"], line
            return str(error)
        raise AssertionError(f"{line!r} was done")

    def end(self) -> Result:
        """The end of the session, and what it came to."""
        return self.shell.end()

    # What came of it

    @property
    def states(self) -> tuple[str, str]:
        """Where our end and the server's are, of the connection in hand."""
        connection = self.session.hand.connection
        return str(connection.peer_state), str(connection.server_state)

    @property
    def text(self) -> str:
        """All that was shown."""
        return self.paper.getvalue()

    # The scenario

    def saved(self, path: Path) -> Path:
        """The session as a file."""
        self.look(f"save {path}")
        return path


def packets(step: Step, *, repeats: bool = False) -> list[str]:
    """The segments of a step: `> S 0`, `< SA 0 1`, with the relative numbers.

    Not what a timer of the server's repeats before our first segment, unless `repeats` are wanted: a busy machine may
    let a fifth of a second pass between two steps. One that comes behind a segment of ours stands there.
    """
    shown = [e for e in step.entries if isinstance(e, Packet) and e.segment is not None]
    first = next((i for i, e in enumerate(shown) if e.sender == "peer"), len(shown))
    late = [] if repeats else [e for e in shown[:first] if e.sender == "server" and e.note == "retransmission"]
    return [said(e) for e in shown if e not in late]


def calls(step: Step) -> list[str]:
    """What was written into the record besides."""
    return [entry.text for entry in step.entries if isinstance(entry, Call)]


def said(packet: Packet) -> str:
    """A segment by direction, flags and relative numbers."""
    assert packet.segment is not None
    way = {"peer": ">", "server": "<"}.get(packet.sender, packet.sender)
    numbers = " ".join(str(n) for n in (packet.seq, packet.ack) if n is not None)
    payload = f" {packet.segment.payload.decode(errors='replace')}" if packet.segment.payload else ""
    return f"{way} {letters(packet.segment.flags)} {numbers}{payload}"


_places = itertools.count()


def played(path: Path, sandboxes: Sandboxes, *, family: Any = "ipv4", seed: int = 1, wrap: bool = False) -> Result:
    """The file as `lab run` plays it: read anew each time, since a reader may remember what a path held.

    `wrap`: with the last number of the circle as our first one, as in one of the two runs.
    """
    place = path.with_name(f"{path.stem}_{next(_places)}.py")
    shutil.copy(path, place)
    (scenario,) = load([str(place)])
    with sandboxes.make() as sandbox:
        return play(scenario, sandbox, family, seed=seed, wrap=wrap, alone=True)


def conforms(
    path: Path,
    sandboxes: Sandboxes,
    *,
    times: int = 1,
    seeds: Sequence[int] = (1, 7),
    families: Sequence[str] = FAMILIES,
) -> None:
    """The file conforms over both families, so many times, with other seeds as well."""
    for _ in range(times):
        for family, seed in itertools.product(families, seeds):
            result = played(path, sandboxes, family=family, seed=seed)
            first = result.problems[0] if result.problems else None
            assert result.verdict in FINE, f"{family} {seed}: {first}\n{path.read_text()}"


def is_well_formed(*paths: Path) -> None:
    """`ruff` finds nothing in the files by this project's settings, and would write them the same."""
    ruff = [sys.executable, "-m", "ruff"]
    settings = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    for command in (["check"], ["format", "--check", "--diff"]):
        line = [*ruff, *command, *settings, *map(str, paths)]
        done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)  # where `lab` is known for what it is
        assert done.returncode == 0, done.stdout + done.stderr
