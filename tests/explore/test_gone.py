"""The server dies, the link goes down, a kernel speaks in the lab's place, the lab itself is killed: it is said in a
sentence, what was seen is kept, `restart` begins anew, and nothing is left behind.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hand import FINE, Hand, packets
from processes import ROOT
from terminal import at_prompt, terminal

from lab.explore.errors import Over
from lab.scenario.record import Verdict
from lab.server.client import AgentGone
from lab.tcp.segment import RST, Segment
from lab.testbed.sandbox import Sandbox, Sandboxes
from lab.wire.errors import LinkError
from lab.wire.link import Captured

BROKEN = ROOT / "tests" / "broken"
sys.path += [str(ROOT / "tests" / "testbed"), str(BROKEN)]

import testbeds  # noqa: E402
from broken_servers import entry_point  # noqa: E402

KEPT = ("ladder", "history", "states", "why", "legal", "diagram", "layers")


def sandbox_of(hand: Hand) -> Sandbox:
    testbed = hand.session.testbed
    assert isinstance(testbed, Sandbox)
    return testbed


def kill_the_server(hand: Hand) -> None:
    pid = sandbox_of(hand).facts["pid"]
    os.kill(pid, signal.SIGKILL)
    assert testbeds.eventually(lambda: testbeds.is_gone(pid))


def take_the_link_away(hand: Hand) -> None:
    sandbox_of(hand).link.close()


@pytest.mark.parametrize("goes", [kill_the_server, take_the_link_away], ids=["server", "link"])
def test_what_was_seen_is_kept_and_it_begins_anew(hand: Hand, tmp_path: Path, goes: Callable[[Hand], None]) -> None:
    hand.do("syn", "ack", "server accept")
    goes(hand)
    try:
        step = hand.shell.do('data "hello"')
    except Over:
        step = None
    assert hand.session.over, step
    assert "\n" not in hand.session.over
    with pytest.raises(Over, match="`restart` begins anew"):
        hand.shell.do("ack")
    for line in KEPT:
        assert hand.look(line), line
    hand.look(f"save {tmp_path / 'kept'}")
    hand.look(f"pcap {tmp_path / 'kept'}")
    compile((tmp_path / "kept.py").read_text(), "kept.py", "exec")
    assert (tmp_path / "kept.pcapng").stat().st_size > 500
    assert hand.shell.do("restart") is None
    assert hand.grounds == 2
    assert hand.shell.ended[0].verdict is Verdict.INCONCLUSIVE
    assert (tmp_path / "explore-ipv4.pcapng").exists()
    assert packets(hand.do("syn")) == ["> S 0", "< SA 0 1"]
    assert hand.end().verdict in FINE
    assert hand.shell.run("0", "sandbox").exit_code == 3


def switch_off_the_other_end(hand: Hand) -> None:
    code = (
        "from pyroute2 import IPRoute as I; r = I(); r.link('set', index=r.link_lookup(ifname='srv0')[0], state='down')"
    )
    pid = sandbox_of(hand).facts["pid"]
    subprocess.run(["nsenter", "-t", str(pid), "-n", sys.executable, "-c", code], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="to enter the sandbox's network namespace needs root")
@pytest.mark.parametrize("line", ['data "hello"', "fin"])
def test_a_link_without_a_carrier_is_no_silence_of_the_servers(hand: Hand, line: str) -> None:
    hand.do("syn", "ack", "server accept")
    switch_off_the_other_end(hand)
    step = hand.shell.do(line)
    assert step is not None
    assert [p for p in step.problems if p.verdict is Verdict.VIOLATES] == []
    assert "has no carrier: plug it in, or bring its other end up" in hand.session.over
    assert hand.end().verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("server", "lines"),
    [
        ("syn_ack_acks_x", ("syn",)),  # the wire
        ("fin_not_counted", ("syn", "ack", "server accept", "fin")),
        ("closed_port_silent", ("new closed", "syn")),  # silence
    ],
)
def test_nobody_is_blamed_where_link_or_server_is_gone(
    sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str, lines: tuple[str, ...]
) -> None:
    def link_gone() -> None:
        raise LinkError("There is no interface peer0")

    def server_gone() -> None:
        raise AgentGone("its agent has vanished")

    for gone in (None, link_gone, server_gone):
        with Hand(sandboxes, tmp_path, serve=entry_point(server), path=[str(BROKEN)]) as hand:
            for line in lines[:-1]:
                hand.do(line)
            agent = sandbox_of(hand).agent
            assert agent is not None
            if gone is not None:
                monkeypatch.setattr(*((sandbox_of(hand).link, "check") if gone is link_gone else (agent, "ping")), gone)
            step = hand.shell.do(lines[-1])
            assert step is not None
            verdicts = {problem.verdict for problem in step.problems}
            assert verdicts == {Verdict.INCONCLUSIVE if gone else Verdict.VIOLATES}
            assert bool(hand.session.over) is bool(gone)


def test_what_the_kernel_of_a_dead_server_resets_is_no_fault_of_its_tcp(hand: Hand, tmp_path: Path) -> None:
    """It ends what its processes held, and the lab may hear of that before it hears that nobody answers any more.

    Or the link goes with the server first: which it is, the kernel decides.
    """
    hand.do("syn", "ack", "server accept", 'data "hello"')
    kill_the_server(hand)
    link = sandbox_of(hand).link.fileno()
    assert select.select([link], [], [], 10.0)[0], "what came of it"
    step = hand.session.overhear()
    assert step is not None
    assert [problem.verdict for problem in step.problems] == [Verdict.INCONCLUSIVE]
    hand.look(f"save {tmp_path / 'kept'}")
    assert 'flags="R' not in (tmp_path / "kept.py").read_text()
    assert hand.end().verdict is Verdict.INCONCLUSIVE


def test_gone_while_nobody_types(hand: Hand) -> None:
    hand.do("syn")
    kill_the_server(hand)
    hand.shell.overhear()
    with contextlib.suppress(Over):
        hand.do("ack")
    with pytest.raises(Over, match="the server is gone: its agent has vanished"):
        hand.do("ack")


def test_gone_in_the_middle_of_a_wait(hand: Hand) -> None:
    hand.do("syn")
    killed: list[bool] = []

    def kill_once() -> None:
        if not killed:
            killed.append(True)
            kill_the_server(hand)

    hand.session.on_wait = kill_once
    hand.shell.do("wait 600")
    assert hand.session.over
    assert hand.end().verdict is Verdict.INCONCLUSIVE


def test_gone_before_the_end_is_known(hand: Hand) -> None:
    hand.do("syn")
    kill_the_server(hand)
    assert hand.end().verdict is Verdict.INCONCLUSIVE
    assert "Traceback" not in hand.text


def test_this_machines_own_kernel_speaks_in_our_place(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    hand.do("syn", "ack")
    session, link = hand.session, sandbox_of(hand).link
    connection = session.hand.connection
    port = connection.server_port
    assert port is not None
    frame = session.bench.frame_for(Segment(RST, connection.conversation.peer.snd_nxt), connection.peer_port, port)
    drain, spoken = link.drain, []

    def drained() -> list[Captured]:
        some = drain()
        if not spoken:
            spoken.append(True)
            some = [Captured(frame, session.bench._began + session.bench.now(), True, True), *some]
        return some

    monkeypatch.setattr(link, "drain", drained)
    step = hand.do('data "x"')
    assert [problem.message for problem in step.problems] == [
        f"this machine's own kernel sent a RST from {session.bench.peer_address}, the address the lab plays"
    ]
    assert "--address" in hand.text
    assert hand.look("ladder")
    assert hand.shell.do("restart") is None
    assert packets(hand.do("syn")) == ["> S 0", "< SA 0 1"]
    assert hand.shell.ended[0].verdict is Verdict.INCONCLUSIVE


# Nothing is left behind


@pytest.mark.usefixtures("sandbox_works")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda n: n.name)
def test_nothing_outlives_a_session(tmp_path: Path, number: signal.Signals) -> None:
    with terminal("--out", str(tmp_path)) as one:
        one.until(at_prompt)
        one.does("syn", "SYN+ACK")
        pids = [one.child.pid, *descendants(one.child.pid)]
        assert len(pids) > 1
        namespaces = {testbeds.namespace_of(pid) for pid in pids} - {testbeds.namespace_of(os.getpid())}
        assert namespaces
        os.kill(one.child.pid, number)
        code = one.ends()
        assert code in (128 + number, 128 + number & 0xFF)
        assert testbeds.eventually(lambda: all(map(testbeds.is_gone, pids)))
        assert testbeds.in_use(namespaces) == set()
        assert "Traceback" not in one.text
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {".explore-history", "explore-ipv4.pcapng"}
    if number is not signal.SIGKILL:
        assert "explore-ipv4.pcapng" in left, "what was seen is kept"


@pytest.mark.usefixtures("sandbox_works")
def test_nothing_outlives_a_terminal_that_is_closed(tmp_path: Path) -> None:
    with terminal("--out", str(tmp_path)) as one:
        one.until(at_prompt)
        pids = [one.child.pid, *descendants(one.child.pid)]
        one.child.close(force=False)
        assert testbeds.eventually(lambda: all(map(testbeds.is_gone, pids)))


@pytest.mark.usefixtures("sandbox_works")
def test_a_terminal_is_told_that_the_server_is_gone(tmp_path: Path) -> None:
    with terminal("--out", str(tmp_path)) as one:
        one.until(at_prompt)
        one.does("syn", "SYN+ACK")
        # The sandbox's own processes are those in other network namespaces than the lab's.
        here = testbeds.namespace_of(one.child.pid)
        for pid in descendants(one.child.pid):
            if testbeds.namespace_of(pid) != here:
                os.kill(pid, signal.SIGKILL)
        one.until("is gone", at_prompt)
        one.does("ladder", "SYN+ACK")
        one.types("\x04")
        assert one.ends() == 3


def descendants(pid: int) -> list[int]:
    """Every process that it has started, and those of theirs."""
    found = []
    for child in testbeds.children_of(pid):
        found += [child, *descendants(child)]
    return found
