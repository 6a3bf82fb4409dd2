"""Nothing is left behind: no process, no namespace, whoever of them is killed and whenever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import testbeds

import lab
from lab.testbed.errors import CannotRun
from lab.testbed.sandbox import Sandbox, Sandboxes

HERE = Path(__file__).parent
ROOT = Path(lab.__file__).parent.parent

LAB = """
import sys, time
from lab.testbed.sandbox import Sandbox, Sandboxes
sandboxes = Sandboxes()
channels = [sandboxes.request(*sys.argv[1:2], path=sys.argv[2:]) for _ in range(3)]
made = [Sandbox.adopt(channel, agent=len(sys.argv) < 2) for channel in channels]
print(sandboxes._zygote.pid, *(sandbox.facts["pid"] for sandbox in made), flush=True)
time.sleep(60)
"""


class Lab:
    """A lab in a process of its own, with three sandboxes."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAB, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            process_group=0,
        )
        try:
            assert self.process.stdout is not None
            self.zygote, *self.children = map(int, self.process.stdout.readline().split())
            self.namespaces = {testbeds.namespace_of(pid) for pid in self.children}
            assert len(self.namespaces) == 3
        except BaseException:
            self.close()
            raise

    def is_over(self) -> bool:
        """Whether all that it made is gone."""
        pids = [self.zygote, *self.children]
        return all(map(testbeds.is_gone, pids)) and not testbeds.in_use(self.namespaces)

    def close(self) -> None:
        """End it, if it has not ended."""
        self.process.kill()
        self.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("server", [(), ("raw_server:stubborn", str(HERE))], ids=["agent", "stubborn"])
def test_nothing_outlives_the_lab(working: None, number: signal.Signals, server: tuple[str, ...]) -> None:
    one = Lab(*server)
    try:
        one.process.send_signal(number)
        one.process.wait(10)
        assert testbeds.eventually(one.is_over)
    finally:
        one.close()


def test_nothing_outlives_the_helper(working: None) -> None:
    one = Lab("raw_server:stubborn", str(HERE))
    try:
        os.kill(one.zygote, signal.SIGKILL)
        assert testbeds.eventually(lambda: all(map(testbeds.is_gone, one.children)))
        assert testbeds.in_use(one.namespaces) == set()
    finally:
        one.close()


def test_the_helper_is_started_anew(sandboxes: Sandboxes) -> None:
    with sandboxes.make() as sandbox:
        assert sandboxes._zygote is not None
        os.kill(sandboxes._zygote.pid, signal.SIGKILL)
        assert testbeds.eventually(lambda: testbeds.is_gone(sandbox.facts["pid"]))
        sandboxes._zygote.wait()
    with sandboxes.make() as sandbox:
        assert sandbox.agent is not None
        sandbox.agent.ping()


@pytest.mark.parametrize("server", [None, "raw_server:stubborn"])
def test_closing_leaves_nothing(working: None, server: str | None) -> None:
    with Sandboxes() as sandboxes:
        made = [Sandbox.adopt(sandboxes.request(server, path=[HERE]), agent=server is None) for _ in range(3)]
        namespaces = {testbeds.namespace_of(sandbox.facts["pid"]) for sandbox in made}
        assert sandboxes._zygote is not None
        zygote = sandboxes._zygote.pid
        for sandbox in made:
            sandbox.close()
    assert all(testbeds.is_gone(sandbox.facts["pid"]) for sandbox in made)
    assert testbeds.is_gone(zygote)
    assert testbeds.in_use(namespaces) == set()


def test_sandboxes_that_nobody_closed_end_with_their_maker(working: None) -> None:
    with Sandboxes() as sandboxes:
        sandbox = sandboxes.make()
    assert testbeds.is_gone(sandbox.facts["pid"])
    sandbox.close()


def test_a_sandbox_that_nobody_adopts_ends(sandboxes: Sandboxes) -> None:
    for _ in range(3):
        sandboxes.request().close()
    with sandboxes.make() as one:
        assert sandboxes._zygote is not None
        zygote = sandboxes._zygote.pid
        assert testbeds.eventually(lambda: testbeds.children_of(zygote) == {one.facts["pid"]})


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def test_no_descriptor_is_left(sandboxes: Sandboxes) -> None:
    sandboxes.make().close()
    before = descriptors()
    sandboxes.make().close()
    with pytest.raises(CannotRun):
        sandboxes.make(sysctls={"net.no.such": "1"})
    with pytest.raises(CannotRun):
        sandboxes.make("no_such_module:serve")
    assert descriptors() == before


def test_a_helper_that_is_killed_while_it_works_cannot_run(working: None) -> None:
    with Sandboxes() as sandboxes:
        sandboxes.start()
        assert sandboxes._zygote is not None
        os.kill(sandboxes._zygote.pid, signal.SIGSTOP)
        channel = sandboxes.request()
        os.kill(sandboxes._zygote.pid, signal.SIGKILL)
        with pytest.raises(CannotRun, match="helper process ended"):
            Sandbox.adopt(channel)
