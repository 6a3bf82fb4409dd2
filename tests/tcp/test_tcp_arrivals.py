"""SEGMENT ARRIVES: stand in one named state, land in another. Our ISS is 0xFFFFFFFF, so that our SYN wraps.

Numbers are hand-made: ours are 0xFFFFFFFF for the SYN, 0 for the first octet; the peer's are 999 and 1000.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.tcp import options
from lab.tcp.endpoint import CallError, Endpoint, Offer
from lab.tcp.outcome import Outcome
from lab.tcp.profile import LINUX, LINUX_EARLIER, MITIGATED, RFC9293, Profile
from lab.tcp.segment import Segment, flags_from, letters
from lab.tcp.sequence import Seq
from lab.tcp.state import Event, State

ISS = 0xFFFFFFFF
IRS = 999
WINDOW = 1000


def peer_sends(
    flags: str, seq: int, ack: int = 0, payload: bytes = b"", window: int = 5000, raw: bytes = b""
) -> Segment:
    return Segment(flags_from(flags), Seq(seq), Seq(ack), window, payload, raw)


def said(outcome: Outcome) -> list[tuple[str, int, int]]:
    """Flags, seq and ack (0 where there is none) of each reply."""
    return [
        (letters(r.segment.flags), int(r.segment.seq), int(r.segment.ack) if "A" in letters(r.segment.flags) else 0)
        for r in outcome.replies
    ]


def stamp(value: int, echo: int = 0) -> bytes:
    return options.pack([options.timestamps(value, echo)])


# Fixtures: one end in each state, walked to by hand-made segments


def closed(profile: Profile = RFC9293, offer: Offer = Offer(mss=1460)) -> Endpoint:  # noqa: B008
    return Endpoint(profile, Seq(ISS), WINDOW, offer=offer)


def listen(profile: Profile = RFC9293) -> Endpoint:
    return closed(profile).open_passive().endpoint


def syn_sent(profile: Profile = RFC9293) -> Endpoint:
    return closed(profile).open_active(0.0).endpoint


def syn_received(profile: Profile = RFC9293) -> Endpoint:
    return listen(profile).arrives(peer_sends("S", IRS), 0.0).endpoint


def syn_received_active(profile: Profile = RFC9293) -> Endpoint:
    return syn_sent(profile).arrives(peer_sends("S", IRS), 0.0).endpoint


def established(profile: Profile = RFC9293) -> Endpoint:
    return syn_received(profile).arrives(peer_sends("A", 1000, 0), 0.0).endpoint


def fin_wait_1(profile: Profile = RFC9293) -> Endpoint:
    return established(profile).shutdown(0.0).endpoint.transmit(0.0).endpoint


def fin_wait_2(profile: Profile = RFC9293) -> Endpoint:
    return fin_wait_1(profile).arrives(peer_sends("A", 1000, 1), 0.0).endpoint


def close_wait(profile: Profile = RFC9293) -> Endpoint:
    return established(profile).arrives(peer_sends("FA", 1000, 0), 0.0).endpoint


def closing(profile: Profile = RFC9293) -> Endpoint:
    return fin_wait_1(profile).arrives(peer_sends("FA", 1000, 0), 0.0).endpoint


def last_ack(profile: Profile = RFC9293) -> Endpoint:
    return close_wait(profile).shutdown(0.0).endpoint.transmit(0.0).endpoint


def time_wait(profile: Profile = RFC9293) -> Endpoint:
    return fin_wait_2(profile).arrives(peer_sends("FA", 1000, 1), 0.0).endpoint


STANDING = {
    State.ESTABLISHED: established,
    State.FIN_WAIT_1: fin_wait_1,
    State.FIN_WAIT_2: fin_wait_2,
    State.CLOSE_WAIT: close_wait,
    State.CLOSING: closing,
    State.LAST_ACK: last_ack,
    State.TIME_WAIT: time_wait,
}
NUMBERS = {
    # snd_nxt and rcv_nxt in each of them: a FIN sent and a FIN received use one number each
    State.ESTABLISHED: (0, 1000),
    State.FIN_WAIT_1: (1, 1000),
    State.FIN_WAIT_2: (1, 1000),
    State.CLOSE_WAIT: (0, 1001),
    State.CLOSING: (1, 1001),
    State.LAST_ACK: (1, 1001),
    State.TIME_WAIT: (1, 1001),
}
standing = pytest.mark.parametrize("state", STANDING)
profiles = pytest.mark.parametrize("profile", [RFC9293, MITIGATED, LINUX], ids=lambda p: p.name)


@standing
@profiles
def test_the_fixtures_are_where_they_say(state: State, profile: Profile) -> None:
    end = STANDING[state](profile)
    assert end.state is state
    assert (int(end.snd_nxt), int(end.rcv_nxt)) == NUMBERS[state]


# CLOSED


@profiles
def test_closed__a_syn_is_refused_with_seq_0_and_ack_behind_it(profile: Profile) -> None:
    outcome = closed(profile).arrives(peer_sends("S", 0xFFFFFFFF), 0.0)
    assert said(outcome) == [("RA", 0, 0)]
    assert outcome.endpoint.state is State.CLOSED
    assert outcome.rule == "RFC 9293 §3.10.7.1"


def test_closed__the_ack_of_a_rst_counts_syn_text_and_fin() -> None:
    assert said(closed().arrives(peer_sends("SF", 100, 0, b"abc"), 0.0)) == [("RA", 0, 105)]


def test_closed__an_ack_is_refused_from_its_own_number() -> None:
    outcome = closed().arrives(peer_sends("A", 5, 77), 0.0)
    assert said(outcome) == [("R", 77, 0)]
    assert outcome.replies[0].free >= {"ack"}


def test_closed__a_rst_is_never_answered() -> None:
    assert said(closed().arrives(peer_sends("RA", 5, 77), 0.0)) == []


# LISTEN


@profiles
def test_listen__a_syn_is_answered_by_syn_ack(profile: Profile) -> None:
    outcome = listen(profile).arrives(peer_sends("S", IRS), 0.0)
    assert said(outcome) == [("SA", ISS, 1000)]
    assert outcome.event is Event.RCV_SYN
    assert outcome.endpoint.state is State.SYN_RECEIVED
    assert (outcome.endpoint.snd_una, outcome.endpoint.snd_nxt) == (Seq(ISS), Seq(0))


def test_listen__the_peer_s_syn_may_be_the_last_number() -> None:
    assert said(listen().arrives(peer_sends("S", 0xFFFFFFFF), 0.0)) == [("SA", ISS, 0)]


def test_listen__an_ack_is_refused_and_a_rst_ignored() -> None:
    assert said(listen().arrives(peer_sends("SA", 5, 77), 0.0)) == [("R", 77, 0)]
    assert said(listen().arrives(peer_sends("RA", 5, 77), 0.0)) == []
    assert said(listen().arrives(peer_sends("F", 5), 0.0)) == []


def test_listen__text_on_a_syn_waits_for_established() -> None:
    half = listen().arrives(peer_sends("S", IRS, 0, b"early"), 0.0)
    assert said(half) == [("SA", ISS, 1000)]
    full = half.endpoint.arrives(peer_sends("A", 1005, 0), 0.0)
    assert full.endpoint.receive(10).data == b"early"
    assert full.endpoint.rcv_nxt == 1005
    assert said(full) == [("A", 0, 1005)]


def test_listen__linux_drops_text_on_a_syn_and_says_so() -> None:
    half = listen(LINUX).arrives(peer_sends("S", IRS, 0, b"early"), 0.0)
    assert half.choices == ("syn-text-dropped",)
    assert half.endpoint.arrives(peer_sends("A", 1000, 0), 0.0).endpoint.receive(10).data == b""


def test_listen__syn_and_fin() -> None:
    assert listen().arrives(peer_sends("SF", IRS), 0.0).endpoint.state is State.SYN_RECEIVED
    outcome = listen(LINUX).arrives(peer_sends("SF", IRS), 0.0)
    assert (said(outcome), outcome.choices) == ([], ("syn-fin-dropped",))


# SYN-SENT


@profiles
def test_syn_sent__syn_ack_establishes(profile: Profile) -> None:
    outcome = syn_sent(profile).arrives(peer_sends("SA", IRS, 0), 0.0)
    assert said(outcome) == [("A", 0, 1000)]
    assert outcome.endpoint.state is State.ESTABLISHED
    assert outcome.event is Event.RCV_SYN_ACK


@pytest.mark.parametrize("ack", [ISS, 1, 2**31])
def test_syn_sent__a_wrong_ack_is_refused_and_changes_nothing(ack: int) -> None:
    outcome = syn_sent().arrives(peer_sends("SA", IRS, ack), 0.0)
    assert said(outcome) == [("R", ack, 0)]
    assert outcome.endpoint.state is State.SYN_SENT


def test_syn_sent__a_rst_counts_only_with_the_right_ack() -> None:
    assert syn_sent().arrives(peer_sends("R", 0), 0.0).endpoint.state is State.SYN_SENT
    assert syn_sent().arrives(peer_sends("RA", 0, 5), 0.0).endpoint.state is State.SYN_SENT
    outcome = syn_sent().arrives(peer_sends("RA", 0, 0), 0.0)
    assert (outcome.endpoint.state, outcome.notices, said(outcome)) == (State.CLOSED, ("connection reset",), [])
    assert syn_sent(LINUX).arrives(peer_sends("RA", 0, 0), 0.0).notices == ("connection refused",)


@profiles
def test_syn_sent__a_bare_syn_is_simultaneous_open(profile: Profile) -> None:
    """Figure 7: the SYN,ACK has our first number again."""
    outcome = syn_sent(profile).arrives(peer_sends("S", IRS), 0.0)
    assert said(outcome) == [("SA", ISS, 1000)]
    assert outcome.endpoint.state is State.SYN_RECEIVED
    crossed = outcome.endpoint.arrives(peer_sends("SA", IRS, 0), 0.0)
    plain = outcome.endpoint.arrives(peer_sends("A", 1000, 0), 0.0)
    assert plain.endpoint.state is State.ESTABLISHED
    # The peer's SYN,ACK begins left of the window: the base text answers it with an ACK (appendix A.2).
    assert said(crossed) == [("A", 0, 1000)]


def test_syn_sent__text_on_the_syn_ack_is_taken_and_acknowledged_once() -> None:
    outcome = syn_sent().arrives(peer_sends("SA", IRS, 0, b"hello"), 0.0)
    assert said(outcome) == [("A", 0, 1005)]
    assert outcome.endpoint.receive(9).data == b"hello"
    late = syn_sent(LINUX).arrives(peer_sends("SA", IRS, 0, b"hello"), 0.0)
    assert (said(late), late.choices) == ([("A", 0, 1000)], ("synack-text-dropped",))


def test_syn_sent__fin_on_the_syn_ack_leads_to_close_wait() -> None:
    outcome = syn_sent().arrives(peer_sends("SFA", IRS, 0), 0.0)
    assert outcome.endpoint.state is State.CLOSE_WAIT
    assert said(outcome) == [("A", 0, 1001)]


def test_syn_sent__neither_syn_nor_rst_is_dropped() -> None:
    outcome = syn_sent().arrives(peer_sends("A", IRS, 0, b"x"), 0.0)
    assert (said(outcome), outcome.endpoint.state) == ([], State.SYN_SENT)


# SYN-RECEIVED


@profiles
def test_syn_received__the_third_segment_establishes_silently(profile: Profile) -> None:
    outcome = syn_received(profile).arrives(peer_sends("A", 1000, 0), 0.0)
    assert (outcome.endpoint.state, said(outcome)) == (State.ESTABLISHED, [])
    assert outcome.event is Event.RCV_ACK_OF_SYN
    assert outcome.endpoint.snd_wnd == 5000


@profiles
def test_syn_received__the_third_segment_may_carry_data(profile: Profile) -> None:
    outcome = syn_received(profile).arrives(peer_sends("PA", 1000, 0, b"GET"), 0.0)
    assert outcome.endpoint.state is State.ESTABLISHED
    assert said(outcome) == [("A", 0, 1003)]
    assert 0 < outcome.replies[0].due <= 0.5


@profiles
def test_syn_received__ack_and_fin_lead_to_close_wait(profile: Profile) -> None:
    outcome = syn_received(profile).arrives(peer_sends("FA", 1000, 0), 0.0)
    assert outcome.endpoint.state is State.CLOSE_WAIT
    assert outcome.events == (Event.RCV_ACK_OF_SYN, Event.RCV_FIN)


@profiles
@pytest.mark.parametrize("ack", [ISS, 1, 12345])
def test_syn_received__a_wrong_ack_is_refused_from_its_own_number(profile: Profile, ack: int) -> None:
    outcome = syn_received(profile).arrives(peer_sends("A", 1000, ack), 0.0)
    assert said(outcome) == [("R", ack, 0)]
    assert outcome.endpoint.state is State.SYN_RECEIVED
    assert outcome.endpoint.arrives(peer_sends("A", 1000, 0), 0.0).endpoint.state is State.ESTABLISHED


def test_syn_received__the_same_syn_again() -> None:
    assert said(syn_received().arrives(peer_sends("S", IRS), 0.0)) == [("A", 0, 1000)]
    again = syn_received(LINUX).arrives(peer_sends("S", IRS), 0.0)
    assert said(again) == [("SA", ISS, 1000)]
    assert again.choices == ("synack-repeated",)
    assert again.endpoint.state is State.SYN_RECEIVED


@profiles
def test_syn_received__a_rst_at_its_place_goes_back_to_listen_untold(profile: Profile) -> None:
    outcome = syn_received(profile).arrives(peer_sends("R", 1000), 0.0)
    assert (outcome.endpoint.state, outcome.notices, said(outcome)) == (State.LISTEN, (), [])
    assert outcome.event is Event.RCV_RST_PASSIVE


@profiles
def test_syn_received__after_active_open_a_rst_is_a_refusal(profile: Profile) -> None:
    outcome = syn_received_active(profile).arrives(peer_sends("R", 1000), 0.0)
    assert (outcome.endpoint.state, outcome.notices) == (State.CLOSED, ("connection refused",))


def test_syn_received__a_rst_elsewhere_in_the_window() -> None:
    far = peer_sends("R", 1005)
    assert syn_received().arrives(far, 0.0).endpoint.state is State.LISTEN
    for profile in (MITIGATED, LINUX):
        outcome = syn_received(profile).arrives(far, 0.0)
        assert (outcome.endpoint.state, said(outcome)) == (State.SYN_RECEIVED, [("A", 0, 1000)])
        assert outcome.choices == ("challenge-rst",)
    earlier = syn_received(LINUX_EARLIER).arrives(far, 0.0)
    assert (earlier.endpoint.state, earlier.choices) == (State.LISTEN, ("half-open-any-rst",))


def test_syn_received__a_new_syn_in_the_window() -> None:
    new = peer_sends("S", 1500)
    plain = syn_received().arrives(new, 0.0)
    assert (plain.endpoint.state, said(plain)) == (State.LISTEN, [])
    linux = syn_received(LINUX).arrives(new, 0.0)
    assert (linux.endpoint.state, said(linux)) == (State.LISTEN, [("RA", 0, 1501)])
    assert linux.choices == ("half-open-syn-reset",)


# The sequence check


@standing
@profiles
@pytest.mark.parametrize("flags", ["A", "FA", "PA"])
def test_standing__outside_the_window_draws_an_ack_that_says_where_we_stand(
    state: State, profile: Profile, flags: str
) -> None:
    snd, rcv = NUMBERS[state]
    for seq in (rcv - 2000, rcv + WINDOW + 1, rcv + 2**31 - 1):
        outcome = STANDING[state](profile).arrives(peer_sends(flags, seq, snd), 0.0)
        assert said(outcome) == [("A", snd, rcv)], seq
        assert outcome.endpoint.state is state


@standing
@profiles
def test_standing__a_rst_outside_the_window_is_dropped(state: State, profile: Profile) -> None:
    _, rcv = NUMBERS[state]
    for seq in (rcv - 2, rcv + WINDOW + 1):
        outcome = STANDING[state](profile).arrives(peer_sends("R", seq), 0.0)
        assert (said(outcome), outcome.endpoint.state) == ([], state)


@pytest.mark.parametrize(
    ("length", "window", "offset", "passes"),
    [
        (0, 0, 0, True),
        (0, 0, 1, False),
        (0, 10, -1, False),
        (0, 10, 0, True),
        (0, 10, 9, True),
        (0, 10, 10, False),
        (1, 0, 0, False),
        (5, 10, -5, False),
        (5, 10, -4, True),
        (5, 10, 9, True),
        (5, 10, 10, False),
    ],
)
def test_table_6(length: int, window: int, offset: int, passes: bool) -> None:
    from lab.tcp.synchronized import acceptable

    end = replace(established(), rcv_nxt=Seq(0xFFFFFFFE), rcv_wnd=window)
    assert acceptable(end, peer_sends("A", 0xFFFFFFFE + offset, 0, b"x" * length)) is passes


def test_window_zero__a_valid_ack_is_still_taken() -> None:
    end = replace(established(), capacity=0, rcv_wnd=0)
    end = end.send(b"abc", 0.0).endpoint.transmit(0.0).endpoint
    outcome = end.arrives(peer_sends("A", 1000, 3, b"probe"), 0.0)
    assert outcome.endpoint.snd_una == 3
    assert said(outcome) == [("A", 3, 1000)]


# RST


@standing
def test_standing__a_rst_at_rcv_nxt_ends_it(state: State) -> None:
    _, rcv = NUMBERS[state]
    told = {State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT}
    for profile in (RFC9293, LINUX):
        outcome = STANDING[state](profile).arrives(peer_sends("R", rcv, 0, b"why"), 0.0)
        assert outcome.endpoint.state is State.CLOSED
        assert outcome.notices == (("connection reset",) if state in told else ())
        assert said(outcome) == []


@standing
def test_standing__a_rst_inside_the_window(state: State) -> None:
    snd, rcv = NUMBERS[state]
    assert STANDING[state]().arrives(peer_sends("R", rcv + 1), 0.0).endpoint.state is State.CLOSED
    outcome = STANDING[state](MITIGATED).arrives(peer_sends("R", rcv + 1), 0.0)
    assert outcome.endpoint.state is state
    if state is State.TIME_WAIT:
        assert (said(outcome), outcome.choices) == ([], ("time-wait-ignores-rst",))
    else:
        assert (said(outcome), outcome.choices) == ([("A", snd, rcv)], ("challenge-rst",))
        assert outcome.rule == "RFC 5961 §3.2"


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2])
def test_standing__a_rst_whose_text_alone_lies_inside_the_window(state: State) -> None:
    """Trimmed as §3.10.7.4 has it, it is a RST at RCV.NXT; by RFC 5961's check 1 its own number counts."""
    snd, rcv = NUMBERS[state]
    reset = replace(peer_sends("R", rcv - 1), payload=b"hello")
    assert STANDING[state]().arrives(reset, 0.0).endpoint.state is State.CLOSED
    outcome = STANDING[state](MITIGATED).arrives(reset, 0.0)
    assert (outcome.endpoint.state, said(outcome), outcome.choices) == (state, [], ("challenge-rst",))
    outcome = STANDING[state](LINUX).arrives(reset, 0.0)
    assert (outcome.endpoint.state, said(outcome)) == (state, [("A", snd, rcv)])
    assert "challenge-rst-outside" in outcome.choices


# SYN


@standing
def test_standing__a_syn_in_the_window(state: State) -> None:
    snd, rcv = NUMBERS[state]
    plain = STANDING[state]().arrives(peer_sends("S", rcv + 1), 0.0)
    assert (said(plain), plain.endpoint.state) == ([("RA", 0, rcv + 2)], State.CLOSED)
    mitigated = STANDING[state](MITIGATED).arrives(peer_sends("S", rcv + 1), 0.0)
    if state is State.TIME_WAIT:
        assert mitigated.endpoint.state is State.SYN_RECEIVED
    else:
        assert (said(mitigated), mitigated.endpoint.state) == ([("A", snd, rcv)], state)


# ACK


@standing
@profiles
def test_standing__without_ack_it_is_dropped(state: State, profile: Profile) -> None:
    _, rcv = NUMBERS[state]
    outcome = STANDING[state](profile).arrives(peer_sends("F", rcv, 0, b"x"), 0.0)
    assert outcome.endpoint.state is state
    assert outcome.endpoint.rcv_nxt == rcv
    if not (profile is LINUX and state is State.TIME_WAIT):
        assert said(outcome) == []


@profiles
def test_established__an_ack_of_what_was_never_sent(profile: Profile) -> None:
    outcome = established(profile).arrives(peer_sends("A", 1000, 1, b"x"), 0.0)
    assert said(outcome) == [("A", 0, 1000)]
    assert outcome.endpoint.receive_buffer == b""
    assert said(established(LINUX_EARLIER).arrives(peer_sends("A", 1000, 1), 0.0)) == []


def test_established__ack_range_of_rfc_5961() -> None:
    end = replace(established(MITIGATED), max_snd_wnd=5000)
    low = end.arrives(peer_sends("A", 1000, -5000, b"x"), 0.0)
    assert low.endpoint.receive_buffer == b"x"
    below = end.arrives(peer_sends("A", 1000, -5001, b"x"), 0.0)
    assert (below.endpoint.receive_buffer, said(below), below.choices) == (b"", [("A", 0, 1000)], ("ack-range",))
    assert established().arrives(peer_sends("A", 1000, -5001, b"x"), 0.0).endpoint.receive_buffer == b"x"


def test_established__an_older_segment_does_not_set_the_window() -> None:
    end = established().arrives(peer_sends("A", 1000, 0, b"ab", window=100), 0.0).endpoint
    newer = end.arrives(peer_sends("A", 1002, 0, window=200), 0.0).endpoint
    older = newer.arrives(peer_sends("A", 1001, 0, b"bc", window=7), 0.0).endpoint
    assert (end.snd_wnd, newer.snd_wnd, older.snd_wnd) == (100, 200, 200)


def test_established__an_ack_takes_data_off_the_queue() -> None:
    end = established().send(b"abcdef", 0.0).endpoint.transmit(0.0).endpoint
    assert end.snd_nxt == 6
    part = end.arrives(peer_sends("A", 1000, 4), 0.1).endpoint
    assert (part.send_buffer, part.snd_una, part.retransmit_at) == (b"ef", 4, pytest.approx(1.1))
    again = part.timeout(1.2)
    assert [(r.segment.seq, r.segment.payload) for r in again.replies] == [(4, b"ef")]
    assert part.arrives(peer_sends("A", 1000, 6), 0.2).endpoint.retransmit_at is None


# Text


@profiles
def test_established__text_in_order(profile: Profile) -> None:
    outcome = established(profile).arrives(peer_sends("PA", 1000, 0, b"hello"), 0.0)
    assert said(outcome) == [("A", 0, 1005)]
    assert outcome.replies[0].due == 0.5
    assert outcome.endpoint.ack_due_at is not None
    assert outcome.endpoint.receive(3).data == b"hel"


@profiles
def test_established__text_again_draws_an_ack_at_once(profile: Profile) -> None:
    end = established(profile).arrives(peer_sends("PA", 1000, 0, b"hello"), 0.0).endpoint
    outcome = end.arrives(peer_sends("PA", 1000, 0, b"hello"), 0.0)
    assert said(outcome) == [("A", 0, 1005)]
    assert outcome.replies[0].due == 0.0
    assert outcome.endpoint.receive_buffer == b"hello"


@profiles
def test_established__only_the_new_part_is_taken(profile: Profile) -> None:
    end = established(profile).arrives(peer_sends("PA", 1000, 0, b"hello"), 0.0).endpoint
    assert end.arrives(peer_sends("PA", 1003, 0, b"lo world"), 0.0).endpoint.receive_buffer == b"hello world"


@profiles
def test_established__a_gap_is_named_and_filled(profile: Profile) -> None:
    ahead = established(profile).arrives(peer_sends("PA", 1005, 0, b"world"), 0.0)
    assert (said(ahead), ahead.replies[0].due) == ([("A", 0, 1000)], 0.0)
    filled = ahead.endpoint.arrives(peer_sends("PA", 1000, 0, b"hello"), 0.0)
    assert (said(filled), filled.replies[0].due) == ([("A", 0, 1010)], 0.0)
    assert filled.endpoint.receive_buffer == b"helloworld"


@profiles
def test_established__a_fin_out_of_order_waits(profile: Profile) -> None:
    ahead = established(profile).arrives(peer_sends("FA", 1005, 0), 0.0)
    assert (ahead.endpoint.state, said(ahead)) == (State.ESTABLISHED, [("A", 0, 1000)])
    filled = ahead.endpoint.arrives(peer_sends("PA", 1000, 0, b"hello"), 0.0)
    assert (filled.endpoint.state, said(filled)) == (State.CLOSE_WAIT, [("A", 0, 1006)])


def test_established__text_beyond_the_window_is_cut() -> None:
    text = b"x" * (WINDOW + 5)
    outcome = established().arrives(peer_sends("FA", 1000, 0, text), 0.0)
    assert (len(outcome.endpoint.receive_buffer), outcome.endpoint.state) == (WINDOW, State.ESTABLISHED)
    assert said(outcome) == [("A", 0, 1000 + WINDOW)]


# FIN


@profiles
def test_established__fin(profile: Profile) -> None:
    outcome = established(profile).arrives(peer_sends("FA", 1000, 0, b"bye"), 0.0)
    assert outcome.endpoint.state is State.CLOSE_WAIT
    assert said(outcome) == [("A", 0, 1004)]
    assert outcome.notices == ("connection closing",)
    assert outcome.endpoint.receive(9).data == b"bye"
    with pytest.raises(CallError, match="connection closing"):
        outcome.endpoint.receive(9).endpoint.receive(9)


@profiles
def test_fin_wait_1__ack_of_fin(profile: Profile) -> None:
    outcome = fin_wait_1(profile).arrives(peer_sends("A", 1000, 1), 0.0)
    assert (outcome.endpoint.state, said(outcome), outcome.event) == (State.FIN_WAIT_2, [], Event.RCV_ACK_OF_FIN)


@profiles
def test_fin_wait_1__ack_below_the_fin_changes_nothing(profile: Profile) -> None:
    end = established(profile).send(b"abc", 0.0).endpoint.shutdown(0.0).endpoint.transmit(0.0).endpoint
    assert end.fin_seq == 3
    assert end.arrives(peer_sends("A", 1000, 3), 0.0).endpoint.state is State.FIN_WAIT_1
    assert end.arrives(peer_sends("A", 1000, 4), 0.0).endpoint.state is State.FIN_WAIT_2


@profiles
def test_fin_wait_1__fin_is_simultaneous_close(profile: Profile) -> None:
    """Figure 13."""
    outcome = fin_wait_1(profile).arrives(peer_sends("FA", 1000, 0), 0.0)
    assert (outcome.endpoint.state, said(outcome)) == (State.CLOSING, [("A", 1, 1001)])
    done = outcome.endpoint.arrives(peer_sends("A", 1001, 1), 0.0)
    assert (done.endpoint.state, said(done)) == (State.TIME_WAIT, [])


@profiles
def test_fin_wait_1__fin_and_ack_of_fin(profile: Profile) -> None:
    outcome = fin_wait_1(profile).arrives(peer_sends("FA", 1000, 1), 0.0)
    assert (outcome.endpoint.state, said(outcome)) == (State.TIME_WAIT, [("A", 1, 1001)])
    assert outcome.events == (Event.RCV_FIN_AND_ACK_OF_FIN,)


@profiles
def test_fin_wait_2__data_goes_on_until_the_fin(profile: Profile) -> None:
    """RFC 9293 §3.6.1: after shutdown, reading goes on."""
    more = fin_wait_2(profile).arrives(peer_sends("PA", 1000, 1, b"more"), 0.0)
    assert (more.endpoint.state, said(more)) == (State.FIN_WAIT_2, [("A", 1, 1004)])
    last = more.endpoint.arrives(peer_sends("FA", 1004, 1), 0.0)
    assert (last.endpoint.state, said(last)) == (State.TIME_WAIT, [("A", 1, 1005)])
    assert last.endpoint.receive_buffer == b"more"


@profiles
def test_last_ack__ack_of_fin(profile: Profile) -> None:
    assert last_ack(profile).arrives(peer_sends("A", 1001, 0), 0.0).endpoint.state is State.LAST_ACK
    assert last_ack(profile).arrives(peer_sends("A", 1001, 1), 0.0).endpoint.state is State.CLOSED


@profiles
@pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT])
def test_the_peer_s_fin_again_is_acknowledged_again(state: State, profile: Profile) -> None:
    snd, rcv = NUMBERS[state]
    outcome = STANDING[state](profile).arrives(peer_sends("FA", 1000, 0), 0.0)
    assert (said(outcome), outcome.endpoint.state) == ([("A", snd, rcv)], state)


# Half-duplex CLOSE (MAY-1, SHLD-3)


def test_close_wait__linux_takes_more_than_its_window_once_text_and_fin_are_read() -> None:
    """Choice "window-overrun": what reaches beyond the window is dropped as long as anything waits to be read."""
    end = established(LINUX).arrives(peer_sends("FA", 1000, 0, b"hello"), 0.0).endpoint
    beyond = peer_sends("A", 1006, 0, b"x" * 2000)
    assert said(end.arrives(beyond, 0.1)) == [("A", 0, 1006)]
    assert said(end.receive(4, 0.1).endpoint.arrives(beyond, 0.1)) == [("A", 0, 1006)]
    assert said(end.receive(5, 0.1).endpoint.arrives(beyond, 0.1)) == []


def test_close_is_plain_close_in_the_base_text() -> None:
    end = established().arrives(peer_sends("PA", 1000, 0, b"unread"), 0.0).endpoint
    assert end.close(0.0).endpoint.state is State.FIN_WAIT_1
    assert end.close(0.0).endpoint.receive(9).data == b"unread"


@pytest.mark.parametrize("profile", [MITIGATED, LINUX], ids=lambda p: p.name)
def test_close_with_unread_data_resets(profile: Profile) -> None:
    end = established(profile).arrives(peer_sends("PA", 1000, 0, b"unread"), 0.0).endpoint
    outcome = end.close(0.0)
    assert outcome.endpoint.state is State.CLOSED
    assert said(outcome) == ([("RA", 0, 1006)] if profile is LINUX else [("R", 0, 0)])
    assert "half-duplex-close" in outcome.choices


@pytest.mark.parametrize("profile", [MITIGATED, LINUX], ids=lambda p: p.name)
@pytest.mark.parametrize("ack", [0, 1])
def test_data_for_a_closed_program_resets(profile: Profile, ack: int) -> None:
    end = established(profile).close(0.0).endpoint.transmit(0.0).endpoint
    outcome = end.arrives(peer_sends("PA", 1000, ack, b"late"), 0.0)
    assert (outcome.endpoint.state, said(outcome)) == (State.CLOSED, [("R", ack, 0)])
    assert end.arrives(peer_sends("FA", 1000, ack), 0.0).endpoint.state in (State.CLOSING, State.TIME_WAIT)


# TIME-WAIT


def test_time_wait__lasts_two_msl_and_starts_anew_with_the_peer_s_fin() -> None:
    end = time_wait()
    assert end.next_timeout == 240.0
    assert end.timeout(239.9).endpoint.state is State.TIME_WAIT
    assert end.timeout(240.0).endpoint.state is State.CLOSED
    assert end.arrives(peer_sends("FA", 1000, 1), 100.0).endpoint.next_timeout == 340.0
    assert time_wait(LINUX).timeout(60.0).choices == ("time-wait-60s",)


def test_time_wait__a_bare_ack_in_its_place_is_not_answered() -> None:
    for profile in (RFC9293, MITIGATED, LINUX):
        assert said(time_wait(profile).arrives(peer_sends("A", 1001, 1), 0.0)) == []


@pytest.mark.parametrize("profile", [MITIGATED, LINUX], ids=lambda p: p.name)
def test_time_wait__gives_way_to_a_new_syn_with_a_higher_number(profile: Profile) -> None:
    outcome = time_wait(profile).arrives(peer_sends("S", 5000), 0.0)
    assert outcome.endpoint.state is State.SYN_RECEIVED
    assert outcome.event is Event.RCV_NEW_SYN
    assert "time-wait-reopen" in outcome.choices
    answer = outcome.replies[0].segment
    assert (letters(answer.flags), answer.ack) == ("SA", 5001)
    assert answer.seq.ahead_of(Seq(1)) > 0  # MAY-2 (1): above everything that the old connection sent
    older = time_wait(profile).arrives(peer_sends("S", 500), 0.0)
    assert (older.endpoint.state, said(older)) == (State.TIME_WAIT, [("A", 1, 1001)])


def test_time_wait__linux_gives_way_to_a_syn_with_fin_and_drops_it() -> None:
    """The listener gets it (TCP_TW_SYN), and drops it as ever; the old connection is forgotten by then."""
    segment = peer_sends("SF", 2000)
    outcome = time_wait(MITIGATED).arrives(segment, 1.0)
    assert [flags for flags, _, _ in said(outcome)] == ["SA"]
    outcome = time_wait(LINUX).arrives(segment, 1.0)
    assert (said(outcome), outcome.endpoint.state) == ([], State.LISTEN)
    assert outcome.choices == ("time-wait-reopen", "syn-fin-dropped")


def test_time_wait__the_number_behind_the_fin() -> None:
    """RFC 6191 takes it; Linux wants one more."""
    assert time_wait(MITIGATED).arrives(peer_sends("S", 1001), 0.0).endpoint.state is State.SYN_RECEIVED
    outcome = time_wait(LINUX).arrives(peer_sends("S", 1001), 0.0)
    assert outcome.endpoint.state is State.TIME_WAIT
    assert "time-wait-reopen-above-fin" in outcome.choices


def test_time_wait__an_active_opener_has_no_listener_to_give_way_to() -> None:
    end = replace(time_wait(LINUX), listening=False)
    assert said(end.arrives(peer_sends("S", 5000), 0.0)) == [("A", 1, 1001)]


# Urgent data


def test_established__urgent_is_told_once() -> None:
    urgent = replace(peer_sends("UA", 1000, 0, b"ab"), urgent=10)
    first = established().arrives(urgent, 0.0)
    assert first.notices == ("urgent data",)
    again = first.endpoint.arrives(replace(peer_sends("UA", 1002, 0, b"cd"), urgent=8), 0.0)
    assert again.notices == ()


# Timestamps (RFC 7323)


def stamped(profile: Profile) -> Endpoint:
    """ESTABLISHED, timestamps agreed on, TS.Recent 100."""
    end = closed(profile, Offer(1460, timestamps=True)).open_passive().endpoint
    end = end.arrives(peer_sends("S", IRS, raw=stamp(100)), 5.0).endpoint
    return end.arrives(peer_sends("A", 1000, 0, raw=stamp(100, 5000)), 5.0).endpoint


@pytest.mark.parametrize("profile", [MITIGATED, LINUX], ids=lambda p: p.name)
def test_paws__an_older_timestamp_is_acknowledged_and_dropped(profile: Profile) -> None:
    outcome = stamped(profile).arrives(peer_sends("PA", 1000, 0, b"old", raw=stamp(90, 5000)), 5.0)
    assert (said(outcome), outcome.endpoint.receive_buffer) == ([("A", 0, 1000)], b"")
    assert "paws" in outcome.choices
    newer = stamped(profile).arrives(peer_sends("PA", 1000, 0, b"new", raw=stamp(2**31 + 99, 5000)), 5.0)
    assert (newer.endpoint.receive_buffer, newer.endpoint.ts_recent) == (b"new", 2**31 + 99)


def test_paws__a_rst_is_exempt() -> None:
    assert stamped(MITIGATED).arrives(peer_sends("R", 1000, raw=stamp(1)), 5.0).endpoint.state is State.CLOSED


def test_a_missing_timestamp() -> None:
    bare = peer_sends("PA", 1000, 0, b"bare")
    assert stamped(LINUX).arrives(bare, 5.0).endpoint.receive_buffer == b"bare"
    dropped = stamped(MITIGATED).arrives(bare, 5.0)
    assert (said(dropped), dropped.endpoint.receive_buffer) == ([], b"")


def test_every_segment_echoes_ts_recent() -> None:
    outcome = stamped(MITIGATED).arrives(peer_sends("PA", 1001, 0, b"gap", raw=stamp(200, 5000)), 6.0)
    assert outcome.replies[0].segment.timestamps == (6000, 100)  # the gap's own timestamp does not count (§4.3 B)


# Window scale (RFC 7323)


def test_windows_are_scaled_but_never_that_of_a_syn() -> None:
    scaling = options.pack([options.window_scale(7)])
    end = closed(offer=Offer(1460, shift=0)).open_passive().endpoint
    end = end.arrives(peer_sends("S", IRS, window=10, raw=scaling), 0.0).endpoint
    assert end.snd_wnd == 10
    assert end.arrives(peer_sends("A", 1000, 0, window=10), 0.0).endpoint.snd_wnd == 1280
    without = listen().arrives(peer_sends("S", IRS, window=10, raw=scaling), 0.0).endpoint
    assert without.arrives(peer_sends("A", 1000, 0, window=10), 0.0).endpoint.snd_wnd == 10
