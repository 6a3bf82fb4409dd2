"""The sandbox: a real server, reached with frames made by hand, and nothing else on the wire."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
import testbeds

from lab.server.client import AgentError, AgentGone
from lab.tcp.segment import ACK, FIN, PSH, RST, SYN, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import State
from lab.testbed.errors import CannotRun
from lab.testbed.sandbox import Sandbox, Sandboxes

FAMILIES = ("ipv4", "ipv6")
X = Seq(0xFFFFFFFF)
HERE = Path(__file__).parent


def agent_of(sandbox: Sandbox):  # type: ignore[no-untyped-def]
    assert sandbox.agent is not None
    return sandbox.agent


@pytest.mark.parametrize("family", FAMILIES)
def test_a_connection_by_hand_with_the_kernels_word_at_every_step(sandbox: Sandbox, family: str) -> None:
    agent = agent_of(sandbox)
    listener, port = agent.listen(family)
    server, peer = sandbox.server_address(family), sandbox.peer_address(family)
    assert server is not None
    assert peer is not None

    def state() -> State:
        found: State = agent.state(family, (server, port), (peer, 5000))
        return found

    assert state() == State.CLOSED
    testbeds.send(sandbox, family, port, Segment(SYN, X))
    (syn_ack,) = testbeds.answers(sandbox)
    assert (syn_ack.flags, syn_ack.ack) == (SYN | ACK, Seq(0))
    assert state() == State.SYN_RECEIVED
    y = syn_ack.seq
    testbeds.send(sandbox, family, port, Segment(ACK, X + 1, y + 1))
    assert state() == State.ESTABLISHED
    accepted = agent.accept(listener)
    assert (accepted.address, accepted.port) == (peer, 5000)
    testbeds.send(sandbox, family, port, Segment(ACK | PSH, X + 1, y + 1, payload=b"hello"))
    assert agent.receive(accepted.socket) == (b"hello", False)
    testbeds.answers(sandbox)
    agent.close(accepted.socket)
    (fin,) = testbeds.answers(sandbox)
    assert (fin.flags, fin.seq, fin.ack) == (FIN | ACK, y + 1, X + 6)
    assert state() == State.FIN_WAIT_1
    testbeds.send(sandbox, family, port, Segment(ACK, X + 6, y + 2))
    assert state() == State.FIN_WAIT_2
    testbeds.send(sandbox, family, port, Segment(FIN | ACK, X + 6, y + 2))
    (last,) = testbeds.answers(sandbox)
    assert (last.flags, last.ack) == (ACK, X + 7)
    assert state() == State.TIME_WAIT


def test_the_server_may_call(sandbox: Sandbox) -> None:
    agent = agent_of(sandbox)
    sock, own = agent.connect_to("ipv4", "198.51.100.2", 4000)
    (syn,) = testbeds.answers(sandbox)
    assert syn.flags == SYN
    testbeds.send(sandbox, "ipv4", own, Segment(SYN | ACK, X, syn.seq + 1), own=4000)
    agent.connected(sock)
    assert [s.flags for s in testbeds.answers(sandbox)] == [ACK]


def test_a_simultaneous_open_is_connected_only_when_it_stands(sandbox: Sandbox) -> None:
    agent = agent_of(sandbox)
    sock, own = agent.connect_to("ipv4", "198.51.100.2", 4000)
    (syn,) = testbeds.answers(sandbox)
    testbeds.send(sandbox, "ipv4", own, Segment(SYN, X), own=4000)
    (syn_ack,) = testbeds.answers(sandbox)
    assert syn_ack.flags == SYN | ACK
    assert agent.state("ipv4", ("198.51.100.1", own), ("198.51.100.2", 4000)) == State.SYN_RECEIVED
    with pytest.raises(AgentError) as caught:
        agent.connected(sock, timeout=0)
    assert caught.value.kind == "timeout"
    testbeds.send(sandbox, "ipv4", own, Segment(ACK, X + 1, syn.seq + 1), own=4000)
    agent.connected(sock)


@pytest.mark.parametrize("family", FAMILIES)
def test_silence_is_exact(sandbox: Sandbox, family: str) -> None:
    """In 500 of 500 tries the answer is queued when send returns, and a wrong checksum is answered by nothing."""
    port = agent_of(sandbox).closed_port(family)
    for n in range(500):
        testbeds.send(sandbox, family, port, Segment(SYN, X), own=1000 + n)
        assert [s.flags for s in testbeds.answers(sandbox)] == [RST | ACK]
        testbeds.send(sandbox, family, port, Segment(SYN, X), own=1000 + n, checksum=0x1234)
        assert testbeds.answers(sandbox) == []


def test_the_wire_holds_what_the_scenario_makes_and_nothing_else(sandboxes: Sandboxes) -> None:
    """No MLD, no router solicitation, no ARP of the server's kernel, in the seconds in which they would come."""
    with sandboxes.make() as sandbox, sandboxes.make() as busy:
        _, port = agent_of(busy).listen("ipv6")
        testbeds.send(busy, "ipv6", port, Segment(SYN, X))
        testbeds.answers(busy)
        assert sandbox.link.wait(2.5) == []
        assert all(captured.frame[20] == 6 for captured in busy.link.drain())  # TCP: the SYN+ACK again
        assert sandbox.link.statistics() == (0, 0)


def test_frames_are_as_a_wire_would_carry_them(sandbox: Sandbox) -> None:
    """No offloads: segments no longer than the MSS, with their checksums computed."""
    from lab.wire.codec import TcpFrame, decode

    agent = agent_of(sandbox)
    listener, port = agent.listen("ipv4")
    testbeds.send(sandbox, "ipv4", port, Segment(SYN, X, options=b"\x02\x04\x05\xb4"))
    (syn_ack,) = testbeds.answers(sandbox)
    testbeds.send(sandbox, "ipv4", port, Segment(ACK, X + 1, syn_ack.seq + 1))
    agent.send(agent.accept(listener).socket, bytes(10_000))
    captured = sandbox.link.drain()
    frames = [decode(c.frame) for c in captured]
    assert all(c.checksum_ready for c in captured)
    assert all(isinstance(f, TcpFrame) and f.checksum_correct and len(f.segment.payload) <= 1460 for f in frames)
    assert sum(len(f.segment.payload) for f in frames if isinstance(f, TcpFrame)) == 10_000


def test_settings_are_as_asked(sandboxes: Sandboxes) -> None:
    assert Path("/proc/sys/net/ipv4/tcp_fin_timeout").read_text().strip() != "7"
    with sandboxes.make(sysctls={"net.ipv4.tcp_fin_timeout": "7"}) as sandbox:
        assert sandbox.settings["net.ipv4.tcp_fin_timeout"] == "7"
        assert agent_of(sandbox).settings["net.ipv4.tcp_fin_timeout"] == "7"
        assert sandbox.settings["net.ipv4.tcp_invalid_ratelimit"] == "0"
        assert sandbox.settings["net.ipv4.tcp_no_metrics_save"] == "1"
        assert sandbox.settings["net.ipv4.tcp_congestion_control"] == "reno"


def test_a_setting_that_is_none_cannot_run(sandboxes: Sandboxes) -> None:
    with pytest.raises(CannotRun, match=r"net\.ipv4\.tcp_no_such"):
        sandboxes.make(sysctls={"net.ipv4.tcp_no_such": "1"})


def test_it_is_a_testbed(sandbox: Sandbox) -> None:
    assert sandbox.name == "sandbox"
    assert sandbox.settle == "exact"
    assert sandbox.kernel.startswith("Linux ")
    assert sandbox.peer_mac == sandbox.link.mac == bytes.fromhex("020000000002")
    assert sandbox.server_mac == bytes.fromhex("020000000001")
    assert [sandbox.peer_address(f) for f in FAMILIES] == ["198.51.100.2", "2001:db8::2"]
    assert [sandbox.server_address(f) for f in FAMILIES] == ["198.51.100.1", "2001:db8::1"]


def test_sandboxes_know_nothing_of_each_other(sandboxes: Sandboxes) -> None:
    channels = [sandboxes.request() for _ in range(8)]
    made = [Sandbox.adopt(channel) for channel in channels]
    try:
        ports = [agent_of(sandbox).listen("ipv4", 4000)[1] for sandbox in made]
        assert ports == [4000] * 8
        testbeds.send(made[3], "ipv4", 4000, Segment(SYN, X))
        assert [len(testbeds.answers(sandbox)) for sandbox in made] == [0, 0, 0, 1, 0, 0, 0, 0]
    finally:
        for sandbox in made:
            sandbox.close()


def test_threads_may_share_them(working: None) -> None:
    """Also the thread that starts the helper may end: the helper must not end with it."""
    failures: list[BaseException] = []

    def use(sandboxes: Sandboxes) -> None:
        try:
            with sandboxes.make() as sandbox:
                agent_of(sandbox).ping()
        except BaseException as error:
            failures.append(error)

    with Sandboxes() as sandboxes:
        for _ in range(2):
            threads = [threading.Thread(target=use, args=(sandboxes,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        use(sandboxes)
    assert failures == []


def test_a_server_that_is_no_kernel(sandboxes: Sandboxes) -> None:
    channel = sandboxes.request("raw_server:reflect", path=[HERE])
    with Sandbox.adopt(channel, agent=False) as sandbox:
        assert sandbox.settle == "wait"
        assert sandbox.agent is None
        with sandbox.channel.makefile() as lines:
            assert json.loads(lines.readline()) == {"interface": "srv0", "mac": "02:00:00:00:00:01"}
        testbeds.send(sandbox, "ipv6", 80, Segment(SYN, X))
        (reflected,) = sandbox.link.wait(5)
        assert reflected.frame[:12] == sandbox.peer_mac + sandbox.server_mac
        # Its kernel has no address and says nothing of its own: neither a RST nor anything of IPv6.
        assert sandbox.link.wait(0.5) == []


def test_a_server_that_is_no_kernel_may_speak_the_agents_protocol(sandboxes: Sandboxes) -> None:
    with sandboxes.make("raw_server:hello", path=[HERE]) as sandbox:
        assert sandbox.settle == "agent"
        assert agent_of(sandbox).raw
        agent_of(sandbox).ping()


@pytest.mark.parametrize("name", ["no_such_module:serve", "raw_server:no_such_function"])
def test_a_server_that_cannot_be_loaded_cannot_run(sandboxes: Sandboxes, name: str) -> None:
    with pytest.raises(CannotRun, match=name):
        sandboxes.make(name, path=[HERE])


def test_a_dead_server_is_gone(sandbox: Sandbox) -> None:
    import os
    import signal

    os.kill(sandbox.facts["pid"], signal.SIGKILL)
    with pytest.raises(AgentGone):
        agent_of(sandbox).ping()


def test_closing_twice_does_nothing(sandboxes: Sandboxes) -> None:
    sandbox = sandboxes.make()
    sandbox.close()
    sandbox.close()
    sandboxes.close()
    sandboxes.close()
    with sandboxes.make() as again:  # it starts its helper anew
        agent_of(again).ping()


def test_it_is_quick(sandboxes: Sandboxes) -> None:
    """Some 10 ms each where the machine is idle; a tenth of a second would tell that something waits for a timer."""
    sandboxes.make().close()
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        with sandboxes.make():
            best = min(best, time.perf_counter() - began)
    assert best < 0.1


def connected_by_hand(sandbox: Sandbox, family: str, port: int) -> Seq:
    """Shakes hands with the kernel; returns the number that its next octet has."""
    testbeds.send(sandbox, family, port, Segment(SYN, X))
    (syn_ack,) = testbeds.answers(sandbox)
    testbeds.send(sandbox, family, port, Segment(ACK, X + 1, syn_ack.seq + 1))
    return syn_ack.seq + 1


def said(sandbox: Sandbox) -> Segment:
    """The first segment to come with octets, or FIN, or RST: a program's, which takes its time."""
    found: list[Segment] = []

    def spoke() -> bool:
        found.extend(s for s in testbeds.answers(sandbox) if s.payload or s.flags & (FIN | RST))
        return bool(found)

    assert testbeds.eventually(spoke)
    return found[0]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("preload", [False, True])
def test_the_websocket_service_and_what_its_program_was_told(sandboxes: Sandboxes, family: str, preload: bool) -> None:
    with sandboxes.make(websocket=preload) as sandbox:
        agent = agent_of(sandbox)
        port, peer = agent.services()["websocket"], sandbox.peer_address(family)
        y = connected_by_hand(sandbox, family, port)
        request = (
            b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        testbeds.send(sandbox, family, port, Segment(ACK | PSH, X + 1, y, payload=request))
        answer = said(sandbox)
        assert answer.payload.startswith(b"HTTP/1.1 101 ")
        assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer.payload
        assert peer is not None
        assert agent.program(family, (peer, 5000), timeout=0).open
        testbeds.send(sandbox, family, port, Segment(RST, X + 1 + len(request)))
        assert agent.program(family, (peer, 5000)).code == 1006


def test_a_program_of_ones_own_is_the_websocket_service(sandboxes: Sandboxes) -> None:
    with sandboxes.make("raw_server:shouting", path=[HERE], websocket=True) as sandbox:
        agent = agent_of(sandbox)
        assert sandbox.settle == "exact"
        assert not agent.raw
        port = agent.services()["websocket"]
        y = connected_by_hand(sandbox, "ipv4", port)
        testbeds.send(sandbox, "ipv4", port, Segment(ACK | PSH, X + 1, y, payload=b"hello"))
        assert said(sandbox).payload == b"HELLO"
        with pytest.raises(AgentError, match="does not say what it is told", check=lambda e: e.kind == "unknown"):
            agent.program("ipv4", ("198.51.100.2", 5000))
        # It falls over: that connection is gone, and nothing else.
        testbeds.send(sandbox, "ipv4", port, Segment(ACK | PSH, X + 6, y + 5, payload=b"well?"))
        assert said(sandbox).flags & (FIN | RST)
        agent.ping()


def test_a_name_that_is_no_function_is_an_obstacle(sandboxes: Sandboxes) -> None:
    with pytest.raises(CannotRun, match="raw_server:json is no function"):
        sandboxes.make("raw_server:json", path=[HERE])
