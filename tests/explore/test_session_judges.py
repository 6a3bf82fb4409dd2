"""A session's verdict can be wrong: servers that are broken on purpose are found out, the honest ones are not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hand import FINE, Hand, packets

from lab.scenario.record import Verdict
from lab.testbed.sandbox import Sandboxes

BROKEN = Path(__file__).parent.parent / "broken"
sys.path.append(str(BROKEN))

from broken_servers import entry_point  # noqa: E402
from websocket_servers import entry_point as websocket_entry_point  # noqa: E402

Against = Callable[[str], Hand]
WHOLE = ("syn", "ack", "server accept", 'data "hello"', "server recv", "fin", "server recv", "server close", "ack")


@pytest.fixture
def against(sandboxes: Sandboxes, tmp_path: Path) -> Against:
    """A session against a server of that entry point."""
    return lambda serve: Hand(sandboxes, tmp_path, serve=serve, path=[str(BROKEN)])


@pytest.mark.parametrize("kind", ["", "_like_linux", "_plain", "_forgetful", "_patient", "_chatty"])
def test_an_honest_server_is_believed(against: Against, kind: str) -> None:
    with against(f"broken_servers:serve_honest{kind}") as hand:
        for line in WHOLE:
            assert hand.do(line).problems == [], line
        result = hand.end()
        assert result.verdict in FINE, result.problems
        assert hand.shell.run("0", "sandbox").exit_code == 0


@pytest.mark.parametrize(
    ("broken", "before", "line", "fields"),
    [
        ("syn_ack_acks_x", (), "syn", {"ack"}),
        ("syn_ack_without_ack_flag", (), "syn", {"flags"}),
        ("option_given_unasked", (), "syn", {"options"}),
        ("bad_checksum", (), "syn", {"checksum"}),
        ("state_lies", (), "syn", {"state"}),
        ("accepts_without_third_segment", (), "syn", {"state"}),
        ("second_syn_ack_with_another_isn", ("syn",), "repeat", {"seq"}),
        ("closed_port_silent", ("new closed",), "syn", {"silence"}),
        ("rst_acks_wrong_number", ("new closed",), "syn", {"ack"}),
        ("data_not_acknowledged", WHOLE[:3], 'data "hello"', {"ack", "silence"}),
        ("program_loses_an_octet", WHOLE[:4], "server recv", {"payload"}),
        ("fin_not_counted", WHOLE[:3], "fin", {"ack"}),
        ("fin_counted_twice", WHOLE[:3], "fin", {"ack"}),
        ("fin_ignored", WHOLE[:3], "fin", {"silence", "state", "ack"}),
        ("fin_swallowed", WHOLE[:5], "server close", {"silence"}),
        ("rst_in_place_of_fin", WHOLE[:5], "server close", {"flags", "silence"}),
        ("ack_of_unsent_taken", WHOLE[:3], 'send TCP(flags="PA", ack=rcv_nxt+9)/b"x"', {"ack", "silence"}),
        ("rst_taken_outside_window", WHOLE[:3], 'send TCP(flags="R", seq=snd_nxt+1000000)', {"state", "silence"}),
        ("wrong_ack_establishes", ("syn",), 'send TCP(flags="A", seq=x+1, ack=y+7)', {"silence"}),
        ("checksum_not_verified", ("syn",), 'send TCP(flags="A", seq=x+1, chksum=1)', {"state", "flags", "ack"}),
    ],
)
def test_a_broken_server_is_found_out_at_the_step(
    against: Against, broken: str, before: tuple[str, ...], line: str, fields: set[str]
) -> None:
    with against(entry_point(broken)) as hand:
        for earlier in before:
            hand.shell.do(earlier)
        assert hand.session.bench.problems == []
        step = hand.do(line)
        assert step.problems, "the step says it"
        problem = step.problems[0]
        assert problem.verdict is Verdict.VIOLATES
        assert problem.field in fields
        assert problem.section
        assert problem.expected != problem.observed
        assert (problem.file, problem.line, problem.source) == ("step", len(hand.session.lines), line)
        shown = " ".join(hand.text.split())
        assert problem.message in shown
        assert problem.section in shown
        assert hand.look("why")
        assert hand.look("ladder")
        hand.shell.do("wait 0.01")  # the session goes on
        assert hand.end().verdict is Verdict.VIOLATES
        assert hand.shell.run("0", "sandbox").exit_code == 1


def test_an_answer_that_was_missed_is_not_expected_to_stay_away(against: Against, tmp_path: Path) -> None:
    with against(entry_point("closed_port_silent")) as hand:
        hand.shell.do("new closed")
        assert [p.field for p in hand.do("syn").problems] == ["silence"]
        assert "expect_silence" not in hand.saved(tmp_path / "missed.py").read_text()


def test_the_panel_says_which_witnesses_disagree(against: Against) -> None:
    with against(entry_point("state_lies")) as hand:
        step = hand.do("syn")
        assert step.standing is not None
        assert str(step.standing.kernel) == "ESTABLISHED"
        assert str(step.standing.server.state) == "SYN-RECEIVED"
        shown = " ".join(hand.text.split())
        assert "ESTABLISHED" in step.standing.objection
        assert "SYN-RECEIVED" in step.standing.objection
        assert step.standing.objection[:40] in shown
        assert "wire, socket and model agree" not in shown[shown.index("SYN seq 0") :]


def test_all_that_is_wrong_is_told_and_each_once(against: Against) -> None:
    with against(entry_point("fin_not_counted")) as hand:
        hand.do(*WHOLE[:3])
        told = [p.message for p in hand.do("fin").problems]
        told += [p.message for p in hand.do("wait 0.01").problems] + [p.message for p in hand.do("wait 0.01").problems]
        assert told
        assert len(told) == len(set(told))


@pytest.mark.parametrize(
    ("broken", "line", "field"),
    [
        ("masks", 'ws text "hello"', "mask"),
        ("rsv1_in_text", 'ws text "hello"', "rsv"),
        ("pong_with_its_own_payload", 'ws ping "one"', "payload"),
        ("pong_without_payload", 'ws ping "one"', "payload"),
        ("close_answered_by_1005", "ws close", "code"),
        ("close_unanswered", "ws close 1000", "close"),
    ],
)
def test_a_broken_websocket_server_is_found_out(against: Against, broken: str, line: str, field: str) -> None:
    with against(websocket_entry_point(broken)) as hand:
        hand.do("ws open")
        assert hand.session.bench.problems == []
        hand.do(line, "ack")  # until we acknowledge it, Nagle's algorithm may hold back what is right
        result = hand.end()
        assert result.verdict is Verdict.VIOLATES
        assert result.problems[0].section.startswith("RFC 6455")


@pytest.mark.parametrize("broken", ["never_closes_tcp", "waits_for_fin"])
@pytest.mark.parametrize("more", [(), ("ack",)])
def test_a_server_that_does_not_close_tcp_is_found_out(against: Against, broken: str, more: tuple[str, ...]) -> None:
    """Both Closes were sent: it owes a FIN, which Nagle's algorithm does not hold back (RFC 9293 §3.7.4)."""
    with against(websocket_entry_point(broken)) as hand:
        hand.do("ws open", "ack", "ws close 1000", *more)
        result = hand.end()
        (problem,) = result.problems
        assert (problem.verdict, problem.field, problem.section) == (Verdict.VIOLATES, "silence", "RFC 6455 §5.5.1")
        assert problem.expected == "to close the TCP connection, now that both Close frames are sent"


FRAGMENTS = ('ws text "one" more', 'ws continuation "two" more', 'ws continuation "three"')


@pytest.mark.parametrize(
    ("broken", "lines", "problem"),
    [
        ("fragments_reversed", FRAGMENTS, ("payload", 'TEXT "onetwothree"', 'TEXT "threetwoone"')),
        ("middle_fragment_lost", FRAGMENTS, ("payload", 'TEXT "onetwothree"', 'TEXT "onethree"')),
        ("fragments_sent_back_as_messages", FRAGMENTS, ("payload", 'TEXT "onetwothree"', 'TEXT "one"')),
        ("text_comes_back_binary", ('ws text "hello"',), ("opcode", 'TEXT "hello"', "BINARY 0x68656c6c6f")),
        ("echo_one_behind", ('ws text "hello"',), ("silence", 'the echo of TEXT "hello"', "nothing")),
        ("messages_never_end", ('ws binary "hi"', "ack"), ("silence", "the echo of BINARY 0x6869", "nothing")),
    ],
)
def test_an_echo_that_was_promised(
    sandboxes: Sandboxes, tmp_path: Path, broken: str, lines: tuple[str, ...], problem: tuple[str, str, str]
) -> None:
    serve = websocket_entry_point(broken)
    with Hand(sandboxes, tmp_path, serve=serve, path=[str(BROKEN)], echoes=True) as hand:
        hand.do("ws open", "ack", *lines)
        (found,) = hand.end().problems
        assert (found.verdict, found.section) == (Verdict.VIOLATES, "RFC 6455 §6.1")
        assert (found.field, found.expected, found.observed) == problem
    with Hand(sandboxes, tmp_path, serve=serve, path=[str(BROKEN)]) as hand:
        hand.do("ws open", "ack", *lines)
        assert hand.end().problems == [], "nobody has promised anything"


def test_an_honest_echo_is_believed(sandboxes: Sandboxes, tmp_path: Path) -> None:
    from websocket_breakages import HONEST

    lines = (*FRAGMENTS, 'ws binary "hello"', 'ws text b""', 'ws text "a" more', 'ws ping "p"', 'ws continuation "b"')
    for name in HONEST:
        serve = websocket_entry_point(name)
        with Hand(sandboxes, tmp_path, serve=serve, path=[str(BROKEN)], echoes=True) as hand:
            hand.do("ws open", *lines, r'ws text b"\xff"')
            result = hand.end()
            assert result.verdict in FINE, (name, result.problems)


def test_a_handshake_that_is_wrong(against: Against) -> None:
    with against(websocket_entry_point("garbage_for_http")) as hand:
        step = hand.do("ws open")
        assert step.problems[0].verdict is Verdict.VIOLATES
        assert step.problems[0].section.startswith("RFC 6455")


def test_an_honest_websocket_server_is_believed(against: Against) -> None:
    from websocket_breakages import HONEST

    for name in HONEST:
        with against(websocket_entry_point(name)) as hand:
            for line in ("ws open", 'ws text "hello"', 'ws ping "p"', "ws close 1000"):
                hand.do(line)
            result = hand.end()
            assert result.verdict in FINE, (name, result.problems)


def test_packets_of_a_wrong_step_are_kept(against: Against, tmp_path: Path) -> None:
    with against(entry_point("syn_ack_acks_x")) as hand:
        assert packets(hand.do("syn")) == ["> S 0", "< SA 0 0"]
        assert "1 packet" in hand.look(f"pcap {tmp_path / 'wrong'}") or (tmp_path / "wrong.pcapng").stat().st_size


@pytest.mark.parametrize("line", ['data "x"', 'send TCP(flags="A", seq=x)'])
def test_silence_across_a_network_is_neither_a_fault_nor_conformance(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """A target has no agent and its link no fence: what it owes may have been lost on either way."""
    hand.do("syn", "ack", 'data "hello"')
    monkeypatch.setattr(type(hand.session.testbed), "settle", "wait")
    monkeypatch.setattr(hand.session.testbed.link, "send", lambda frame: None)
    assert hand.do(line).problems == []
    result = hand.end()
    (problem,) = result.problems
    assert (result.verdict, problem.verdict) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)
    assert problem.message == "the server owes an answer (A) and sent nothing: silence alone proves little"
    assert (problem.connection, problem.section) == ("A", "RFC 9293 §3.10.7.4")
