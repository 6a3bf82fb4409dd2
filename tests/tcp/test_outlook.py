"""What may come next and what would come back, against predictions made by hand from RFC 9293."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.tcp import options, transmission
from lab.tcp.conversation import Conversation
from lab.tcp.debts import MOST, after_taking
from lab.tcp.endpoint import Endpoint
from lab.tcp.outcome import CallError, Outcome
from lab.tcp.outlook import Answer, Move, illegal_moves, legal_moves, predict, predict_call
from lab.tcp.prediction import CALLS, IMAGINED
from lab.tcp.profile import FRUGAL, LINUX, LINUX_EARLIER, MITIGATED, RFC9293, Profile
from lab.tcp.reaction import make
from lab.tcp.segment import ACK, BAD_CHECKSUM, FIN, NEVER_ARRIVES, RST, SYN, Flags, Hurdle, Segment, flags_from, letters
from lab.tcp.sequence import Seq
from lab.tcp.state import State

S = State
X, Y = Seq(0xFFFF_FFFF), Seq(5000)
"""Our first number, at the top of the circle, and the server's."""

PLAIN = (RFC9293,)
ALL = (RFC9293, MITIGATED, LINUX, LINUX_EARLIER, FRUGAL)


def seg(flags: str, seq: Seq, ack: Seq | None = None, payload: bytes = b"", window: int = 1000) -> Segment:
    return Segment(flags_from(flags), seq, Seq(0) if ack is None else ack, window, payload)


def says(segments: Sequence[Segment]) -> list[str]:
    """Their flags, in Scapy's letters."""
    return [letters(s.flags) for s in segments]


def closed(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    return Conversation(profiles)


def listening(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    talk = closed(profiles)
    talk.server.listen()
    return talk


def syn_lost(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    """We are in SYN-SENT, and the SYN+ACK was lost: the server is in SYN-RECEIVED."""
    talk = listening(profiles)
    talk.peer_sends(seg("S", X), 0.0)
    return talk


def syn_acked(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    talk = syn_lost(profiles)
    assert talk.server_sends(seg("SA", Y, X + 1), 0.001).finding is None
    return talk


def opened(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    talk = syn_acked(profiles)
    talk.peer_sends(seg("A", X + 1, Y + 1), 0.002)
    return talk


def we_closed(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    talk = opened(profiles)
    talk.peer_sends(seg("FA", X + 1, Y + 1), 0.01)
    return talk


def half_closed(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    """We are in FIN-WAIT-2, the server in CLOSE-WAIT."""
    talk = we_closed(profiles)
    assert talk.server_sends(seg("A", Y + 1, X + 2, window=999), 0.02).finding is None
    return talk


def server_closed(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    """The server is in FIN-WAIT-1, we in CLOSE-WAIT, and owe the ACK."""
    talk = opened(profiles)
    talk.server.call("shutdown", lambda end: end.shutdown(0.01), 0.01)
    assert talk.server_sends(seg("FA", Y + 1, X + 1), 0.01).finding is None
    return talk


def server_half_closed(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    """The server is in FIN-WAIT-2, we in CLOSE-WAIT."""
    talk = server_closed(profiles)
    talk.peer_sends(seg("A", X + 1, Y + 2), 0.02)
    return talk


def we_last(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    """We are in LAST-ACK, the server in TIME-WAIT, its ACK on the way."""
    talk = server_half_closed(profiles)
    talk.peer_sends(seg("FA", X + 1, Y + 2), 0.03)
    return talk


def server_last(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    """The server is in LAST-ACK, we in TIME-WAIT, and owe the last ACK."""
    talk = half_closed(profiles)
    talk.server.call("shutdown", lambda end: end.shutdown(0.03), 0.03)
    assert talk.server_sends(seg("FA", Y + 1, X + 2, window=999), 0.03).finding is None
    return talk


def both_closing(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    """Both FINs crossed (figure 13): each is in CLOSING until the other's ACK comes."""
    talk = server_closed(profiles)
    talk.peer = opened(profiles).peer.sent(seg("FA", X + 1, Y + 1), 0.02, implied_calls=True)
    talk.owed = ()
    talk.server.receives(seg("FA", X + 1, Y + 1), 0.02)
    talk.peer, talk.owed = after_taking(talk.peer, talk.owed, seg("FA", Y + 1, X + 1), 0.02)
    return talk


def called(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    """The server's program has called us: its SYN is here, and we owe the SYN+ACK."""
    talk = closed(profiles)
    talk.server.call("connect", lambda end: end.open_active(0.0), 0.0)
    talk.peer = Endpoint(iss=X).open_passive().endpoint
    assert talk.server_sends(seg("S", Y), 0.0).finding is None
    return talk


def crossed(profiles: Sequence[Profile] = PLAIN) -> Conversation:
    """Both have called (figure 7): both are in SYN-RECEIVED, and we owe the SYN+ACK."""
    talk = closed(profiles)
    talk.peer_sends(seg("S", X), 0.0, hurdle=NEVER_ARRIVES)
    talk.server.call("connect", lambda end: end.open_active(0.0), 0.0)
    assert talk.server_sends(seg("S", Y), 0.0).finding is None
    talk.server.receives(seg("S", X), 0.1)
    return talk


STANDS = [
    (closed, S.CLOSED, S.CLOSED),
    (listening, S.CLOSED, S.LISTEN),
    (syn_lost, S.SYN_SENT, S.SYN_RECEIVED),
    (called, S.SYN_RECEIVED, S.SYN_SENT),
    (crossed, S.SYN_RECEIVED, S.SYN_RECEIVED),
    (syn_acked, S.ESTABLISHED, S.SYN_RECEIVED),
    (opened, S.ESTABLISHED, S.ESTABLISHED),
    (we_closed, S.FIN_WAIT_1, S.CLOSE_WAIT),
    (half_closed, S.FIN_WAIT_2, S.CLOSE_WAIT),
    (server_closed, S.CLOSE_WAIT, S.FIN_WAIT_1),
    (server_half_closed, S.CLOSE_WAIT, S.FIN_WAIT_2),
    (we_last, S.LAST_ACK, S.TIME_WAIT),
    (server_last, S.TIME_WAIT, S.LAST_ACK),
    (both_closing, S.CLOSING, S.CLOSING),
]


@pytest.mark.parametrize(("make", "lab", "server"), STANDS)
def test_where_the_examples_stand(make: Any, lab: State, server: State) -> None:
    talk = make()
    assert (talk.peer.state, talk.server.best.endpoint.state) == (lab, server)


def test_the_examples_reach_every_state_of_either_end_but_listen_of_ours() -> None:
    assert {lab for _, lab, _ in STANDS} == set(S) - {S.LISTEN}
    assert {server for _, _, server in STANDS} == set(S)


# What is legal now


def shown(talk: Conversation, **fields: bool) -> dict[str, tuple[Any, ...]]:
    """Each legal move by name: our segment's flags, seq, ack and payload; what comes back; where both ends are then."""
    found: dict[str, tuple[Any, ...]] = {}
    for move in legal_moves(talk, 1.0, iss=X, **fields):
        assert move.legal
        name = move.name if move.by == "lab" else f"server {move.name}"
        assert name not in found
        (answer,) = move.answers
        found[name] = (says(answer.segments), answer.lab, answer.server)
    return found


@pytest.mark.parametrize(
    ("make", "moves"),
    [
        (closed, {
            "syn": (["RA"], S.CLOSED, S.CLOSED),  # §3.10.7.1: nobody listens
            "server listen": ([], S.CLOSED, S.LISTEN),
            "server connect": (["S"], S.SYN_RECEIVED, S.SYN_SENT),
        }),
        (listening, {
            "syn": (["SA"], S.ESTABLISHED, S.SYN_RECEIVED),  # figure 6, lines 2 and 3
            "server close": ([], S.CLOSED, S.CLOSED),
        }),
        (syn_lost, {"repeat": (["A"], S.SYN_SENT, S.SYN_RECEIVED)}),  # §3.10.7.4: not acceptable, an ACK
        (called, {
            "synack": (["A"], S.ESTABLISHED, S.ESTABLISHED),
            "rst": ([], S.CLOSED, S.SYN_SENT),  # no ACK in it: it is dropped (§3.10.7.3)
            "server close": ([], S.SYN_RECEIVED, S.CLOSED),
            "server shutdown": ([], S.SYN_RECEIVED, S.CLOSED),
            "server abort": ([], S.SYN_RECEIVED, S.CLOSED),
        }),
        (syn_acked, {
            "ack": ([], S.ESTABLISHED, S.ESTABLISHED),  # figure 6, line 4
            "data": (["A"], S.ESTABLISHED, S.ESTABLISHED),
            "fin": (["A"], S.FIN_WAIT_2, S.CLOSE_WAIT),
            "rst": ([], S.CLOSED, S.LISTEN),
        }),
        (opened, {
            "data": (["A"], S.ESTABLISHED, S.ESTABLISHED),
            "fin": (["A"], S.FIN_WAIT_2, S.CLOSE_WAIT),  # figure 12, lines 2 and 3
            "rst": ([], S.CLOSED, S.CLOSED),
            "server send": (["PA"], S.ESTABLISHED, S.ESTABLISHED),
            "server shutdown": (["FA"], S.CLOSE_WAIT, S.FIN_WAIT_1),
            "server close": (["FA"], S.CLOSE_WAIT, S.FIN_WAIT_1),
            "server abort": (["R"], S.CLOSED, S.CLOSED),
        }),
        (half_closed, {
            "rst": ([], S.CLOSED, S.CLOSED),
            "server send": (["PA"], S.FIN_WAIT_2, S.CLOSE_WAIT),
            "server shutdown": (["FA"], S.TIME_WAIT, S.LAST_ACK),  # figure 12, line 4
            "server close": (["FA"], S.TIME_WAIT, S.LAST_ACK),
            "server abort": (["R"], S.CLOSED, S.CLOSED),
        }),
        (server_closed, {
            "ack": ([], S.CLOSE_WAIT, S.FIN_WAIT_2),
            "data": (["A"], S.CLOSE_WAIT, S.FIN_WAIT_2),
            "fin": (["A"], S.CLOSED, S.TIME_WAIT),
            "rst": ([], S.CLOSED, S.CLOSED),
            "server abort": (["R"], S.CLOSED, S.CLOSED),
        }),
        (server_half_closed, {
            "data": (["A"], S.CLOSE_WAIT, S.FIN_WAIT_2),
            "fin": (["A"], S.CLOSED, S.TIME_WAIT),
            "rst": ([], S.CLOSED, S.CLOSED),
            "server abort": (["R"], S.CLOSED, S.CLOSED),
        }),
        (we_last, {
            "repeat": (["A"], S.CLOSED, S.TIME_WAIT),
            "server abort": ([], S.LAST_ACK, S.CLOSED),
        }),
        (server_last, {
            "ack": ([], S.TIME_WAIT, S.CLOSED),  # figure 12, line 5
            "server abort": ([], S.TIME_WAIT, S.CLOSED),
        }),
        (both_closing, {
            "ack": ([], S.CLOSING, S.TIME_WAIT),  # figure 13, line 4
            "repeat": (["A"], S.TIME_WAIT, S.CLOSING),  # its number is old, so that its ACK counts for nothing
            "server abort": ([], S.CLOSING, S.CLOSED),
        }),
    ],
)  # fmt: skip
def test_what_is_legal_and_what_it_leads_to(make: Any, moves: dict[str, Any]) -> None:
    assert shown(make()) == moves


def test_an_untold_program_is_left_out() -> None:
    assert shown(opened(), calls=False).keys() == {"data", "fin", "rst"}


@pytest.mark.parametrize(
    ("make", "segments"),
    [
        (listening, {"syn": seg("S", X, None)}),
        (called, {"synack": seg("SA", X, Y + 1), "rst": seg("R", X + 1)}),
        (opened, {
            "data": seg("PA", X + 1, Y + 1, b"hello"),
            "fin": seg("FA", X + 1, Y + 1),
            "rst": seg("R", X + 1),
        }),
        (server_closed, {
            "ack": seg("A", X + 1, Y + 2),
            "data": seg("PA", X + 1, Y + 2, b"hello"),
            "fin": seg("FA", X + 1, Y + 2),
            "rst": seg("R", X + 1),
        }),
        (we_last, {"repeat": seg("FA", X + 1, Y + 2)}),
    ],
)  # fmt: skip
def test_the_numbers_of_our_own_segments(make: Any, segments: dict[str, Segment]) -> None:
    found = {m.name: m.segment for m in legal_moves(make(), 1.0, iss=X, calls=False)}
    assert {name: (s.flags, s.seq, s.ack, s.payload) for name, s in found.items() if s is not None} == {
        name: (s.flags, s.seq, s.ack, s.payload) for name, s in segments.items()
    }


def of(moves: Sequence[Move], name: str) -> Move:
    (move,) = (move for move in moves if move.name == name)
    return move


def test_what_is_due_comes_first_and_says_so() -> None:
    moves = legal_moves(server_last(), 1.0, iss=X)
    assert [(m.by, m.name, m.due, m.about) for m in moves[:1]] == [("lab", "ack", True, "you owe an ACK")]
    assert [m.due for m in moves[1:]] == [False] * len(moves[1:])
    moves = legal_moves(called(), 1.0, iss=X)
    assert (moves[0].name, moves[0].due, moves[0].about) == ("synack", True, "you owe a SYN+ACK")
    moves = legal_moves(server_closed(), 1.0, iss=X)
    assert of(moves, "data").about == "it carries the ACK that you owe"
    assert of(moves, "rst").about == ""
    assert "timer" in of(legal_moves(syn_lost(), 1.0, iss=X), "repeat").about


def test_what_may_be_left_out_is_owed_and_not_due() -> None:
    """Behind its FIN the server says FIN once more, which is none: an answer is as good as none."""
    talk = server_half_closed()
    talk.server_sends(seg("FA", Y + 2, X + 1), 0.1)
    first = legal_moves(talk, 1.0, iss=X)[0]
    assert (first.name, first.due, first.about) == ("ack", False, "you owe an ACK")


def test_a_fin_may_go_out_before_our_syn_is_acknowledged() -> None:
    """§3.10.4, SYN-RECEIVED: "form a FIN segment and send it". Not before the SYN+ACK."""
    talk = crossed()
    assert "fin" not in shown(talk)
    talk.peer_sends(seg("SA", X, Y + 1), 0.2, hurdle=NEVER_ARRIVES)
    assert shown(talk)["fin"] == (["A"], S.FIN_WAIT_2, S.CLOSE_WAIT)


def test_a_shut_window_takes_no_data_and_no_fin() -> None:
    talk = opened()
    talk.peer = replace(talk.peer, snd_wnd=0)
    assert shown(talk, calls=False).keys() == {"rst"}


def test_timestamps_go_on_from_where_a_script_began() -> None:
    """RFC 7323 §5.3: with the model's own clock, the server would take our data for an old duplicate."""
    stamp = options.pack([options.mss(1460), options.timestamps(900_000)])
    talk = listening((MITIGATED,))
    talk.peer_sends(replace(seg("S", X), options=stamp), 0.0)
    echo = options.pack([options.mss(1460), options.timestamps(7, 900_000)])
    assert talk.server_sends(replace(seg("SA", Y, X + 1), options=echo), 0.0).finding is None
    move = of(legal_moves(talk, 0.1, iss=X), "ack")
    assert move.segment is not None
    assert move.segment.timestamps == (900_000, 7)
    assert move.answers[0].server is S.ESTABLISHED


# What our end owes


def owed(talk: Conversation) -> list[tuple[str, int]]:
    return [(letters(r.segment.flags), r.segment.ack.ahead_of(Y)) for r in talk.owed]


def test_an_ack_is_owed_until_something_acknowledges_as_much() -> None:
    talk = opened()
    assert owed(talk) == []
    talk.server.call("send", lambda end: end.send(b"abcdef", 1.0), 1.0, b"abcdef")
    talk.server_sends(seg("A", Y + 1, X + 1, b"abc"), 1.0)
    assert owed(talk) == [("A", 4)]
    talk.server_sends(seg("A", Y + 4, X + 1, b"def"), 1.0)
    assert owed(talk) == [("A", 7)]
    talk.peer_sends(seg("A", X + 1, Y + 4), 1.1)
    assert owed(talk) == [("A", 7)]
    talk.peer_sends(seg("A", X + 1, Y + 8), 1.1)  # of what was never sent
    assert owed(talk) == [("A", 7)]
    talk.peer_sends(seg("PA", X + 1, Y + 7, b"x"), 1.2, ours=False)  # not our end's
    assert owed(talk) == [("A", 7)]
    talk.peer_sends(seg("PA", X + 1, Y + 7, b"x"), 1.2)
    assert owed(talk) == []


def test_a_syn_ack_is_owed_until_that_very_one_is_sent() -> None:
    talk = called()
    assert owed(talk) == [("SA", 1)]
    for wrong in (seg("SA", X, Y + 2), seg("SA", X + 1, Y + 1), seg("S", X), seg("A", X + 1, Y + 1)):
        trial = talk.copy()
        trial.peer_sends(wrong, 0.1)
        assert owed(trial) == [("SA", 1)], wrong
    # It acknowledges what a bare ACK would: to what lies outside the window it is the answer as well.
    talk.server_sends(seg("A", Y + 70_000, X + 1), 0.1)
    assert owed(talk) == [("SA", 1)]
    talk.peer_sends(seg("SA", X, Y + 1), 0.1)
    assert owed(talk) == []
    # Where the SYNs have crossed, text behind the server's SYN+ACK says that ours was understood without it.
    talk = crossed()
    assert owed(talk) == [("SA", 1)]
    talk.peer, talk.owed = after_taking(talk.peer, talk.owed, seg("A", Y + 1, X + 1, b"hi"), 0.2)
    assert (talk.peer.state, owed(talk)) == (S.ESTABLISHED, [("A", 3)])


def test_a_rst_is_owed_for_a_stray_segment_and_only_so_many_are_kept() -> None:
    talk = closed()
    talk.server_sends(seg("A", Y, X), 0.1)
    assert [(letters(r.segment.flags), r.segment.seq) for r in talk.owed] == [("R", X)]
    assert (legal_moves(talk, 0.2, iss=X)[0].name, legal_moves(talk, 0.2, iss=X)[0].due) == ("rst", True)
    talk.peer_sends(seg("R", X + 1), 0.2)
    assert len(talk.owed) == 1
    talk.peer_sends(seg("R", X), 0.2)
    assert talk.owed == ()
    for number in range(100):
        talk.server_sends(seg("A", Y, X + number), 0.1)
    assert len(talk.owed) == MOST == 16


def test_what_a_connection_owed_goes_with_it() -> None:
    talk = server_last()
    assert owed(talk) == [("A", 2)]
    reset = talk.copy()
    reset.server_sends(seg("R", Y + 2), 0.1)
    assert reset.peer.state is S.CLOSED
    assert reset.owed == ()
    talk.peer_sends(seg("R", X + 2), 0.1)
    assert talk.peer.state is S.CLOSED
    assert talk.owed == ()


# What would come back


def test_a_syn_in_the_window_by_different_profiles() -> None:
    """RFC 9293 §3.10.7.4, fourth: RFC 793's reset, or RFC 5961's challenge ACK."""
    plain, careful = predict(opened(ALL), seg("S", X + 1), 1.0)
    assert plain == Answer(
        segments=(Segment(RST | ACK, Seq(0), X + 2, 0),),
        due=0.0,
        server=S.CLOSED,
        lab=S.ESTABLISHED,  # number 0 is not in our window
        owes=(),
        rule="RFC 9293 §3.10.7.4",
        why="a SYN in the window is an error: the connection is reset",
        profiles=("rfc9293",),
        choices=(),
        notices=("connection reset",),
        optional=False,
        free=(frozenset({"window", "options"}),),
    )
    assert [(s.flags, s.seq, s.ack) for s in careful.segments] == [(ACK, Y + 1, X + 1)]
    assert (careful.server, careful.lab, careful.due) == (S.ESTABLISHED, S.ESTABLISHED, 0.0)
    assert (careful.rule, careful.choices) == ("RFC 5961 §4.2", ("challenge-syn",))
    assert careful.profiles == ("mitigated", "linux", "linux (earlier)", "frugal")
    assert careful.notices == ()


@pytest.mark.parametrize(
    ("make", "segment", "answer", "owes", "server", "lab", "rule"),
    [
        (closed, seg("A", X, Y), ["R"], [], S.CLOSED, S.CLOSED, "§3.10.7.1"),
        (listening, seg("A", X, Y), ["R"], [], S.LISTEN, S.CLOSED, "§3.10.7.2"),
        (listening, seg("R", X), [], [], S.LISTEN, S.CLOSED, "§3.10.7.2"),
        (listening, seg("S", X), ["SA"], ["A"], S.SYN_RECEIVED, S.ESTABLISHED, "§3.10.7.2"),
        (called, seg("SA", X, Y + 9), ["R"], [], S.SYN_SENT, S.LISTEN, "§3.10.7.3"),
        (called, seg("RA", X, Y + 1), [], ["SA"], S.CLOSED, S.SYN_RECEIVED, "§3.10.7.3"),
        (syn_acked, seg("A", X + 1, Y + 5), ["R"], [], S.SYN_RECEIVED, S.CLOSED, "§3.10.7.4"),
        (opened, seg("A", X + 1, Y + 9), ["A"], [], S.ESTABLISHED, S.ESTABLISHED, "§3.10.7.4"),
        (opened, seg("A", X + 70000, Y + 1, b"x"), ["A"], [], S.ESTABLISHED, S.ESTABLISHED, "§3.10.7.4"),
        (opened, seg("R", X + 70000), [], [], S.ESTABLISHED, S.ESTABLISHED, "§3.10.7.4"),
        (opened, seg("", X + 1, None, b"x"), [], [], S.ESTABLISHED, S.ESTABLISHED, "§3.10.7.4"),
        (server_closed, seg("FA", X + 1, Y + 1), ["A"], [], S.CLOSING, S.CLOSED, "§3.10.7.4"),
        (server_closed, seg("FA", X + 1, Y + 2), ["A"], [], S.TIME_WAIT, S.CLOSED, "§3.10.7.4"),
        (we_last, seg("FA", X + 1, Y + 2), ["A"], [], S.TIME_WAIT, S.CLOSED, "§3.10.7.4"),
        (we_last, seg("R", X + 2), [], [], S.CLOSED, S.CLOSED, "§3.10.7.4"),
    ],
)  # fmt: skip
def test_what_a_segment_brings(
    make: Any, segment: Segment, answer: list[str], owes: list[str], server: State, lab: State, rule: str
) -> None:
    (one,) = predict(make(), segment, 1.0)
    assert (says(one.segments), says(one.owes), one.server) == (answer, owes, server)
    assert one.rule == f"RFC 9293 {rule}"
    assert one.why
    assert one.lab is lab


def test_answers_that_look_alike_and_leave_the_server_elsewhere_are_two() -> None:
    """A RST is never answered: whether a host has refused it is seen by the state alone."""
    doubtful = Hurdle("it has an option", "RFC 7126 §4.3", sure=False)
    answers = predict(syn_acked((LINUX,)), seg("R", X + 1), 1.0, hurdle=doubtful)
    assert [(a.segments, a.notices, a.server) for a in answers] == [((), (), S.LISTEN), ((), (), S.SYN_RECEIVED)]


def test_a_delayed_ack_is_due_within_half_a_second() -> None:
    """RFC 9293 §3.8.6.3, MUST-40."""
    (one,) = predict(opened(), seg("PA", X + 1, Y + 1, b"hello"), 1.0)
    assert (one.due, one.optional, says(one.segments)) == (0.5, False, ["A"])
    assert one.segments[0].ack == X + 6


def test_a_wrong_checksum_brings_nothing_and_an_old_duplicate_does_not_move_us() -> None:
    (one,) = predict(listening(ALL), seg("S", X), 1.0, hurdle=BAD_CHECKSUM)
    assert (one.segments, one.server, one.lab, one.rule) == ((), S.LISTEN, S.SYN_SENT, "RFC 9293 §3.1")
    assert one.why == "bad checksum: it never reaches the server's TCP"
    (one,) = predict(listening(ALL), seg("S", X), 1.0, ours=False)
    assert (says(one.segments), one.server, one.lab, says(one.owes)) == (["SA"], S.SYN_RECEIVED, S.CLOSED, ["R"])


def test_an_ack_that_opens_the_window_lets_out_what_waited_for_it() -> None:
    talk = opened()
    talk.peer_sends(seg("A", X + 1, Y + 1, window=0), 0.1)
    talk.server.call("send", lambda end: end.send(b"hello", 0.2), 0.2, b"hello")
    (one,) = predict(talk, seg("A", X + 1, Y + 1, window=3), 0.3)
    assert [(s.seq, s.payload) for s in one.segments] == [(Y + 1, b"hel")]
    assert [s.ack for s in one.owes] == [Y + 4]
    (one,) = predict(talk, seg("A", X + 1, Y + 1, window=0), 0.3)
    assert one.segments == ()


def test_a_program_that_has_let_go_can_call_nothing_any_more() -> None:
    talk = half_closed(ALL)
    talk.server.call("close", lambda end: end.close(0.3), 0.3)
    assert [m.name for m in legal_moves(talk, 1.0, iss=X) if m.by == "server"] == []
    assert predict_call(half_closed(ALL), "close", 1.0, iss=X) != ()


def test_unread_data_makes_a_close_a_reset_where_nobody_reads_behind_it() -> None:
    """RFC 9293 §3.6.1, SHLD-3: "recv" is offered while data waits."""
    talk = opened(ALL)
    talk.peer_sends(seg("PA", X + 1, Y + 1, b"hello"), 0.1)
    plain, *others = predict_call(talk, "close", 1.0, iss=X)
    assert (plain.profiles, says(plain.segments), plain.lab) == (("rfc9293",), ["FA"], S.CLOSE_WAIT)
    assert {letters(a.segments[0].flags) for a in others} == {"R", "RA"}
    assert {a.lab for a in others} == {S.CLOSED}
    assert "recv" in {m.name for m in legal_moves(talk, 1.0, iss=X)}
    assert "recv" not in {m.name for m in legal_moves(opened(ALL), 1.0, iss=X)}


def test_a_second_small_write_may_wait() -> None:
    """Nagle's algorithm (RFC 9293 §3.7.4)."""
    talk = opened()
    (first,) = predict_call(talk, "send", 1.0, iss=X)
    talk.server.call("send", lambda end: end.send(b"hello", 1.0), 1.0, b"hello")
    talk.server_sends(seg("PA", Y + 1, X + 1, b"hello"), 1.0)
    (second,) = predict_call(talk, "send", 1.0, iss=X)
    assert (first.optional, second.optional) == (False, True)
    assert "Nagle" in second.why
    assert "Nagle" not in first.why


def test_what_is_held_back_goes_when_all_before_it_is_acknowledged() -> None:
    talk = opened()
    for text in (b"hello", b"world"):
        talk.server.call("send", lambda end, text=text: end.send(text, 1.0), 1.0, text)  # type: ignore[misc]
    talk.server_sends(seg("PA", Y + 1, X + 1, b"hello"), 1.0)
    (one,) = predict(talk, seg("A", X + 1, Y + 3), 1.1)
    assert one.segments == ()
    (one,) = predict(talk, seg("A", X + 1, Y + 6), 1.1)
    assert [s.payload for s in one.segments] == [b"world"]


# What is not legal


def wrong(talk: Conversation, **fields: int) -> list[tuple[str, list[tuple[list[str], State]]]]:
    """Name of each wrong segment, and what each profile answers."""
    moves = illegal_moves(talk, 1.0, iss=X, **fields)
    assert all(not m.legal and m.about and m.by == "lab" and m.segment is not None for m in moves)
    return [(m.name, [(says(a.segments), a.server) for a in m.answers]) for m in moves]


def test_what_is_wrong_without_a_connection() -> None:
    assert wrong(closed(), most=9) == [
        ("synfin", [(["RA"], S.CLOSED)]),
        ("data", [(["R"], S.CLOSED)]),
        ("synack", [(["R"], S.CLOSED)]),
        ("rst", [([], S.CLOSED)]),
    ]
    assert wrong(listening((MITIGATED, LINUX)), most=9) == [
        ("synfin", [(["SA"], S.SYN_RECEIVED), ([], S.LISTEN)]),
        ("data", [(["R"], S.LISTEN)]),
        ("synack", [(["R"], S.LISTEN)]),
        ("data", [([], S.LISTEN)]),
    ]


def test_what_is_wrong_where_the_connection_stands() -> None:
    """§3.10.7.4: the SYN and the RST in the window on which RFC 793 and RFC 5961 differ come first."""
    found = wrong(opened((RFC9293, MITIGATED)), most=2)
    assert found == [
        ("syn", [(["RA"], S.CLOSED), (["A"], S.ESTABLISHED)]),
        ("rst", [([], S.CLOSED), (["A"], S.ESTABLISHED)]),
    ]


def test_what_our_end_might_send_is_not_called_wrong() -> None:
    """Where data may be sent they are none of the wrong ones; behind our FIN they are."""
    plain = [m.about for m in illegal_moves(opened(), 1.0, iss=X, most=99)]
    assert not [about for about in plain if "behind your FIN" in about or "before the connection" in about]
    assert "where it stands, an end that gives up sends nothing" not in plain  # ABORT sends that very RST
    assert "it acknowledges what was never sent" in plain, "its sequence number alone does not make it ours"
    behind = [m.about for m in illegal_moves(half_closed(), 1.0, iss=X, most=99)]
    assert "data behind your FIN" in behind
    last = [m.about for m in illegal_moves(server_last(), 1.0, iss=X, most=99)]
    assert "where it stands, an end that gives up sends nothing" in last


@pytest.mark.parametrize(("make", "lab", "server"), STANDS)
@pytest.mark.parametrize("profiles", [PLAIN, ALL])
def test_the_wrong_ones_are_few_different_and_the_same_each_time(
    make: Any, lab: State, server: State, profiles: tuple[Profile, ...]
) -> None:
    talk = make(profiles)
    found = illegal_moves(talk, 1.0, iss=X)
    assert 2 <= len(found) <= 4
    assert found == illegal_moves(talk, 1.0, iss=X)
    assert found == illegal_moves(talk.copy(), 1.0, iss=X)
    assert illegal_moves(talk, 1.0, iss=X, most=0) == []
    outcomes = [[(says(a.segments), a.server, a.lab) for a in m.answers] for m in found]
    assert all(outcomes.count(one) == 1 for one in outcomes)
    legal = [m.segment for m in legal_moves(talk, 1.0, iss=X)]
    assert not [m for m in found if m.segment in legal]


# Nothing is changed, and nothing raises


def held(talk: Conversation) -> Any:
    """All that a conversation knows, as values."""
    worlds = [{name: getattr(world, name) for name in vars(world) if name != "stamps"} for world in talk.server.worlds]
    stamps = [sorted(world.stamps) for world in talk.server.worlds]
    return repr((talk.peer, talk.owed, talk.peer_isn, talk.server_isn, talk.server.listening, worlds, stamps))


numbers = st.one_of(st.integers(-3, 12), st.sampled_from([-70000, -1000, 999, 1001, 65535, 70000, 2**31]))
raws = st.sampled_from([b"", options.pack([options.mss(536), options.timestamps(5000, 1), options.window_scale(7)])])
flags = st.one_of(
    st.sampled_from([SYN, ACK, SYN | ACK, ACK | FIN, RST, RST | ACK, SYN | FIN]), st.integers(0, 511).map(Flags)
)
segments = st.tuples(flags, numbers, numbers, st.binary(max_size=6), st.sampled_from([0, 5, 65535]), raws)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("lab"), segments, st.booleans(), st.sampled_from([None, BAD_CHECKSUM])),
        st.tuples(st.just("server"), segments),
        st.tuples(st.just("call"), st.sampled_from(sorted(CALLS))),
        st.tuples(st.just("move"), st.integers(0, 9)),
    ),
    max_size=12,
)


@settings(max_examples=250, deadline=None)
@given(
    profiles=st.sampled_from([PLAIN, ALL]), told=st.booleans(), listens=st.booleans(), story=steps, asked=segments
)  # fmt: skip
def test_whatever_was_said_it_can_be_asked_and_nothing_changes(
    profiles: Any, told: bool, listens: bool, story: list[Any], asked: Any
) -> None:
    talk, now = Conversation(profiles, told=told), 0.0
    if listens:
        talk.server.listen()
    for what, *more in story:
        now += 0.1
        if what == "lab":
            talk.peer_sends(built(talk.peer, more[0]), now, ours=more[1], hurdle=more[2])
        elif what == "server":
            talk.server_sends(built(talk.server.best.endpoint, more[0]), now)
        elif what == "call":
            talk.server.call(more[0], lambda end, name=more[0]: tried(end, name, now), now)  # type: ignore[misc]  # noqa: B023
        else:
            moves = legal_moves(talk, now, iss=X)
            move = moves[more[0] % len(moves)] if moves else None
            if move is not None and move.segment is not None:
                talk.peer_sends(move.segment, now)
    before = held(talk)
    legal, bad = legal_moves(talk, now, iss=X), illegal_moves(talk, now, iss=X)
    answers = predict(talk, built(talk.peer, asked), now)
    assert held(talk) == before
    assert answers
    assert len(bad) <= 4
    for move in (*legal, *bad):
        assert move.answers
        assert (move.segment is None) is (move.by == "server")
        for answer in (*move.answers, *answers):
            assert answer.rule.startswith("RFC ")
            assert answer.why
            assert answer.profiles
            assert len(answer.free) == len(answer.segments)
    assert legal == legal_moves(talk, now, iss=X)


def built(end: Endpoint, parts: Any) -> Segment:
    bits, seq, ack, payload, window, raw = parts
    return Segment(bits, end.snd_nxt + seq, end.rcv_nxt + ack, window, payload, raw)


def tried(end: Endpoint, name: str, now: float) -> Outcome:
    try:
        return CALLS[name](end, now, b"hello")
    except CallError:
        return Outcome(end)


# What is only imagined is not worked out to the end


def an_octet_at_a_time(octets: int) -> Conversation:
    """Our MSS is 1, and the server's program has written so many octets behind one that is on its way."""
    talk = listening()
    talk.peer_sends(Segment(SYN, X, window=65535, options=options.pack([options.mss(1)])), 0.0)
    talk.server_sends(Segment(SYN | ACK, Y, X + 1, 1000, options=options.pack([options.mss(1440)])), 0.0)
    talk.peer_sends(seg("A", X + 1, Y + 1, window=65535), 0.0)
    talk.server.call("send", lambda end: end.send(bytes(octets), 0.0), 0.0, bytes(octets))
    assert talk.server_sends(seg("A", Y + 1, X + 1, bytes(1)), 0.0).finding is None
    return talk


def test_an_outlook_makes_no_more_segments_than_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def counted(*args: Any, **kwargs: Any) -> Segment:
        nonlocal made
        made += 1
        return make(*args, **kwargs)

    monkeypatch.setattr(transmission, "make", counted)
    work = []
    for octets in (1_000, 60_000):
        talk, made = an_octet_at_a_time(octets), 0
        moves = [*legal_moves(talk, 0.0, iss=X), *illegal_moves(talk, 0.0, iss=X)]
        assert max(len(answer.segments) for move in moves for answer in move.answers) <= IMAGINED + 1
        work.append(made)
    assert work[0] == work[1] < 20 * IMAGINED


def test_an_answer_says_whether_there_is_more() -> None:
    def sent(octets: int) -> Answer:
        (answer,) = predict(an_octet_at_a_time(octets), seg("A", X + 1, Y + 2, window=65535), 0.0)
        return answer

    assert (len(sent(IMAGINED).segments), sent(IMAGINED).more) == (IMAGINED - 1, False)
    assert (len(sent(IMAGINED + 1).segments), sent(IMAGINED + 1).more) == (IMAGINED, False)
    assert (len(sent(IMAGINED + 2).segments), sent(IMAGINED + 2).more) == (IMAGINED, True)


def test_an_end_that_sends_in_earnest_sends_all() -> None:
    end = an_octet_at_a_time(3_000).server.best.endpoint
    assert len(end.transmit(0.0).replies) == 2_999
    assert len(end.transmit(0.0, most=7).replies) == 7
