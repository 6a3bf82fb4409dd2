"""A session without a terminal: what each command sends, what comes back, and what is said where it cannot be done."""

from __future__ import annotations

import contextlib
import itertools
import re
import select
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hand import FAMILIES, FINE, Hand, calls, packets

from lab.explore.commands.table import COMMANDS
from lab.explore.errors import CommandError
from lab.report.text import seconds
from lab.scenario.record import DELAYED, LOST, Packet, Verdict
from lab.tcp.state import State
from lab.tcp.world import RETRANSMISSION
from lab.testbed.sandbox import Sandboxes
from lab.wire.link import Captured

OPEN = ("syn", "ack", "server accept")


@pytest.fixture(params=FAMILIES)
def either(request: pytest.FixtureRequest, sandboxes: Sandboxes, tmp_path: Path) -> Iterator[Hand]:
    with Hand(sandboxes, tmp_path, family=request.param) as one:
        yield one


# The way of RFC 9293 §3.5 figure 6, and §3.6 figure 12


def test_a_connection_from_its_first_segment_to_its_last(either: Hand) -> None:
    assert packets(either.do("syn")) == ["> S 0", "< SA 0 1"]
    assert either.states == ("ESTABLISHED", "SYN-RECEIVED")
    assert packets(either.do("ack")) == ["> A 1 1"]
    assert either.states == ("ESTABLISHED", "ESTABLISHED")
    assert calls(either.do("server accept")) == ["accept()"]
    assert packets(either.do('data "hello"')) == ["> PA 1 1 hello", "< A 1 6"]
    assert calls(either.do("server recv")) == ["program reads b'hello'"]
    assert packets(either.do('server send "hi"')) == ["< PA 1 6 hi"]
    assert packets(either.do("ack")) == ["> A 6 3"]
    assert packets(either.do("fin")) == ["> FA 6 3", "< A 3 7"]
    assert either.states == ("FIN-WAIT-2", "CLOSE-WAIT")
    assert calls(either.do("server recv")) == ["program reads the end of the stream"]
    assert packets(either.do("server close")) == ["< FA 3 7"]
    assert either.states == ("TIME-WAIT", "LAST-ACK")
    assert packets(either.do("ack")) == ["> A 7 4"]
    assert either.states == ("TIME-WAIT", "CLOSED")
    result = either.end()
    assert result.verdict is Verdict.CONFORMS
    assert result.witnesses == ("wire", "socket", "model")


def test_the_server_closes_first_and_is_in_time_wait(hand: Hand) -> None:
    hand.do(*OPEN)
    assert packets(hand.do("server close")) == ["< FA 1 1"]
    hand.do("ack")
    assert hand.states == ("CLOSE-WAIT", "FIN-WAIT-2")
    assert packets(hand.do("fin")) == ["> FA 1 2", "< A 2 2"]
    assert hand.states == ("LAST-ACK", "TIME-WAIT") or hand.states == ("CLOSED", "TIME-WAIT")
    assert "TIME-WAIT" in hand.look("states")
    assert hand.end().verdict in FINE


def test_half_closed_from_either_side(hand: Hand) -> None:
    hand.do(*OPEN, "fin")
    assert packets(hand.do('server send "more"')) == ["< PA 1 2 more"]
    hand.do("ack", "server shutdown", "ack")
    assert hand.states == ("TIME-WAIT", "CLOSED")
    hand.do("new", *OPEN, "server shutdown", "ack")
    assert hand.states == ("CLOSE-WAIT", "FIN-WAIT-2")
    assert packets(hand.do('data "late"')) == ["> PA 1 2 late", "< A 2 5"]
    assert calls(hand.do("server recv")) == ["program reads b'late'"]
    assert hand.end().verdict in FINE


def test_a_program_may_shut_down_and_then_close(hand: Hand) -> None:
    hand.do(*OPEN, "server shutdown")
    assert packets(hand.do("server close")) == []
    hand.do("ack", "fin")
    assert hand.states[1] == "TIME-WAIT"
    assert hand.end().verdict in FINE


def test_fins_that_cross(hand: Hand) -> None:
    hand.do(*OPEN, "server close")
    # RFC 9293 §3.6 figure 13: our FIN leaves before theirs has come, so that it does not acknowledge it.
    assert packets(hand.do('send TCP(flags="FA", seq=x+1, ack=y+1)')) == ["> FA 1 1", "< A 2 2"]
    assert hand.states[1] == "CLOSING"
    assert packets(hand.do('send TCP(flags="A", seq=x+2, ack=y+2)')) == ["> A 2 2"]
    assert hand.states[1] == "TIME-WAIT"
    assert hand.end().verdict in FINE


def test_a_fin_that_the_network_holds_back_crosses_the_servers(hand: Hand) -> None:
    hand.do(*OPEN, "delay next", "fin")
    assert hand.states == ("FIN-WAIT-1", "ESTABLISHED")
    assert packets(hand.do("server close")) == ["< FA 1 1"]
    assert hand.states == ("CLOSING", "FIN-WAIT-1")
    # Our ACK overtakes our FIN (RFC 9293 §3.6 figure 13).
    assert packets(hand.do("ack")) == ["> A 2 2", "> FA 1 1", "< A 2 2"]
    assert hand.states == ("TIME-WAIT", "TIME-WAIT")
    assert hand.end().verdict in FINE


def test_both_open_at_once(hand: Hand) -> None:
    assert packets(hand.do("server connect")) == ["< S 0"]
    assert hand.session.hand.name == "A"
    assert packets(hand.do('send TCP(flags="S", seq=x)')) == ["> S 0", "< SA 0 1"]
    assert hand.states[1] == "SYN-RECEIVED"
    hand.do("synack")
    assert hand.states == ("ESTABLISHED", "ESTABLISHED")
    assert calls(hand.do('data "a"', "server recv")) == ["program reads b'a'"]
    assert hand.end().verdict in FINE


def test_the_kernel_calls_and_we_answer(either: Hand) -> None:
    assert packets(either.do("server connect")) == ["< S 0"]
    assert either.states == ("SYN-RECEIVED", "SYN-SENT")
    assert packets(either.do("synack")) == ["> SA 0 1", "< A 1 1"]
    assert either.states == ("ESTABLISHED", "ESTABLISHED")
    assert packets(either.do('server send "hi"')) == ["< PA 1 1 hi"]
    assert either.end().verdict in FINE


def test_the_kernel_calls_and_we_refuse(hand: Hand) -> None:
    hand.do("server connect")
    assert packets(hand.do("rst")) == ["> RA 1 1"]
    assert hand.states[1] == "CLOSED"
    assert hand.end().verdict in FINE


def test_a_call_is_from_a_port_where_nobody_listens(hand: Hand) -> None:
    hand.do("server connect", "server close")
    hand.do("syn")
    assert hand.states[1] == "CLOSED"
    assert hand.end().verdict in FINE


def test_resets(hand: Hand) -> None:
    hand.do(*OPEN)
    assert packets(hand.do("rst")) == ["> R 1"]
    assert hand.states == ("CLOSED", "CLOSED")
    assert calls(hand.do("server recv")) == ["program is told: connection reset"]
    assert "was told already" in hand.refused("server recv")
    hand.do("server close", "new", *OPEN)
    assert packets(hand.do("server abort")) == ["< RA 1 1"]
    assert hand.states == ("CLOSED", "CLOSED")
    assert hand.end().verdict in FINE


def test_on_a_connection_that_is_over_nothing_is_sent_by_mistake(hand: Hand) -> None:
    hand.do(*OPEN, "rst")
    for line in ("ack", "fin", 'data "more"'):
        assert "there is no connection to" in hand.refused(line)
    assert "ECONNRESET" in hand.refused('server send "x"')
    assert "was told already" in hand.refused("server recv"), "a kernel says so once"
    assert hand.end().verdict in FINE


def test_a_closed_port(hand: Hand) -> None:
    hand.shell.do("new closed")
    assert hand.session.hand.name == "B"
    assert packets(hand.do("syn")) == ["> S 0", "< RA 1"]  # SEG.SEQ=0 (RFC 9293 §3.10.7.1) counts from nothing
    assert hand.states[1] == "CLOSED"
    assert hand.end().verdict in FINE


def test_nobody_listens_any_more_and_then_elsewhere(hand: Hand) -> None:
    hand.do("server stop")
    assert "the program does not listen" in hand.refused("server stop")
    hand.do("server listen")
    assert "listens already" in hand.refused("server listen")
    assert packets(hand.do("syn")) == ["> S 0", "< SA 0 1"]
    assert "nobody has taken it" in hand.refused("server stop")
    hand.do("ack", "server accept", "server stop")
    assert hand.states == ("ESTABLISHED", "ESTABLISHED")
    assert hand.end().verdict in FINE


# Several connections, several lives


@pytest.mark.parametrize("again", [(), ("syn", "ack")], ids=["over", "anew"])
def test_a_connection_that_was_reset_while_it_waited_is_still_given_to_the_program(
    hand: Hand, again: tuple[str, ...]
) -> None:
    hand.do("syn", "ack", "rst", *again, *(() if again else ("new", "syn", "ack")))
    hand.do("server accept", 'data "x"')
    assert calls(hand.do("server recv")) == ["program reads b'x'"]
    assert hand.end().verdict in FINE


def test_two_connections_and_one_queue(hand: Hand) -> None:
    hand.do("syn", "ack", "new", "syn", "ack")
    assert hand.session.hand.name == "B"
    assert calls(hand.do("server accept")) == ["accept()"]  # A's, which came first
    assert hand.session.plays["A"].taken
    assert not hand.session.plays["B"].taken
    hand.do("server accept")
    assert hand.session.plays["B"].taken
    assert "taken this connection already" in hand.refused("server accept")
    hand.do('data "to b"', "server recv", "switch A")
    assert hand.session.hand.name == "A"
    assert calls(hand.do('data "to a"', "server recv")) == ["program reads b'to a'"]
    assert "there is no connection C" in hand.refused("switch C")
    assert hand.end().verdict in FINE


@pytest.mark.parametrize("end", [("rst",), ("server close", "ack", "fin")], ids=["reset", "time-wait"])
def test_a_connection_lives_again(hand: Hand, end: tuple[str, ...]) -> None:
    hand.do(*OPEN, *end)
    first = hand.session.hand.connection.peer_isn
    assert packets(hand.do("syn")) == ["> S 0", "< SA 0 1"]
    assert hand.session.hand.connection.peer_isn - first == 1_000_000
    hand.do("ack", "server accept", 'data "again"')
    assert calls(hand.do("server recv")) == ["program reads b'again'"]
    assert hand.end().verdict in FINE


# What the network does


def test_a_lost_segment_never_arrives(hand: Hand) -> None:
    hand.do("lose next")
    step = hand.do("syn")
    assert packets(step) == ["> S 0"]
    assert step.entries[-1].note == LOST  # type: ignore[union-attr]
    assert hand.states == ("SYN-SENT", "LISTEN")
    assert packets(hand.do("repeat last")) == ["> S 0", "< SA 0 1"]
    assert hand.end().verdict in FINE


def test_a_delayed_segment_arrives_behind_the_next(hand: Hand) -> None:
    hand.do(*OPEN, "delay next")
    step = hand.do('data "one"')
    assert [e.note for e in step.entries if e.note] == [DELAYED]  # type: ignore[union-attr]
    # RFC 9293 §3.10.7.4: what lies behind a gap is held, and once the gap is filled all is acknowledged.
    assert packets(hand.do('data "two"')) == ["> PA 4 1 two", "< A 1 1", "> PA 1 1 one", "< A 1 7"]
    assert calls(hand.do("server recv")) == ["program reads b'onetwo'"]
    assert hand.end().verdict in FINE


def test_what_is_repeated_is_the_same(hand: Hand) -> None:
    hand.do(*OPEN, 'data "abc"')
    assert packets(hand.do("repeat")) == ["> PA 1 1 abc", "< A 1 4"]
    number = hand.session.hand.sent[0].number
    assert packets(hand.do(f"repeat {number}"))[0] == "> S 0"
    assert "is no segment of ours" in hand.refused("repeat 999")
    assert hand.end().verdict in FINE


def test_an_old_duplicate_is_not_ours(hand: Hand) -> None:
    assert packets(hand.do('replay TCP(flags="S", seq=x-10)')) == ["> S -10", "< SA 0 -9"]
    assert hand.states == ("CLOSED", "SYN-RECEIVED")
    assert packets(hand.do('send TCP(flags="R", seq=x-9)'))[0] == "> R -9"
    assert hand.states[1] in ("LISTEN", "CLOSED")
    assert packets(hand.do("syn")) == ["> S 0", "< SA 0 1"]
    assert hand.end().verdict in FINE


# The model answers


def test_the_model_answers_for_us(hand: Hand) -> None:
    hand.do("auto on")
    assert packets(hand.do("syn")) == ["> S 0", "< SA 0 1", "> A 1 1"]
    hand.do("server accept")
    assert packets(hand.do('server send "hi"')) == ["< PA 1 1 hi", "> A 1 3"]
    assert packets(hand.do("server close")) == ["< FA 3 1", "> A 1 4"]
    hand.do("auto off")
    assert hand.end().verdict in FINE


def test_the_model_answers_a_call_and_on_every_connection(hand: Hand) -> None:
    hand.do("auto on")
    assert packets(hand.do("server connect")) == ["< S 0", "> SA 0 1", "< A 1 1"]
    hand.shell.do("new")
    assert packets(hand.do("syn"))[-1] == "> A 1 1"
    hand.shell.do("switch A")
    assert packets(hand.do('server send "a"'))[-1] == "> A 1 2"
    assert hand.end().verdict in FINE


def test_the_model_answers_a_stray_answer_once(hand: Hand) -> None:
    hand.do("auto on", "syn", "server accept")
    sent = len(packets(hand.do('send TCP(flags="A", ack=snd_nxt+70000)')))
    assert sent < 6, "two ends that answer each other would never end"
    assert hand.end().verdict in FINE


# Time


def test_to_wait(hand: Hand) -> None:
    hand.do("syn")
    step = hand.do("wait 0.05")
    assert calls(step)[-1].endswith("s pass")
    heard = hand.do("wait")  # until the SYN+ACK comes again, after a second
    assert packets(heard, repeats=True) == ["< SA 0 1"]
    for wrong in ("wait x", "wait -1", "wait 601", "wait nan", "wait inf"):
        assert "is no time to wait" in hand.refused(wrong), wrong


def test_a_wait_is_ended_by_an_interrupt(hand: Hand) -> None:
    hand.do("syn")

    def interrupt() -> None:
        hand.session.interrupted = True

    hand.session.on_wait = interrupt
    step = hand.do("wait 600")
    assert "ended by Ctrl-C" in calls(step)[-1]
    assert packets(hand.do("ack")) == ["> A 1 1"]


# WebSocket by hand


def test_a_websocket_by_hand(either: Hand) -> None:
    step = either.do("ws open")
    assert packets(step)[0] == "> S 0"
    assert str(either.session.hand.web.state) == "OPEN"  # type: ignore[union-attr]
    assert '"hey"' in _shown(either, 'ws text "hey"')
    assert "PONG" in _shown(either, 'ws ping "p"')
    assert "CLOSE" in _shown(either, 'ws close 1000 "bye"')
    assert "has gone out" in either.refused("ws open /echo")
    assert either.end().verdict in FINE


@pytest.mark.parametrize("wrong", ["text x unmasked", "text x rsv1", "text x rsv2", "continuation x"])
def test_a_wrong_frame_fails_the_connection_with_1002(hand: Hand, wrong: str) -> None:
    hand.do("ws open")
    shown = _shown(hand, f"ws {wrong}")
    assert "1002" in shown
    assert hand.end().verdict in FINE


def test_two_in_one_chat_room(hand: Hand) -> None:
    hand.do("ws open /chat/tea?name=anna", "new ws", "ws open /chat/tea?name=bert")
    assert hand.session.hand.name == "B"
    hand.do('ws text "{\\"to\\": null, \\"text\\": \\"hello\\"}"', "switch A", "wait 0.2")
    assert hand.end().verdict in FINE


def _shown(hand: Hand, line: str) -> str:
    before = len(hand.text)
    hand.do(line)
    return hand.text[before:]


# Whoever only looks


def test_every_look_at_every_time(hand: Hand) -> None:
    looks = ("why", "legal", "layers", "layers 1", "layers -1", "diagram", "ladder", "history", "states", "predict fin",
             'predict data "x"', "predict rst", 'predict TCP(flags="SF", seq=x+7)', "help", "help send")  # fmt: skip
    for line in ("", *OPEN, 'data "x"', "server recv", "fin", "server close", "ack", "wait 0.01"):
        if line:
            hand.do(line)
        for look in looks:
            if line or look not in ("why", "layers", "layers 1", "layers -1"):
                assert hand.look(look), (line, look)
    assert hand.end().verdict in FINE


def test_to_predict_sends_nothing_and_is_right(hand: Hand) -> None:
    hand.do(*OPEN)
    said = hand.look('predict data "hello"')
    assert "ACK" in said
    assert packets(hand.do('data "hello"')) == ["> PA 1 1 hello", "< A 1 6"]
    assert "of TCP segments only" in hand.refused("predict IP()/ICMP()")
    assert "another connection" in hand.refused("predict TCP(dport=1)")


@pytest.mark.parametrize(
    ("before", "command", "predicted", "comes"),
    [
        # Another life of the connection, with a later first number: TIME-WAIT gives way to it (RFC 9293 §3.6.1).
        (
            (*OPEN, "server close", "fin"),
            "syn",
            "SYN+ACK → lab ESTABLISHED, server SYN-RECEIVED",
            ["> S 0", "< SA 0 1"],
        ),
        # The RST that our end owes has the number of the SYN+ACK's acknowledgment (RFC 9293 §3.5 figure 8).
        (('replay TCP(flags="S", seq=x-10)',), "rst", "silence → lab CLOSED, server LISTEN", ["> R -9"]),
    ],
)
def test_what_is_predicted_is_what_the_command_sends(
    hand: Hand, before: tuple[str, ...], command: str, predicted: str, comes: list[str]
) -> None:
    for line in before:
        hand.do(line)
    said = " ".join(hand.look(f"predict {command}").split())
    assert predicted in said
    assert packets(hand.do(command)) == comes
    assert hand.end().verdict in FINE


def test_where_a_segment_left_the_server_is_told_as_its_answer_shows(hand: Hand) -> None:
    """RFC 9293 lets a RST in the window reset; this server asks first (RFC 5961 §3), and so was never CLOSED."""
    hand.do(*OPEN)
    step = hand.do('send TCP(flags="R", seq=x+5)')
    assert packets(step) == ["> R 5", "< A 1 1"]
    assert [str(e.server_state) for e in step.entries if isinstance(e, Packet)] == ["ESTABLISHED", "ESTABLISHED"]
    states, _ = hand.session.hand.way("server")
    assert [str(state) for state in states] == ["CLOSED", "LISTEN", "SYN-RECEIVED", "ESTABLISHED"]


@pytest.mark.parametrize("word", ["²", "--5", "1" * 5000, "٣"])
def test_what_python_alone_takes_for_a_number_is_none(hand: Hand, word: str) -> None:
    hand.do("syn")
    assert "is no packet" in hand.refused(f"layers {word}")
    assert "there is no connection" in hand.refused(f"switch {word}")
    assert "is no close code" in hand.refused(f"ws close {word}")


# Ill-timed and unknown commands


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ack", "there is no connection to acknowledge"),
        ("fin", "`syn` opens one"),
        ("synack", "no SYN of the server has come"),
        ("rst", "there is nothing to reset"),
        ('data "x"', "there is no connection to send text on"),
        ("data", 'say which: `data "hello"`'),
        ("repeat", "nothing was sent on this connection yet"),
        ("send", "no packet was given"),
        ("send TCP(", "add ) at the end"),
        ("send open('x')", "open"),
        ("send TCP(flags='S', sport=1, foo=2)", "foo"),
        ("server accept", "there is nothing to accept"),
        ('server send "x"', "no socket of this connection"),
        ("server recv", "no socket of this connection"),
        ("server close", "no socket of this connection"),
        ("server listen", "listens already"),
        ("server dance", "there is no `server dance`"),
        ("server", "alone does nothing"),
        ("ws text hello", "leads to no WebSocket server"),
        ("ws open echo", "is no path"),
        ("ws close 99999", "is no close code"),
        ("lose everything", "there is no `lose everything`: lose next"),
        ("auto", "auto is off"),
        ("auto perhaps", "say `auto on` or `auto off`"),
        ("new york", "york is no place to go"),
        ("switch", "which connection"),
        ("why", "nothing has happened"),
        ("layers", "no packet has gone either way"),
        ("predict", "which segment"),
        ("save", "where to"),
        ("save /tmp", "is a folder"),
        ("save /tmp/story.py", "nothing was done yet"),
        ("save /tmp/no/such/story.py", "there is no folder"),
        ("pcap", "where to"),
        ("pcap x", "no packet has gone either way"),
        ("syn now", "stands alone"),
        ("snd", "did you mean `send`?"),
        ("ping", "did you mean `ws ping`?"),
        ("xyzzy", "`help` lists them"),
        ("help xyzzy", "xyzzy"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence(hand: Hand, line: str, says: str) -> None:
    sentence = hand.refused(line)
    assert says in sentence
    assert "\n" not in sentence
    assert "Traceback" not in hand.text
    assert packets(hand.do("syn")) == ["> S 0", "< SA 0 1"], "and the session goes on"


def test_a_frame_that_is_too_long_for_the_link(hand: Hand) -> None:
    hand.do(*OPEN)
    assert "longer than" in hand.refused('send TCP(flags="PA")/(b"x" * 3000)')
    assert packets(hand.do('data "on"')) == ["> PA 1 1 on", "< A 1 3"]
    assert hand.end().verdict in FINE


def test_text_is_cut_to_the_segments_of_either_family(either: Hand) -> None:
    either.do(*OPEN)
    sizes = [
        len(entry.segment.payload)  # type: ignore[union-attr]
        for entry in either.do('data "x" * 3000').entries
        if entry.sender == "peer"  # type: ignore[union-attr]
    ]
    assert sizes == [1440, 1440, 120]


def test_every_command_has_its_help(hand: Hand) -> None:
    for name in COMMANDS:
        assert name in hand.look(f"help {name}")


def test_help_on_a_word_that_means_one_command_explains_it(hand: Hand) -> None:
    for word in ("lose", "delay"):
        assert hand.look(f"help {word}") == hand.look(f"help {word} next")
    assert "`repeat last` sends it again" in told(hand.look("help lose"))


def test_help_writes_a_call_as_it_is(hand: Hand) -> None:
    assert "\nclose().\n" in hand.look("help server close")
    assert "\naccept(): take the next connection that stands.\n" in hand.look("help server accept")
    assert "\nA bare ACK of all that has come.\n" in hand.look("help ack")


def test_predict_knows_what_repeat_would_send(hand: Hand) -> None:
    assert "nothing was sent on this connection yet" in hand.refused("predict repeat last")
    hand.do(*OPEN, 'data "hello"')
    for line, sent in (
        ("repeat last", "PSH+ACK seq 1 ack 1 len 5"),
        ("repeat", "PSH+ACK seq 1"),
        ("repeat 1", "SYN seq 0"),
    ):
        shown = told(hand.look(f"predict {line}"))
        assert shown.startswith(f"if you sent ► {sent}"), shown
        assert "◄ ACK" in shown
    assert "9 is no segment of ours on this connection" in hand.refused("predict repeat 9")


def test_a_call_that_fails_is_said_in_a_sentence(hand: Hand) -> None:
    hand.do(*OPEN, "server shutdown")
    for line in ("server shutdown", 'server send "x"'):
        sentence = hand.refused(line)
        assert "`states` shows where each end stands" in sentence, line
    hand.do("rst")
    assert hand.end().verdict in FINE


def test_every_command_at_every_stage_is_done_or_refused(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """No order of commands leads to a traceback, and none makes an honest kernel look wrong."""
    stages = ((), ("syn",), ("syn", "ack"), OPEN, (*OPEN, "fin"), (*OPEN, "server close"), (*OPEN, "rst"),
              ("server connect",), ("ws open",))  # fmt: skip
    lines = [name for name in COMMANDS if name not in ("quit", "restart", "wait", "save", "pcap")]
    lines += [
        'data "x"',
        'server send "x"',
        'ws text "x"',
        "repeat last",
        "new closed",
        "switch A",
        'send TCP(flags="")',
    ]
    for stage, half in itertools.product(stages, (0, 1)):
        with Hand(sandboxes, tmp_path) as hand:
            for line in stage:
                hand.do(line)
            for line in lines[half::2]:
                with contextlib.suppress(CommandError):
                    hand.shell.do(line)
                assert not hand.session.bench.problems, (stage, line, hand.session.bench.problems[0])


def test_a_repeat_that_crosses_a_call_was_sent_before_it(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel's timer repeats its SYN at the moment at which its program gives the call up."""
    [packet] = [entry for entry in hand.do("server connect").entries if isinstance(entry, Packet)]
    testbed = hand.session.testbed
    assert testbed.agent is not None
    link, shutdown, drain = testbed.link, testbed.agent.shutdown, testbed.link.drain
    crossing: list[Captured] = []

    def shuts_down(*words: object) -> None:
        crossing.append(Captured(packet.frame, time.time()))
        shutdown(*words)  # type: ignore[arg-type]

    def drained() -> list[Captured]:
        some, crossing[:] = [*crossing, *drain()], []
        return some

    monkeypatch.setattr(testbed.agent, "shutdown", shuts_down)
    monkeypatch.setattr(link, "drain", drained)
    step = hand.do("server shutdown")
    assert packets(step, repeats=True) == ["< S 0"]
    assert step.problems == []
    assert hand.states[1] == "CLOSED"


def test_a_kernel_that_gave_up_while_nobody_typed_is_not_blamed(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """It drops its SYN-RECEIVED without a word (RFC 9293 §3.8.3); the third segment, much too late, draws a RST."""
    with Hand(sandboxes, tmp_path, sysctls={"net.ipv4.tcp_synack_retries": "1"}) as hand:
        hand.do("syn")
        session = hand.session
        heard: list[str] = []
        end = time.monotonic() + 30
        while not any("has let go" in text for text in heard) and time.monotonic() < end:
            select.select([session.testbed.link.fileno()], [], [], 0.2)  # nobody types; nothing is taken from the link
            overheard = session.overhear()
            if overheard is not None:
                heard += calls(overheard)
                assert not overheard.problems
        assert any("has let go" in text for text in heard)
        assert hand.states == ("ESTABLISHED", "CLOSED")
        step = hand.do("ack")
        assert hand.states == ("CLOSED", "LISTEN")
        assert packets(step)[0].startswith("> A 1")
        assert packets(step)[1].startswith("< R ")
        assert not step.problems
        assert hand.end().verdict is Verdict.CONFORMS


def test_what_repeats_itself_meanwhile_is_drawn_once(hand: Hand) -> None:
    """The SYN+ACK comes again, and again: the first repeat is drawn, and the next command says how many more came."""
    hand.do("syn")
    session = hand.session
    heard, drawn = len(session.bench.timeline), []
    end = time.monotonic() + 30
    while len(session.bench.timeline) < heard + 2 and time.monotonic() < end:
        select.select([session.testbed.link.fileno()], [], [], 1.0)
        drawn += ["".join(text for text, _ in line) for line in hand.shell.overhear()]
    assert len(session.bench.timeline) == heard + 2
    assert sum("retransmission" in line for line in drawn) == 1, drawn
    before = len(hand.text)
    hand.do("ack")
    assert "meanwhile the server repeated itself once" in hand.text[before:]
    assert hand.end().verdict in FINE


# What is said of it all


def told(text: str) -> str:
    return " ".join(text.split())


def test_what_is_no_tcp_is_drawn_and_counted_as_the_persons_own(hand: Hand) -> None:
    hand.do("syn", "ack", "send ARP()", "send IP()/ICMP()", 'send IP()/UDP(dport=9)/b"x"', "lose next", "send ARP()")
    drawn = [line for line in hand.text.splitlines() if "··" in line]
    said = ("ARP who has", "ARP 198.51.100.1 is at", "IPv4 ICMP echo request", "IPv4 ICMP echo reply", "IPv4 UDP")
    for line, text in zip(drawn, (*said, "IPv4 ICMP destination unreachable", "ARP who has"), strict=True):
        assert text in line
    assert hand.look("ladder").count("··") == 2 * len(drawn)
    hand.end()
    assert re.search(r"7 steps, 10 packets( \(and \d+ of the lab's own probes and address resolution\))?, ", hand.text)


def test_why_names_what_the_server_answered_and_what_it_said(hand: Hand) -> None:
    hand.do(*OPEN)
    assert "To your ACK seq 1 ack 1 (frame 3) it said nothing." in told(hand.look("why"))
    hand.do("fin")
    assert "To your FIN+ACK seq 1 ack 1 (frame 4) it said ACK seq 1 ack 2 (frame 5)." in told(hand.look("why"))
    hand.do("server close")
    assert "Its program's close(): the server said FIN+ACK seq 1 ack 2 (frame 6)." in told(hand.look("why"))
    hand.do("ack")
    assert "To your ACK seq 2 ack 2 (frame 7) it said nothing." in told(hand.look("why"))


def test_what_a_timer_repeats_is_no_answer(hand: Hand) -> None:
    hand.do("syn")
    bench = hand.session.bench
    answer = next(e for e in reversed(bench.timeline) if isinstance(e, Packet) and e.sender == "server")
    bench.timeline.append(replace(answer, number=answer.number + 1, note=RETRANSMISSION))
    assert "To your SYN seq 0 (frame 1) it said SYN+ACK seq 0 ack 1 (frame 2)." in told(hand.look("why"))


def test_what_never_arrived_was_answered_by_nobody(hand: Hand) -> None:
    hand.do(*OPEN)
    for fate in ("lose next", "delay next"):
        hand.do(fate, 'data "hello"')
        assert "To your ACK seq 1 ack 1 (frame 3) it said nothing." in told(hand.look("why"))


def test_why_excuses_no_violation(sandboxes: Sandboxes, tmp_path: Path) -> None:
    broken = Path(__file__).parent.parent / "broken"
    with Hand(sandboxes, tmp_path, serve="broken_servers:broken_fin_not_counted", path=(str(broken),)) as hand:
        hand.do(*OPEN)
        assert hand.do("fin").problems
        said = told(hand.look("why"))
        assert "✗ the server's ACK does not cover our FIN" in said
        assert "In its words" not in said
        hand.do("wait 0")  # nothing new is decided
        assert "In its words" not in told(hand.look("why"))
        hand.do("new", "syn", "ack")  # what is decided here is no business of that one's
        said = told(hand.look("why"))
        assert ("✗" in said, "In its words: our SYN is acknowledged" in said) == (False, True), said
        hand.do("switch A")
        assert "✗ the server's ACK does not cover our FIN" in told(hand.look("why"))
        assert hand.end().verdict is Verdict.VIOLATES


def test_before_the_end_there_is_no_verdict(hand: Hand) -> None:
    hand.do(*OPEN)
    assert "inconclusive" not in hand.look("ladder")


def test_to_predict_a_call(hand: Hand) -> None:
    hand.do(*OPEN)
    said = told(hand.look("predict server close"))
    assert "if its program called close() ◄ FIN+ACK → lab CLOSE-WAIT, server FIN-WAIT-1" in said
    assert packets(hand.do("server close")) == ["< FA 1 1"]
    assert "its program cannot call close() now" in hand.refused("predict server close")
    assert "which call" in hand.refused("predict server dance")
    assert "is about TCP" in hand.refused('predict ws text "x"')


def test_commands_that_stand_alone_say_so(hand: Hand) -> None:
    hand.do("syn")
    for line in ("ladder foo", "states foo", "why foo", "diagram foo", "restart foo", "quit foo"):
        assert "stands alone" in hand.refused(line), line
    assert hand.grounds == 1, "nothing began anew"


def test_what_provokes_nothing_shows_no_panel(hand: Hand) -> None:
    hand.do("syn", "ack")
    before = len(hand.text)
    hand.do("auto on", "lose next")
    assert "the model answers for you" in hand.text[before:]
    assert "will be lost on the way" in hand.text[before:]
    assert "legal now" not in hand.text[before:]


def test_octets_are_no_text(hand: Hand) -> None:
    hand.do("ws open")
    assert 'write octets as b"\\x00\\xff"' in hand.refused(r'ws binary "\x00\xff"')
    hand.do(r'ws binary b"\x00\xff"')
    assert "BINARY fin masked len 2" in told(hand.text)


def test_a_syn_that_comes_again_is_answered_once(hand: Hand) -> None:
    """A SYN+ACK says all that the ACK of the repeated SYN would say (RFC 9293 §3.8.1)."""
    hand.do("server connect")
    step = hand.do("wait")
    assert packets(step, repeats=True) == ["< S 0"]
    assert step.standing is not None
    assert [m.name for m in step.standing.legal if m.due] == ["synack"]


def test_a_fin_may_wait_for_an_open_window(hand: Hand) -> None:
    hand.do(*OPEN, 'send TCP(flags="A", window=0)')
    assert not hand.do("server close").problems
    assert packets(hand.do("ack")) == ["> A 1 1", "< FA 1 1"]
    assert hand.end().verdict in FINE


def test_layers_counts_time_and_connections_as_the_session_does(hand: Hand) -> None:
    hand.do("syn", "ack", "new", "syn")
    shown = [e for e in hand.session.bench.timeline if isinstance(e, Packet)][-1]
    assert f"{seconds(shown.time)} " in hand.look("layers")
    assert "connection B" in hand.look("layers")


def test_an_end_counts_from_the_syns_that_it_knows(hand: Hand) -> None:
    """Our end stands in TIME-WAIT, with the numbers of the old life; the server has begun another with our SYN."""
    hand.do("syn", "ack", "server accept", "fin", "server close", "ack")
    where = hand.do("syn").standing
    assert where is not None
    lab, server = where.lab, where.server
    assert (lab.state, lab.snd_nxt, lab.rcv_nxt) == (State.TIME_WAIT, 2, 2)
    assert (server.state, server.snd_nxt, server.rcv_nxt) == (State.SYN_RECEIVED, 1, 1)


# What the server's program may do


def calls_that_are_legal(hand: Hand) -> list[str]:
    """Each line of the server's program that `legal` lists, as it would be typed."""
    lines = [line.strip() for line in hand.look("legal").split("\n")]
    return [line.split("  ")[0] for line in lines if line.startswith("server ")]


@pytest.mark.parametrize(
    ("before", "legal"),
    [
        ((), ["server stop"]),
        (("syn",), []),
        (("syn", "ack"), ["server accept"]),
        (("syn", "ack", 'data "x"'), ["server accept"]),
        (
            ("syn", "ack", 'data "x"', "server accept"),
            ["server recv", 'server send "hello"', "server shutdown", "server close", "server abort"],
        ),
        (("syn", "ack", "server accept", "server close"), []),
        (("new closed",), ["server connect"]),
        (("server stop",), ["server listen", "server connect"]),
    ],
)
def test_what_its_program_may_call_can_be_done(hand: Hand, before: tuple[str, ...], legal: list[str]) -> None:
    for line in before:
        hand.do(line)
    assert calls_that_are_legal(hand) == legal
    for line in legal[:1]:
        hand.shell.do(line)  # or it would be refused
    assert hand.end().verdict in (*FINE, Verdict.INCONCLUSIVE), "the last where no segment was seen"


def test_to_predict_what_its_program_writes(hand: Hand) -> None:
    hand.do(*OPEN)
    assert "called send(b'yo') ◄ PSH+ACK len 2 →" in told(hand.look('predict server send "yo"'))
    # Our SYN named no MSS, so that it is 536 (RFC 9293 §3.7.1, MUST-15): five whole ones and 320 octets.
    said = told(hand.look('predict server send ("a" * 3000)'))
    assert f"called send() {'◄ ACK len 536, ' * 5}◄ PSH+ACK len 320 →" in said
    assert packets(hand.do('server send "yo"')) == ["< PA 1 1 yo"]


def test_small_text_may_wait_for_the_ack_of_what_is_on_its_way(hand: Hand) -> None:
    """Nagle's algorithm, which Linux has (RFC 9293 §3.7.4): it is foretold, and named where nothing came."""
    hand.do(*OPEN, 'server send "x"')
    assert "◄ PSH+ACK len 5, or nothing yet → lab ESTABLISHED" in told(hand.look("legal"))
    assert "it waits for the ACK of what is on its way (Nagle's algorithm" in told(hand.look("predict server send"))
    assert packets(hand.do('server send "hello"')) == []
    said = told(hand.look("why"))
    assert "Its program's send(b'hello'): the server said nothing. Nothing came of it yet: it waits for the ACK" in said
    assert packets(hand.do("ack"))[-1].startswith("< PA 2 1")
    assert "Nothing came of it" not in told(hand.look("why"))


def test_what_is_close_of_the_listener_is_foretold_as_stop(hand: Hand) -> None:
    assert "its end of this connection" not in hand.refused("predict server close")
    assert "no socket of this connection" in hand.refused("predict server close")
    assert "silence → lab CLOSED, server CLOSED" in told(hand.look("predict server stop"))
