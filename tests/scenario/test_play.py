"""One scenario played: what makes a verdict, and what must not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from lab.scenario import Peer, Server, State
from lab.scenario.catalogue import load
from lab.scenario.declare import Scenario
from lab.scenario.play import play
from lab.scenario.record import Call, Packet, Result, Verdict
from lab.tcp.segment import RST, Segment
from lab.testbed.sandbox import Sandbox, Sandboxes
from lab.wire.link import Captured

Script = Callable[[Peer, Server], None]


@pytest.fixture
def sandbox(sandbox_works: None) -> Iterator[Sandbox]:
    with Sandboxes() as sandboxes, sandboxes.make() as made:
        yield made


def told(script: Script, sandbox: Sandbox, family: Any = "ipv4", *, wrap: bool = False, seed: int = 1) -> Result:
    scenario = Scenario(script, "A test's", ("RFC 9293 §3.5",), name="test/script", path=Path(__file__), line=1)
    return play(scenario, sandbox, family, seed=seed, wrap=wrap)


def opens(peer: Peer, server: Server) -> None:
    server.listen()
    peer.open()


def test_what_conforms(sandbox: Sandbox) -> None:
    result = told(opens, sandbox)
    assert result.verdict is Verdict.CONFORMS
    assert result.witnesses == ("wire", "socket", "model")
    assert result.silence == "exact"
    assert result.dropped == 0
    assert [p.sender for p in result.packets] == ["peer", "server", "peer"]
    assert [(p.seq, p.ack) for p in result.packets] == [(0, None), (0, 1), (1, 1)]
    assert [p.server_state for p in result.packets] == ["SYN-RECEIVED", "SYN-RECEIVED", "ESTABLISHED"]
    assert [p.peer_state for p in result.packets] == ["SYN-SENT", "ESTABLISHED", "ESTABLISHED"]
    assert all(p.rule.startswith("RFC 9293 §3.10.7") for p in result.packets)


def test_a_wrong_expectation_names_line_field_and_both_packets(sandbox: Sandbox) -> None:
    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.send(TCP(flags="S"))
        peer.expect(TCP(flags="SA", ack=peer.iss + 2))

    result = told(script, sandbox)
    assert result.verdict is Verdict.VIOLATES
    (problem,) = result.problems
    assert problem.field == "ack"
    assert problem.expected.startswith("2 ")
    assert problem.observed.startswith("1 ")
    assert problem.expected_packet == "< SA ack 2"
    assert problem.observed_packet == "< SA seq 0 ack 1"
    assert problem.source == 'peer.expect(TCP(flags="SA", ack=peer.iss + 2))'
    assert problem.frame == 2
    assert problem.socket == "SYN-RECEIVED"
    assert problem.model == "server SYN-RECEIVED, lab ESTABLISHED"
    assert result.packets[1].problem == 0


@pytest.mark.parametrize(
    ("packet", "field"),
    [
        (TCP(flags="A"), "flags"),
        (TCP(window=1), "window"),
        (TCP(options=[("MSS", 1)]), "options"),
        (TCP() / b"data", "payload"),
        (TCP(chksum=1), "checksum"),
        (IP(ttl=1) / TCP(), "ttl"),
        (TCP(dport=1), "dport"),
    ],
)
def test_each_field_that_a_script_sets_is_compared(sandbox: Sandbox, packet: Any, field: str) -> None:
    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.send(TCP(flags="S"))
        peer.expect(packet)

    result = told(script, sandbox)
    assert result.verdict is Verdict.VIOLATES
    assert result.problems[0].field == field


def test_fields_that_a_script_sets_go_out_as_they_are(sandbox: Sandbox) -> None:
    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.send(TCP(flags="S", chksum=0xDEAD))
        peer.expect_silence()
        server.is_in(State.CLOSED)
        peer.send(Ether() / IP(id=7) / TCP(flags="S", window=9))
        peer.expect(TCP(flags="SA"))

    result = told(script, sandbox)
    assert result.verdict is Verdict.CONFORMS, result.problems
    assert result.packets[0].note == "bad checksum"
    assert result.packets[1].segment is not None
    assert result.packets[1].segment.window == 9
    assert result.packets[1].frame[18:20] == b"\0\x07"


def test_silence_that_is_broken(sandbox: Sandbox) -> None:
    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.send(TCP(flags="S"))
        peer.expect_silence()

    result = told(script, sandbox)
    assert result.verdict is Verdict.VIOLATES
    assert result.problems[0].field == "silence"
    assert result.problems[0].observed == "< SA seq 0 ack 1"


def test_what_does_not_come(sandbox: Sandbox) -> None:
    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.open()
        peer.expect(TCP(flags="FA"), within=0.05)

    result = told(script, sandbox)
    assert result.verdict is Verdict.VIOLATES
    assert result.problems[0].message == "the server's FA did not come within 0.05 s"
    assert result.problems[0].observed == "nothing"


def test_a_wrong_state_names_the_witness(sandbox: Sandbox) -> None:
    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.open()
        server.is_in(State.CLOSE_WAIT)

    result = told(script, sandbox)
    assert result.verdict is Verdict.VIOLATES
    assert (result.problems[0].field, result.problems[0].expected, result.problems[0].observed) == (
        "state",
        "CLOSE-WAIT",
        "ESTABLISHED",
    )


def test_the_programs_side_is_checked_too(sandbox: Sandbox) -> None:
    def script(peer: Peer, server: Server) -> None:
        listener = server.listen()
        peer.open()
        connection = listener.accept(peer)
        peer.send(TCP() / b"hello")
        connection.receives(b"hullo")

    result = told(script, sandbox)
    assert result.verdict is Verdict.VIOLATES
    assert (result.problems[0].field, result.problems[0].expected, result.problems[0].observed) == (
        "payload",
        "b'hullo'",
        "b'hello'",
    )


def test_nothing_seen_is_no_proof(sandbox: Sandbox) -> None:
    result = told(lambda peer, server: None, sandbox)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "nothing was verified" in result.problems[0].message


def test_a_scripts_mistake_says_nothing_about_the_server(sandbox: Sandbox) -> None:
    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.open()
        raise ZeroDivisionError("oops")

    result = told(script, sandbox)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.problems[0].message == "the script itself failed: ZeroDivisionError: oops"
    assert result.problems[0].source == 'raise ZeroDivisionError("oops")'
    assert "says nothing about the server" in result.problems[0].next_step


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (lambda peer, server: peer.send(TCP(flags="S")), "call server.listen() first"),
        (lambda peer, server: (server.listen(), peer.expect(Ether())), "expect takes a Scapy packet with a TCP layer"),
        (lambda peer, server: peer.wait(-1), "-1 is no time to wait"),
        (lambda peer, server: peer.iss < peer.iss, "sequence numbers lie on a circle"),
    ],
)
def test_misuse_is_said_in_a_sentence(sandbox: Sandbox, script: Script, words: str) -> None:
    result = told(script, sandbox)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert words in result.problems[0].message


def test_an_agent_that_vanishes_is_not_the_servers_fault(sandbox: Sandbox) -> None:
    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.open()
        os.kill(sandbox.facts["pid"], signal.SIGKILL)
        server.is_in(State.ESTABLISHED)

    result = told(script, sandbox)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.problems[0].message.startswith("the server's agent vanished in the middle of the run")


def test_a_server_that_dies_while_the_script_listens_is_not_blamed(sandbox: Sandbox) -> None:
    """Its kernel resets what it held; only the wire speaks, and no call tells the script why."""

    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.open()
        os.kill(sandbox.facts["pid"], signal.SIGKILL)
        peer.expect(TCP(flags="A"))

    result = told(script, sandbox)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.problems[0].message.startswith("the server's agent vanished in the middle of the run")


def test_a_reset_that_the_lab_did_not_send_spoils_the_run(sandbox: Sandbox) -> None:
    """As if this machine's kernel owned the peer's address: the capture holds an outgoing RST."""

    def script(peer: Peer, server: Server) -> None:
        server.listen()
        x, _ = peer.open()
        frame = peer.bench.frame_for(Segment(RST, x + 1), peer.port, peer.bench.port_of(peer.connection))
        captured = Captured(frame, 0.0, outgoing=True, checksum_ready=True, length=len(frame))
        monkey = peer.bench.testbed.link
        drained = iter([[captured]])
        monkey.drain = lambda: next(drained, [])  # type: ignore[method-assign]
        peer.bench.pump()

    result = told(script, sandbox)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "own kernel sent a RST" in result.problems[0].message
    assert result.packets[-1].sender == "kernel"


def test_frames_that_were_lost_make_no_verdict(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([(0, 0), (3, 1)])
    monkeypatch.setattr(type(sandbox.link), "statistics", lambda self: next(counts))

    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.send(TCP(flags="S"))
        peer.expect(TCP(flags="R"))

    result = told(script, sandbox)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "had to drop 1 captured frame" in result.problems[0].message


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_numbers_wrap_where_they_are_told_to(sandbox: Sandbox, family: str) -> None:
    result = told(opens, sandbox, family, wrap=True)
    assert result.isns["A"][0] == 2**32 - 1
    assert result.packets[2].segment is not None
    assert result.packets[2].segment.seq == 0


def test_the_same_seed_makes_the_same_choices(sandbox: Sandbox) -> None:
    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.open()

    first, second, third = (told(script, sandbox, seed=s) for s in (5, 5, 6))
    assert first.isns["A"][0] == second.isns["A"][0] != third.isns["A"][0]


def test_ipv6_goes_by_its_own_addresses(sandbox: Sandbox) -> None:
    def script(peer: Peer, server: Server) -> None:
        server.listen()
        peer.send(TCP(flags="S"))
        peer.expect(IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(flags="SA"))

    result = told(script, sandbox, "ipv6")
    assert result.verdict is Verdict.CONFORMS, result.problems


def test_a_permitted_choice_is_remarked_with_its_source(sandbox: Sandbox) -> None:
    (scenario,) = load(["repeated_syn"])
    result = play(scenario, sandbox, "ipv4", seed=1, wrap=True)
    assert result.verdict is Verdict.PERMITTED
    assert [r.choice for r in result.remarks] == ["synack-repeated"]
    assert result.remarks[0].source
    assert result.remarks[0].requirements


def test_calls_and_checks_stand_on_the_time_line(sandbox: Sandbox) -> None:
    def script(peer: Peer, server: Server) -> None:
        listener = server.listen()
        peer.open()
        listener.accept(peer).close()
        peer.expect(TCP(flags="FA"))

    result = told(script, sandbox)
    calls = [e.text for e in result.timeline if isinstance(e, Call)]
    assert calls == ["listen()", "accept()", "close()"]
    times = [e.time for e in result.timeline]
    assert all(a <= b + 0.01 for a, b in pairwise(times))
    assert [e.number for e in result.timeline if isinstance(e, Packet)] == [1, 2, 3, 4]


@pytest.mark.parametrize(("milliseconds", "verdict"), [("0", Verdict.CONFORMS), ("500", Verdict.INCONCLUSIVE)])
def test_what_the_kernel_may_leave_out_is_not_held_against_it(
    sandbox_works: None, milliseconds: str, verdict: Verdict
) -> None:
    """Out-of-window ACKs: with the limit set, Linux answers the first and stays silent to the second for a while."""

    def script(peer: Peer, server: Server) -> None:
        server.listen()
        x, y = peer.open()
        for _ in range(2):
            peer.send(TCP(flags="A", seq=x - 1000, ack=y + 1))
            peer.expect(TCP(flags="A", seq=y + 1, ack=x + 1), within=0.1)

    settings = {"net.ipv4.tcp_invalid_ratelimit": milliseconds}
    with Sandboxes() as sandboxes, sandboxes.make(sysctls=settings) as limited:
        result = told(script, limited)
    assert result.verdict is verdict, result.problems
    if verdict is Verdict.INCONCLUSIVE:
        assert "net.ipv4.tcp_invalid_ratelimit to 0" in result.problems[0].next_step


def test_a_sandbox_whose_helper_is_killed_is_no_interface_to_bring_up(sandbox_works: None) -> None:
    def script(peer: Peer, server: Server) -> None:
        opens(peer, server)
        os.kill(sandbox.facts["pid"], signal.SIGKILL)
        while True:  # until the interface is gone
            sandbox.link.wait(0.01)

    with Sandboxes() as sandboxes, sandboxes.make() as sandbox:
        result = told(script, sandbox)
    (problem,) = result.problems
    assert result.verdict is Verdict.INCONCLUSIVE
    assert problem.message.startswith("the server's agent vanished in the middle of the run")
    assert problem.next_step == "see whether something killed the sandbox's helper process, and run again"
