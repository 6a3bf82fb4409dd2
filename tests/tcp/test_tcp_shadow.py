"""The judge without a wire: hand-made segments of a server, each explained or refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.tcp import options
from lab.tcp.conversation import Conversation
from lab.tcp.habits import WIDEST
from lab.tcp.prediction import predict
from lab.tcp.profile import LINUX, MITIGATED, RFC9293, Profile
from lab.tcp.segment import ACK, BAD_CHECKSUM, FIN, RST, SYN, Hurdle, Segment, letters
from lab.tcp.sequence import Seq
from lab.tcp.shadow import MOST_WORLDS
from lab.tcp.state import State
from lab.tcp.world import Sight

X, Y = Seq(0xFFFF_FFFF), Seq(0xFFFF_FFFE)
"""Both sides' first numbers, at the top of the circle."""

SYN_ACK = Segment(SYN | ACK, Y, X + 1, window=1000)


def listening(*, told: bool = True) -> Conversation:
    talk = Conversation(told=told)
    talk.server.listen()
    return talk


def opened(*, told: bool = True) -> Conversation:
    talk = listening(told=told)
    talk.peer_sends(Segment(SYN, X), 0.0)
    assert talk.server_sends(SYN_ACK, 0.001).finding is None
    talk.peer_sends(Segment(ACK, X + 1, Y + 1), 0.002)
    assert talk.server.best.endpoint.state is State.ESTABLISHED
    assert talk.server.settle(0.003) is None
    return talk


def wrong(sight: Sight, field: str, words: str) -> None:
    assert sight.finding is not None
    assert sight.finding.field == field
    assert words in sight.finding.message
    assert sight.finding.section


@pytest.mark.parametrize(
    ("answer", "field", "words"),
    [
        (replace(SYN_ACK, ack=X), "ack", "wrong ack"),
        (replace(SYN_ACK, ack=X + 2), "ack", "wrong ack"),
        (replace(SYN_ACK, flags=SYN), "flags", "wrong flags"),
        (replace(SYN_ACK, flags=ACK), "flags", "wrong flags"),
        (replace(SYN_ACK, flags=RST | ACK), "flags", "resets the connection without a reason"),
        (replace(SYN_ACK, options=options.pack([options.window_scale(7)])), "options", "window scale"),
        (replace(SYN_ACK, options=options.pack([options.timestamps(1)])), "options", "timestamps"),
        (replace(SYN_ACK, options=options.pack([options.sack_permitted()])), "options", "SACK permitted"),
    ],
)
def test_answers_to_a_syn(answer: Segment, field: str, words: str) -> None:
    talk = listening()
    talk.peer_sends(Segment(SYN, X), 0.0)
    wrong(talk.server_sends(answer, 0.001), field, words)


def test_a_syn_ack_comes_again_from_the_same_number_and_not_at_once() -> None:
    talk = listening()
    talk.peer_sends(Segment(SYN, X), 0.0)
    talk.server_sends(SYN_ACK, 0.001)
    assert talk.server_sends(SYN_ACK, 1.001) == Sight(None, "retransmission", "RFC 9293 §3.10.7.2")
    wrong(talk.server_sends(replace(SYN_ACK, seq=Y + 5), 3.0), "seq", "wrong seq")
    talk = listening()
    talk.peer_sends(Segment(SYN, X), 0.0)
    talk.server_sends(SYN_ACK, 0.001)
    wrong(talk.server_sends(SYN_ACK, 0.0011), "silence", "repeats a segment at once")


def shut_down_in_syn_received() -> Conversation:
    """SYNs have crossed, and the server's program has nothing to send before the third segment has come."""
    talk = Conversation()
    talk.server.call("connect", lambda end: end.open_active(0.0), 0.0)
    assert talk.server_sends(Segment(SYN, Y, window=1000), 0.001).finding is None
    talk.peer_sends(Segment(SYN, X), 0.002)
    assert talk.server_sends(SYN_ACK, 0.003).finding is None
    talk.server.call("shutdown", lambda end: end.shutdown(0.004), 0.004)
    return talk


def test_a_fin_that_waits_for_the_connection_to_stand() -> None:
    """RFC 9293 §3.10.4 sends it at once; Linux when our ACK comes, and acknowledges behind it what that ACK brought."""
    talk = shut_down_in_syn_received()
    assert talk.server.compare_state(State.SYN_RECEIVED, 0.005) is None
    assert [world.endpoint.profile.name for world in talk.server.worlds] == ["linux"]
    talk.peer_sends(Segment(FIN | ACK, X + 1, Y + 1), 1.0)
    for number, words in ((X, "2 too low"), (X + 3, "counts our FIN twice"), (X + 9, "7 too high")):
        wrong(talk.copy().server_sends(Segment(FIN | ACK, Y + 1, number, window=1000), 1.001), "ack", words)
    assert talk.server_sends(Segment(FIN | ACK, Y + 1, X + 1, window=1000), 1.001).finding is None
    assert talk.server_sends(Segment(ACK, Y + 2, X + 2, window=999), 1.001).finding is None
    assert talk.server.compare_state(State.CLOSING, 1.002) is None
    wrong(talk.server_sends(Segment(FIN | ACK, Y + 1, X + 1, window=1000), 2.0), "ack", "does not cover our FIN")


def test_a_fin_that_did_not_wait_covers_what_has_come() -> None:
    talk = shut_down_in_syn_received()
    assert talk.server.compare_state(State.FIN_WAIT_1, 0.005) is None
    talk.peer_sends(Segment(FIN | ACK, X + 1, Y + 1), 1.0)
    wrong(talk.server_sends(Segment(FIN | ACK, Y + 1, X + 1, window=1000), 1.001), "ack", "does not cover our FIN")


def test_a_fin_that_waits_behind_text_covers_what_has_come() -> None:
    """What came with our ACK is known when the text has gone out: only a FIN in its place may leave without it."""
    talk = Conversation()
    talk.server.call("connect", lambda end: end.open_active(0.0), 0.0)
    talk.server_sends(Segment(SYN, Y, window=1000), 0.001)
    talk.peer_sends(Segment(SYN, X), 0.002)
    talk.server_sends(SYN_ACK, 0.003)
    talk.server.call("send", lambda end: end.send(b"hello", 0.004), 0.004, b"hello")
    talk.server.call("shutdown", lambda end: end.shutdown(0.004), 0.004)
    talk.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"abc"), 1.0)
    assert talk.server_sends(Segment(ACK, Y + 1, X + 4, 997, b"hello"), 1.0).finding is None
    wrong(talk.copy().server_sends(Segment(FIN | ACK, Y + 6, X + 1, window=1000), 1.0), "ack", "3 too low")
    assert talk.server_sends(Segment(FIN | ACK, Y + 6, X + 4, window=997), 1.0).finding is None


def test_an_answer_that_is_owed_is_missed() -> None:
    talk = listening()
    talk.peer_sends(Segment(SYN, X), 0.0)
    assert talk.server.missing(0.0) is not None
    finding = talk.server.settle(0.0)
    assert finding is not None
    assert finding.expected == "a segment with flags SA"
    assert finding.observed == "nothing"


@pytest.mark.parametrize(
    ("segment", "field", "words"),
    [
        (Segment(ACK, Y + 1, X + 1, window=1000), "silence", "nothing asked for"),
        (Segment(ACK, Y + 2, X + 1, window=1000), "seq", "next sequence number"),
        (Segment(ACK, Y + 1, X + 2, window=1000), "ack", "1 too high"),
        (Segment(ACK, Y + 1, X, window=1000), "ack", "1 too low"),
        (Segment(ACK, Y + 1, X + 1, window=999), "window", "takes back 1 octets"),
        (Segment(ACK, Y + 1, X + 1, window=1000, payload=b"?"), "payload", "more data than its program has written"),
        (Segment(FIN | ACK, Y + 1, X + 1, window=1000), "flags", "though its program has not closed"),
        (Segment(RST, Y + 1), "silence", "without a reason"),
        (Segment(SYN | ACK, Y, X + 1, window=1000), "flags", "sends a SYN in ESTABLISHED"),
        (Segment(Segment(ACK, Y).flags & SYN, Y + 1, X + 1), "flags", "wrong flags"),
    ],
)
def test_what_nobody_asked_for(segment: Segment, field: str, words: str) -> None:
    wrong(opened().server_sends(segment, 1.0), field, words)


def test_a_window_may_grow() -> None:
    assert opened().server_sends(Segment(ACK, Y + 1, X + 1, window=2000), 1.0).note == "window update"


def test_the_programs_words_are_known() -> None:
    talk = opened()
    talk.server.call("send", lambda end: end.send(b"abc", 1.0), 1.0, b"abc")
    assert talk.server_sends(Segment(ACK, Y + 1, X + 1, 1000, b"ab"), 1.0).finding is None
    wrong(talk.server_sends(Segment(ACK, Y + 3, X + 1, 1000, b"x"), 1.0), "payload", "not what its program wrote")
    wrong(talk.server_sends(Segment(ACK, Y + 5, X + 1, 1000, b"c"), 1.0), "seq", "leaves out 1 sequence numbers")


def test_what_was_acknowledged_is_not_sent_again() -> None:
    talk = opened()
    talk.server.call("send", lambda end: end.send(b"abc", 1.0), 1.0, b"abc")
    talk.server_sends(Segment(ACK, Y + 1, X + 1, 1000, b"abc"), 1.0)
    assert talk.server_sends(Segment(ACK, Y + 1, X + 1, 1000, b"abc"), 1.3).note == "retransmission"
    talk.peer_sends(Segment(ACK, X + 1, Y + 4), 1.4)
    wrong(talk.server_sends(Segment(ACK, Y + 1, X + 1, 1000, b"abc"), 2.0), "seq", "has been acknowledged")


@pytest.mark.parametrize(("late", "finds"), [(0.499, False), (0.51, True)])
def test_the_ack_of_a_fin_may_wait_for_half_a_second(late: float, finds: bool) -> None:
    """RFC 9293 §3.8.6.3 (MUST-40)."""
    talk = opened()
    talk.peer_sends(Segment(FIN | ACK, X + 1, Y + 1), 1.0)
    assert talk.server.settle(1.1) is None
    sight = talk.server_sends(Segment(ACK, Y + 1, X + 2, window=999), 1.0 + late)
    assert (sight.finding is not None) is finds
    assert (talk.server.settle(1.6) is None) is not finds or sight.finding is not None


def test_a_fin_is_counted_once() -> None:
    for ack, words in ((X + 1, "does not cover our FIN"), (X + 3, "counts our FIN twice")):
        talk = opened()
        talk.peer_sends(Segment(FIN | ACK, X + 1, Y + 1), 1.0)
        wrong(talk.server_sends(Segment(ACK, Y + 1, ack, window=999), 1.0), "ack", words)


def test_a_delayed_ack_may_be_overtaken_by_the_fin_once() -> None:
    """The timer's ACK and the program's FIN leave by two processors: they may arrive in either order."""
    talk = opened()
    talk.peer_sends(Segment(FIN | ACK, X + 1, Y + 1), 1.0)
    talk.server.call("close", lambda end: end.close(1.04), 1.04)
    assert talk.server_sends(Segment(FIN | ACK, Y + 1, X + 2, window=999), 1.04).finding is None
    late = Segment(ACK, Y + 1, X + 2, window=999)
    sight = talk.server_sends(late, 1.0401)
    assert (sight.finding, sight.note, sight.incidental) == (None, "overtaken", True)
    wrong(talk.server_sends(late, 1.0402), "silence", "nothing asked for")


def test_the_kernels_word_is_held_against_the_model() -> None:
    talk = opened()
    assert talk.server.compare_state(State.ESTABLISHED, 1.0) is None
    finding = talk.server.compare_state(State.CLOSE_WAIT, 1.0)
    assert finding is not None
    assert (finding.field, finding.expected, finding.observed) == ("state", "ESTABLISHED", "CLOSE-WAIT")


def test_behind_both_fins_a_window_says_nothing() -> None:
    """Linux in TIME-WAIT puts a window of 86,140 into the field's 16 bits, of which 20,604 are left."""
    for with_fin, finding in ((True, False), (False, True)):
        talk = opened()
        talk.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"a" * 10), 0.5)
        talk.server_sends(Segment(ACK, Y + 1, X + 11, window=65535), 0.5)
        talk.server.call("close", lambda end: end.close(1.0), 1.0)
        talk.server_sends(Segment(FIN | ACK, Y + 1, X + 11, window=65535), 1.0)
        talk.peer_sends(Segment(FIN | ACK if with_fin else ACK, X + 11, Y + 2, payload=b"" if with_fin else b"b"), 1.1)
        sight = talk.server_sends(Segment(ACK, Y + 2, X + 12, window=20604), 1.1)
        assert (sight.finding is not None) is finding
        assert finding is False or sight.finding.field == "window"  # type: ignore[union-attr]


def test_time_wait_may_end_when_its_time_has_come_and_not_before() -> None:
    talk = opened()
    talk.server.call("close", lambda end: end.close(1.0), 1.0)
    talk.server_sends(Segment(FIN | ACK, Y + 1, X + 1, window=1000), 1.0)
    talk.peer_sends(Segment(FIN | ACK, X + 1, Y + 2), 1.1)
    talk.server_sends(Segment(ACK, Y + 2, X + 2, window=999), 1.1)
    assert talk.server.best.endpoint.state is State.TIME_WAIT
    assert not talk.server.could_be_in(State.CLOSED, 40.0)
    assert talk.server.could_be_in(State.CLOSED, 61.2)  # Linux: 60 s
    assert talk.server.compare_state(State.TIME_WAIT, 100.0) is None  # the RFC: 240 s
    assert talk.server.compare_state(State.CLOSED, 241.2) is None
    assert talk.server.best.endpoint.profile.name == "rfc9293"
    assert talk.server.best.ended is not None
    assert talk.server.best.ended.notice == "", "both ends had closed: nobody has given up"


def test_of_a_program_that_nobody_tells_only_the_numbers_can_be_wrong() -> None:
    talk = opened(told=False)
    assert talk.server_sends(Segment(ACK, Y + 1, X + 1, 1000, b"hello"), 1.0).finding is None
    wrong(talk.server_sends(Segment(ACK, Y + 8, X + 1, 1000, b"!"), 1.1), "seq", "leaves out 2 sequence numbers")
    talk = opened(told=False)
    assert talk.server_sends(Segment(FIN | ACK, Y + 1, X + 1, 1000, b"bye"), 1.0).finding is None
    assert talk.server.best.endpoint.state is State.FIN_WAIT_1
    wrong(talk.server_sends(Segment(ACK, Y + 5, X + 1, 1000, b"more"), 1.1), "payload", "behind its FIN")
    assert opened(told=False).server_sends(Segment(RST | ACK, Y + 1, X + 1), 1.0).finding is None


def test_a_segment_with_a_wrong_checksum_does_not_reach_the_server() -> None:
    talk = listening()
    talk.peer_sends(Segment(SYN, X), 0.0, hurdle=BAD_CHECKSUM)
    assert talk.server.best.endpoint.state is State.LISTEN
    assert talk.server.settle(1.0) is None


def test_an_old_duplicate_does_not_move_the_labs_own_end() -> None:
    talk = listening()
    talk.peer_sends(Segment(SYN, X), 0.0, ours=False)
    assert talk.peer.state is State.CLOSED
    assert talk.server.best.endpoint.state is State.SYN_RECEIVED


def test_the_plainest_world_is_told_while_it_stands() -> None:
    """A repeated SYN: the RFC's plain words have an ACK; the same SYN+ACK again is permitted, and named."""
    talk = listening()
    talk.peer_sends(Segment(SYN, X), 0.0)
    talk.server_sends(SYN_ACK, 0.001)
    talk.peer_sends(Segment(SYN, X), 0.1)
    assert talk.server_sends(Segment(ACK, Y + 1, X + 1, window=1000), 0.1).finding is None
    assert talk.server.best.choices == ()
    talk = listening()
    talk.peer_sends(Segment(SYN, X), 0.0)
    talk.server_sends(SYN_ACK, 0.001)
    talk.peer_sends(Segment(SYN, X), 0.1)
    assert talk.server_sends(SYN_ACK, 0.1).finding is None
    assert talk.server.settle(0.2) is None
    assert talk.server.best.choices == ("synack-repeated",)


# What a stack sends by itself: probes and repetitions


def untold(data: bytes = b"", *, acked: bool = True, now: float = 1.0) -> Conversation:
    """An untold server that has sent `data`, acknowledged or not."""
    talk = opened(told=False)
    if data:
        assert talk.server_sends(Segment(ACK, Y + 1, X + 1, 1000, data), now).finding is None
        if acked:
            talk.peer_sends(Segment(ACK, X + 1, Y + 1 + len(data)), now)
    return talk


@pytest.mark.parametrize("garbage", [b"", b"\0"])
def test_an_untold_server_may_probe_whether_we_live(garbage: bytes) -> None:
    """RFC 9293 §3.8.4: one number below the next, and only where nothing is outstanding."""
    talk = untold(b"abc")
    probe = Segment(ACK, Y + 3, X + 1, 1000, garbage)
    sight = talk.server_sends(probe, 9.0)
    assert (sight.finding, sight.note, sight.incidental) == (None, "keep-alive probe", True)
    talk.peer_sends(Segment(ACK, X + 1, Y + 4), 9.0)
    assert talk.server_sends(probe, 10.0).note == "keep-alive probe"
    assert talk.server_sends(Segment(ACK, Y + 4, X + 1, 1000, b"d"), 11.0).finding is None
    assert talk.server.best.choices == ()
    wrong(talk.server_sends(Segment(ACK, Y + 3, X + 1, 1000), 12.0), "seq", "next sequence number")
    wrong(untold(b"abc").server_sends(Segment(ACK, Y + 2, X + 1, 1000), 9.0), "seq", "next sequence number")


def test_probes_are_off_unless_the_program_switched_them_on() -> None:
    """RFC 9293 §3.8.4, MUST-25."""
    talk = opened()
    wrong(talk.server_sends(Segment(ACK, Y, X + 1, 1000), 9.0), "seq", "next sequence number")
    talk = opened()
    talk.server.keep_alive()
    assert talk.server_sends(Segment(ACK, Y, X + 1, 1000), 9.0).note == "keep-alive probe"


@pytest.mark.parametrize("told", [True, False])
def test_a_shut_window_is_probed(told: bool) -> None:
    """One octet beyond it, as RFC 9293 §3.8.6.1 has it, or an empty segment one number below, as Linux does."""
    talk = opened(told=told)
    if told:
        talk.server.call("send", lambda end: end.send(b"abcdef", 1.0), 1.0, b"abcdef")
    assert talk.server_sends(Segment(ACK, Y + 1, X + 1, 1000, b"abc"), 1.0).finding is None
    talk.peer_sends(Segment(ACK, X + 1, Y + 4, window=0), 1.1)
    for now in (1.5, 2.1):
        sight = talk.server_sends(Segment(ACK, Y + 3, X + 1, 1000), now)
        assert (sight.finding, sight.note, sight.incidental) == (None, "zero-window probe", True)
        talk.peer_sends(Segment(ACK, X + 1, Y + 4, window=0), now)
    for now in (3.0, 4.0):
        assert talk.server_sends(Segment(ACK, Y + 4, X + 1, 1000, b"d"), now).note == "zero-window probe"
        talk.peer_sends(Segment(ACK, X + 1, Y + 4, window=0), now)
    talk.peer_sends(Segment(ACK, X + 1, Y + 4, window=100), 5.0)
    assert talk.server_sends(Segment(ACK, Y + 4, X + 1, 1000, b"def"), 5.0001).finding is None


def test_a_told_server_that_has_nothing_to_send_probes_no_window() -> None:
    talk = opened()
    talk.peer_sends(Segment(ACK, X + 1, Y + 1, window=0), 1.1)
    wrong(talk.server_sends(Segment(ACK, Y, X + 1, 1000), 2.0), "seq", "next sequence number")


def test_repetitions_may_join_and_split_what_was_sent() -> None:
    talk = untold(b"abc", acked=False)
    assert talk.server_sends(Segment(ACK, Y + 4, X + 1, 1000, b"defg"), 1.0).finding is None
    again = Segment(ACK, Y + 1, X + 1, 1000, b"abcde")
    assert talk.server_sends(again, 1.3) == Sight(None, "retransmission", "RFC 9293 §3.10.7.4")
    assert talk.server_sends(Segment(ACK, Y + 3, X + 1, 1000, b"cdefghi"), 1.7).note == "retransmission"
    talk.peer_sends(Segment(ACK, X + 1, Y + 3), 1.8)
    assert talk.server_sends(Segment(ACK, Y + 2, X + 1, 1000, b"bc"), 2.9).note == "retransmission"
    wrong(talk.server_sends(Segment(ACK, Y + 3, X + 1, 1000, b"cdX"), 3.5), "payload", "not what its program wrote")
    wrong(talk.server_sends(Segment(ACK, Y + 1, X + 1, 1000, b"ab"), 4.5), "seq", "has been acknowledged")
    assert talk.server_sends(Segment(ACK, Y + 10, X + 1, 1000, b"j"), 5.0).finding is None


def test_each_duplicate_or_partial_ack_is_a_reason_to_repeat_once() -> None:
    """RFC 5681 §3.2, RFC 6582 §3.2: no timer has to run out for these."""
    talk = untold()
    for number in range(4):
        talk.server_sends(Segment(ACK, Y + 1 + 2 * number, X + 1, 1000, b"%02d" % number), 1.0)
    first, third = Segment(ACK, Y + 1, X + 1, 1000, b"00"), Segment(ACK, Y + 5, X + 1, 1000, b"02")
    wrong(talk.server_sends(first, 1.0001), "silence", "repeats a segment at once")
    talk.peer_sends(Segment(ACK, X + 1, Y + 1), 1.0002)
    assert talk.server_sends(first, 1.0002).note == "retransmission"
    wrong(talk.server_sends(first, 1.0003), "silence", "repeats a segment at once")
    talk.peer_sends(Segment(ACK, X + 1, Y + 5), 1.0004)
    assert talk.server_sends(third, 1.0004).note == "retransmission"
    talk.peer_sends(Segment(ACK, X + 1, Y + 9), 1.0005)
    talk.server_sends(Segment(ACK, Y + 9, X + 1, 1000, b"04"), 1.0006)
    wrong(talk.server_sends(Segment(ACK, Y + 9, X + 1, 1000, b"04"), 1.0007), "silence", "repeats a segment at once")


# A program that nobody tells, and a kernel that is asked at any time


@pytest.mark.parametrize(
    ("fin_of_ours", "ahead", "other"),
    [(False, State.FIN_WAIT_1, State.FIN_WAIT_2), (True, State.LAST_ACK, State.CLOSING)],
)
def test_an_untold_program_may_have_closed_a_moment_ago(fin_of_ours: bool, ahead: State, other: State) -> None:
    talk = opened(told=False)
    stood = State.ESTABLISHED
    if fin_of_ours:
        talk.peer_sends(Segment(FIN | ACK, X + 1, Y + 1), 1.0)
        stood = State.CLOSE_WAIT
    server = talk.server
    assert server.compare_state(stood, 1.0) is None
    assert server.could_be_in(ahead, 1.1)
    assert server.is_behind(ahead, 1.1)
    assert not server.is_behind(stood, 1.1)
    assert not server.is_behind(other, 1.1)
    assert not server.could_be_in(other, 1.1)
    assert not server.could_be_in(State.TIME_WAIT, 1.1)
    assert server.compare_state(ahead, 1.1) is None
    assert server.best.endpoint.state is stood
    assert server.could_be_in(ahead, 1.5)
    assert not server.could_be_in(ahead, 1.7)  # its FIN is due: nothing holds it back
    finding = server.compare_state(ahead, 1.7)
    assert finding is not None
    assert (finding.field, finding.expected, finding.observed) == ("state", str(stood), str(ahead))
    assert talk.server_sends(Segment(FIN | ACK, Y + 1, X + 1 + fin_of_ours, 1000), 1.8).finding is None
    assert server.compare_state(ahead, 1.9) is None
    assert not server.is_behind(ahead, 1.9)
    assert not server.could_be_in(stood, 1.9)


def test_a_fin_waits_behind_data_and_for_a_window() -> None:
    talk = untold(b"abc", acked=False)
    assert talk.server.compare_state(State.FIN_WAIT_1, 1.1) is None
    assert talk.server.compare_state(State.FIN_WAIT_1, 60.0) is None  # for all that is known: slow start
    talk.peer_sends(Segment(ACK, X + 1, Y + 4, window=0), 60.0)
    assert talk.server.compare_state(State.FIN_WAIT_1, 99.0) is None  # the window is shut
    talk.peer_sends(Segment(ACK, X + 1, Y + 4), 99.0)
    assert talk.server.compare_state(State.FIN_WAIT_1, 99.6) is not None


def test_an_untold_program_may_abort_and_then_its_reset_is_due() -> None:
    talk = opened(told=False)
    talk.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"?"), 1.0)
    assert talk.server.compare_state(State.CLOSED, 1.1) is None
    assert not talk.server.could_be_in(State.CLOSED, 1.7)
    assert talk.server_sends(Segment(RST | ACK, Y + 1, X + 2), 1.2).note == "the program aborts"
    assert talk.server.compare_state(State.CLOSED, 1.8) is None
    assert talk.server.settle(9.0) is None  # the ACK that was owed is not, any more
    assert not talk.server.could_be_in(State.ESTABLISHED, 1.8)


def test_a_told_program_closes_when_it_is_told() -> None:
    assert not opened().server.could_be_in(State.FIN_WAIT_1, 1.0)
    assert not opened().server.could_be_in(State.CLOSED, 1.0)


def test_what_a_program_sends_by_itself_may_cross_what_reaches_it() -> None:
    """Its kernel handles a segment of ours when the program's call returns: on an exact link, too."""
    talk = opened(told=False)
    talk.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"a"), 1.0)
    talk.peer_sends(Segment(ACK, X + 2, Y + 1, payload=b"b"), 1.0)
    assert talk.server_sends(Segment(ACK, Y + 1, X + 2, 999, b"tick"), 1.0001).finding is None
    assert talk.server_sends(Segment(ACK, Y + 5, X + 3, 998), 1.0002).finding is None
    wrong(talk.server_sends(Segment(ACK, Y + 5, X + 2, 999, b"tock"), 2.0), "ack", "1 too low")


def test_whether_an_untold_linux_takes_more_than_its_window_is_followed_both_ways() -> None:
    """It does where nothing waits to be read (choice "window-overrun"), and who could say whether that is so?"""
    for takes in (True, False):
        talk = opened(told=False)
        talk.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"a" * 600), 1.0)
        assert talk.server_sends(Segment(ACK, Y + 1, X + 601, 400), 1.1).finding is None
        talk.peer_sends(Segment(ACK, X + 601, Y + 1, payload=b"b" * 500), 1.2)
        answer = Segment(ACK, Y + 1, X + 1101, 1000) if takes else Segment(ACK, Y + 1, X + 601, 400)
        assert talk.server_sends(answer, 1.2).finding is None
        assert [world.endpoint.profile.name for world in talk.server.worlds] == ["linux"]


@pytest.mark.parametrize(
    ("window", "after", "complaint"),
    [
        (1000, 0.002, None),
        (1019, 0.002, None),
        (999, 0.002, ("window", "takes back 1 octets")),
        (1000, 0.6, ("ack", "20 too low")),
    ],
)
def test_a_repeat_that_left_before_a_wider_window_was_offered_is_held_to_the_one_before(
    window: int, after: float, complaint: tuple[str, str] | None
) -> None:
    """RFC 9293 §3.8.6: the edge of 1,001 octets stood when it left; 1,021 were offered by what came in before it."""
    talk = untold(b"abc", acked=False)
    talk.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"a" * 20), 1.3)
    assert talk.server_sends(Segment(ACK, Y + 4, X + 21, 1000, b"d"), 1.3).finding is None
    sight = talk.server_sends(Segment(ACK, Y + 1, X + 1, window, b"abc"), 1.3 + after)
    if complaint is None:
        assert (sight.finding, sight.note) == (None, "retransmission")
    else:
        wrong(sight, *complaint)


def test_a_read_may_widen_the_window_beyond_what_its_field_can_say() -> None:
    """Linux announces that too, with 65535 as before. It takes a read each time: there is no end of ACKs in it."""
    talk = opened(told=False)
    update = Segment(ACK, Y + 1, X + 1, 65535)
    assert talk.server_sends(update, 1.0).note == "window update"  # from 1000
    wrong(talk.server_sends(update, 1.1), "silence", "nothing asked for")  # nothing has come that could be read
    talk.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"a" * 5000), 2.0)
    update = Segment(ACK, Y + 1, X + 5001, 65535)
    assert talk.server_sends(update, 2.0).note == ""  # the ACK that is owed
    for now in (2.1, 2.2, 2.3):
        assert talk.server_sends(update, now).note == "window update"
    wrong(talk.server_sends(update, 2.4), "silence", "nothing asked for")
    wrong(talk.server_sends(replace(update, window=65000), 2.4), "window", "takes back")
    wrong(opened().server_sends(Segment(ACK, Y + 1, X + 1, 1000), 1.0), "silence", "nothing asked for")
    talk = opened(told=False)
    assert talk.server_sends(Segment(ACK, Y + 1, X + 1, 40000), 1.0).note == "window update"
    talk.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"a" * 5000), 2.0)
    narrower = Segment(ACK, Y + 1, X + 5001, 35000)
    assert talk.server_sends(narrower, 2.0).note == ""
    wrong(talk.server_sends(narrower, 2.1), "silence", "nothing asked for")  # the field could have said more


def test_an_answer_may_come_behind_text_that_answered_for_it() -> None:
    """Ours waited while the server's program was inside a call: what the call sent carries the same ACK."""
    talk = opened(told=False)
    talk.peer_sends(Segment(ACK, X + 3, Y + 1, payload=b"behind a gap"), 1.0)
    assert talk.server_sends(Segment(ACK, Y + 1, X + 1, 1000, b"tick"), 1.0001).finding is None
    late = Segment(ACK, Y + 5, X + 1, 1000)
    assert talk.server_sends(late, 1.0002).note == "overtaken"
    wrong(talk.server_sends(late, 1.0003), "silence", "nothing asked for")


def test_a_delayed_ack_may_arrive_behind_the_one_that_covers_it() -> None:
    """One of them a timer's, on another processor. Once: a server whose numbers go back is wrong all the same."""
    talk = opened(told=False)
    talk.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"a"), 1.0)
    talk.peer_sends(Segment(ACK, X + 2, Y + 1, payload=b"b"), 1.04)
    assert talk.server_sends(Segment(ACK, Y + 1, X + 3, 1000), 1.0401).finding is None
    late = Segment(ACK, Y + 1, X + 2, 1000)
    assert talk.server_sends(late, 1.0406).note == "overtaken"
    assert talk.server_sends(late, 1.0407).finding is not None
    strict = opened()
    strict.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"a"), 1.0)
    strict.peer_sends(Segment(ACK, X + 2, Y + 1, payload=b"b"), 1.04)
    strict.server_sends(Segment(ACK, Y + 1, X + 3, 1000), 1.0401)
    wrong(strict.server_sends(late, 1.0406), "ack", "too low")


def test_one_ack_answers_a_repeat_and_the_segment_that_waited_for_its_own() -> None:
    talk = opened()
    hello = Segment(ACK, X + 1, Y + 1, payload=b"hello")
    talk.peer_sends(hello, 1.0)
    talk.peer_sends(hello, 1.001)
    assert talk.server_sends(Segment(ACK, Y + 1, X + 6), 1.002).finding is None
    assert talk.server.settle(2.0) is None
    wrong(talk.server_sends(Segment(ACK, Y + 1, X + 6), 2.1), "silence", "nothing asked for")


def test_two_repeats_are_two_answers() -> None:
    talk = opened()
    hello = Segment(ACK, X + 1, Y + 1, payload=b"hello")
    for at in (1.0, 1.001, 1.002):
        talk.peer_sends(hello, at)
    assert talk.server_sends(Segment(ACK, Y + 1, X + 6), 1.003).finding is None
    assert talk.server.settle(2.0) is not None


# What a stack does at times and at times not


def old_ack_with_text(*, answers: tuple[int, ...]) -> list[Sight]:
    """Linux in ESTABLISHED has taken "llo"; "hello" with an ACK of its ISS follows, as often as there are answers.

    Each answer is an ACK, of so many octets of text in all.
    """
    talk = Conversation((LINUX,))
    talk.server.listen()
    talk.peer_sends(Segment(SYN, X), 0.0)
    talk.server_sends(SYN_ACK, 0.0)
    talk.peer_sends(Segment(ACK, X + 1, Y + 1), 0.0)
    talk.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"llo"), 0.0)
    assert talk.server_sends(Segment(ACK, Y + 1, X + 4, window=1000), 0.0).finding is None
    sights, seq = [], X + 4
    for taken in answers:
        talk.peer_sends(Segment(ACK, seq, Y, payload=b"hello"), 0.1)
        seq = X + 1 + taken
        sights.append(talk.server_sends(Segment(ACK, Y + 1, seq, window=1000), 0.1))
    return sights


@pytest.mark.parametrize("answers", [(3,), (8,), (3, 8, 8, 13), (8, 8, 13, 13)])
def test_linux_may_take_text_before_it_looks_at_an_old_ack_or_drop_both(answers: tuple[int, ...]) -> None:
    assert [sight.finding for sight in old_ack_with_text(answers=answers)] == [None] * len(answers)


@pytest.mark.parametrize("answers", [(4,), (7,), (9,), (2,), (3, 6), (8, 12), (8, 3)])
def test_text_under_an_old_ack_is_taken_whole_or_not_at_all(answers: tuple[int, ...]) -> None:
    wrong(old_ack_with_text(answers=answers)[-1], "ack", "acknowledgement number is")


def test_text_under_an_old_ack_is_answered() -> None:
    talk = Conversation((LINUX,))
    talk.server.listen()
    for segment in (Segment(SYN, X), Segment(ACK, X + 1, Y + 1), Segment(ACK, X + 1, Y + 1, payload=b"llo")):
        talk.peer_sends(segment, 0.0)
        if SYN in segment.flags:
            talk.server_sends(SYN_ACK, 0.0)
    talk.server_sends(Segment(ACK, Y + 1, X + 4, window=1000), 0.0)
    talk.peer_sends(Segment(ACK, X + 4, Y, payload=b"hello"), 0.1)
    missing = talk.server.settle(0.1)
    assert missing is not None
    assert missing.field == "silence"


@pytest.mark.parametrize(
    ("profile", "window", "beyond", "may_ask"),
    [
        (LINUX, 65535, 1, True),
        (LINUX, 65535, WIDEST - 1, True),
        (LINUX, 65535, WIDEST, False),
        (LINUX, 65535, 2**30, False),
        (LINUX, 65534, 1, False),
        (MITIGATED, 65535, 1, False),
    ],
)
def test_a_window_may_be_wider_than_its_field_says(profile: Profile, window: int, beyond: int, may_ask: bool) -> None:
    """Choice "window-wider-than-field": of a RST beyond what was said it may ask whether it is meant, and need not."""
    talk = Conversation((profile,))
    talk.server.listen()
    talk.peer_sends(Segment(SYN, X), 0.0)
    assert talk.server_sends(replace(SYN_ACK, window=window), 0.001).finding is None
    talk.peer_sends(Segment(ACK, X + 1, Y + 1), 0.002)
    talk.peer_sends(Segment(RST, X + 1 + window + beyond), 0.003, ours=False)
    assert talk.copy().server.settle(0.003) is None
    asked = talk.server_sends(Segment(ACK, Y + 1, X + 1, window=window), 0.003)
    assert (asked.finding is None) is may_ask
    assert ("window-wider-than-field" in talk.server.best.choices) is may_ask
    assert talk.server.best.endpoint.state is State.ESTABLISHED


def test_worlds_do_not_pile_up_where_nothing_is_answered() -> None:
    """Each of them may have been taken or dropped, behind a gap as well: without a limit they would be hundreds."""
    talk = opened()
    for _ in range(20):
        talk.peer_sends(Segment(ACK, X + 1, Y, payload=b"hello"), 0.1)
    assert len(talk.server.worlds) <= MOST_WORLDS
    talk = opened()
    for place in range(2, 20, 2):
        talk.peer_sends(Segment(ACK, X + place, Y + 1, payload=b"x", options=SIGNED), 0.1)
    assert len(talk.server.worlds) == MOST_WORLDS


SIGNED = options.pack([options.Option(options.Kind.MD5_SIGNATURE, b"0123456789abcdef")])
AUTHENTICATED = options.pack([options.Option(options.Kind.AUTHENTICATION, bytes(14))])
BROKEN = b"\x03\x00" + b"\x01" * 22
"""A window scale of no octets, and NOPs."""


@pytest.mark.parametrize("raw", [SIGNED, AUTHENTICATED, BROKEN])
def test_a_segment_that_a_stack_has_no_key_for_or_cannot_read_may_be_dropped(raw: bytes) -> None:
    for profiles in (RFC9293, MITIGATED, LINUX), (LINUX,):
        talk = Conversation(profiles)
        talk.server.listen()
        talk.peer_sends(Segment(SYN, X, options=raw), 0.0)
        answered = talk.copy()
        assert talk.server.settle(0.0) is None
        assert talk.server.could_be_in(State.LISTEN, 0.0)
        assert not talk.server.could_be_in(State.SYN_RECEIVED, 0.0)
        assert answered.server_sends(SYN_ACK, 0.0).finding is None
        assert answered.server.settle(0.0) is None
        assert answered.server.could_be_in(State.SYN_RECEIVED, 0.0)
        assert not answered.server.could_be_in(State.LISTEN, 0.0)
        assert "rfc9293" not in [w.endpoint.profile.name for w in talk.server.worlds], "the plain text drops none"
        # Whoever drops it answers what is not signed.
        talk.peer_sends(Segment(SYN, X), 0.1)
        missing = talk.server.settle(0.1)
        assert missing is not None
        assert missing.field == "silence"


@pytest.mark.parametrize("raw", [SIGNED, AUTHENTICATED, BROKEN])
def test_the_plain_text_drops_nothing_for_its_options(raw: bytes) -> None:
    talk = Conversation((RFC9293,))
    talk.server.listen()
    talk.peer_sends(Segment(SYN, X, options=raw), 0.0)
    missing = talk.server.settle(0.0)
    assert missing is not None
    assert missing.field == "silence"


def test_a_wrong_answer_to_what_may_be_dropped_is_found_out() -> None:
    talk = listening()
    talk.peer_sends(Segment(SYN, X, options=SIGNED), 0.0)
    wrong(talk.server_sends(replace(SYN_ACK, ack=X), 0.0), "ack", "wrong ack")
    stands = opened()
    stands.peer_sends(Segment(ACK, X + 1, Y + 1, payload=b"hello", options=SIGNED), 0.1)
    wrong(stands.server_sends(Segment(ACK, Y + 1, X + 3, window=1000), 0.1), "ack", "acknowledgement number is")


def test_an_answer_to_what_is_not_signed_is_owed_by_all() -> None:
    talk = listening()
    talk.peer_sends(Segment(SYN, X, options=options.pack([options.mss(1000)])), 0.0)
    assert talk.server.settle(0.0) is not None


def in_time_wait() -> Conversation:
    """With a Linux."""
    talk = Conversation((LINUX,))
    talk.server.listen()
    talk.peer_sends(Segment(SYN, X), 0.0)
    talk.server_sends(SYN_ACK, 0.0)
    talk.peer_sends(Segment(ACK, X + 1, Y + 1), 0.0)
    talk.server.call("close", lambda end: end.close(0.0), 0.0)
    talk.server_sends(Segment(FIN | ACK, Y + 1, X + 1, window=1000), 0.0)
    talk.peer_sends(Segment(FIN | ACK, X + 1, Y + 2), 0.0)
    assert talk.server_sends(Segment(ACK, Y + 2, X + 2, window=1000), 0.0).finding is None
    return talk


def test_a_signed_syn_ends_time_wait_on_linux_and_opens_nothing() -> None:
    talk = in_time_wait()
    talk.peer_sends(Segment(SYN, X + 100_000, options=SIGNED), 1.0)
    assert talk.server.settle(1.0) is None
    assert talk.server.could_be_in(State.CLOSED, 1.0)
    assert not talk.server.could_be_in(State.TIME_WAIT, 1.0)


@pytest.mark.parametrize("raw", [SIGNED, AUTHENTICATED, BROKEN])
@pytest.mark.parametrize("again", [Segment(FIN | ACK, X + 1, Y + 2), Segment(SYN, X - 5)])
def test_whatever_else_is_signed_is_answered_in_time_wait(again: Segment, raw: bytes) -> None:
    """Linux has no socket there any more that could have a key, and a FIN or an old SYN says that our ACK was lost."""
    talk = in_time_wait()
    talk.peer_sends(replace(again, options=raw), 1.0)
    assert not talk.server.could_be_in(State.CLOSED, 1.0)
    answered = talk.copy()
    assert answered.server_sends(Segment(ACK, Y + 2, X + 2, window=1000), 1.0).finding is None
    missing = talk.server.settle(1.0)
    assert missing is not None
    assert missing.field == "silence"


SURE, DOUBTFUL = (Hurdle("it has an option", "RFC 8200 §4.2", sure=sure) for sure in (True, False))


def test_what_no_host_hands_on_is_answered_by_nobody() -> None:
    talk = listening()
    talk.peer_sends(Segment(SYN, X), 0.0, hurdle=SURE)
    assert talk.server.settle(0.0) is None
    assert talk.server.could_be_in(State.LISTEN, 0.0)
    assert talk.copy().server_sends(SYN_ACK, 0.0).finding is not None
    assert predict(listening(), Segment(SYN, X), 0.0, hurdle=SURE)[0].segments == ()
    assert [a.why for a in predict(listening(), Segment(SYN, X), 0.0, hurdle=SURE)] == [
        "it has an option: it never reaches the server's TCP"
    ]
    # The segment itself is owed an answer as soon as it can be heard.
    talk.peer_sends(Segment(SYN, X), 0.1)
    assert talk.server.settle(0.1) is not None


def test_what_a_host_may_refuse_is_answered_or_not() -> None:
    talk = listening()
    talk.peer_sends(Segment(SYN, X), 0.0, hurdle=DOUBTFUL)
    answered = talk.copy()
    assert talk.server.settle(0.0) is None
    assert talk.server.best.choices == ("internet-options-refused",)
    assert talk.server.best.endpoint.profile.name == "mitigated", "the plain text refuses nothing"
    assert answered.server_sends(SYN_ACK, 0.0).finding is None
    assert answered.server.best.choices == ()
    assert answered.server.could_be_in(State.SYN_RECEIVED, 0.0)
    assert not answered.server.could_be_in(State.LISTEN, 0.0)
    wrong(talk.server_sends(replace(SYN_ACK, ack=X), 0.0), "flags", "SYN in LISTEN")
    said = predict(listening(), Segment(SYN, X), 0.0, hurdle=DOUBTFUL)
    assert [[letters(s.flags) for s in a.segments] for a in said] == [["SA"], []]
    assert (said[1].why, said[1].rule) == ("it has an option", "RFC 8200 §4.2")
