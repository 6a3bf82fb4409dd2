"""The calls in every state (RFC 9293 §3.10.1 to §3.10.6), timers (§3.10.8), and following an end by its segments."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files

import pytest

from lab.tcp import options
from lab.tcp.driver import Driver
from lab.tcp.endpoint import CallError, Endpoint, Offer, Outcome
from lab.tcp.octets import Octets
from lab.tcp.profile import CHOICES, LINUX, MITIGATED, RFC9293, Profile, linux
from lab.tcp.segment import Segment, flags_from, letters
from lab.tcp.sequence import Seq
from lab.tcp.state import State

S = State


def seg(flags: str, seq: int, ack: int = 0, payload: bytes = b"", raw: bytes = b"", window: int = 5000) -> Segment:
    return Segment(flags_from(flags), Seq(seq), Seq(ack), window, payload, raw)


def server_at(state: State, profile: Profile = RFC9293) -> Endpoint:
    """An end with ISS 0xFFFFFFFF that came from LISTEN (SYN-SENT: from CLOSED); its peer's first octet is 1000."""
    end = Endpoint(profile, Seq(0xFFFFFFFF))
    if state is S.CLOSED:
        return end
    if state is S.SYN_SENT:
        return end.open_active(0.0).endpoint
    end = end.open_passive().endpoint
    if state is S.LISTEN:
        return end
    end = end.arrives(seg("S", 999), 0.0).endpoint
    if state is S.SYN_RECEIVED:
        return end
    end = end.arrives(seg("A", 1000, 0), 0.0).endpoint
    if state in (S.CLOSE_WAIT, S.LAST_ACK):
        end = end.arrives(seg("FA", 1000, 0), 0.0).endpoint
    if state in (S.ESTABLISHED, S.CLOSE_WAIT):
        return end
    end = end.shutdown(0.0).endpoint.transmit(0.0).endpoint
    if state in (S.FIN_WAIT_1, S.LAST_ACK):
        return end
    if state is S.CLOSING:
        return end.arrives(seg("FA", 1000, 0), 0.0).endpoint
    end = end.arrives(seg("A", 1000, 1), 0.0).endpoint
    return end if state is S.FIN_WAIT_2 else end.arrives(seg("FA", 1000, 1), 0.0).endpoint


@pytest.mark.parametrize("state", State)
def test_the_fixture_stands_where_it_says(state: State) -> None:
    assert server_at(state).state is state


CALLS: dict[str, Callable[[Endpoint], Outcome | State]] = {
    "open_passive": lambda e: e.open_passive(),
    "open_active": lambda e: e.open_active(1.0),
    "send": lambda e: e.send(b"x", 1.0),
    "receive": lambda e: e.receive(1),
    "shutdown": lambda e: e.shutdown(1.0),
    "abort": lambda e: e.abort(),
    "status": lambda e: e.status(),
}
EXISTS, NONE, CLOSING = "connection already exists", "connection does not exist", "connection closing"
OK = ""
REFUSALS = {
    #                 open_p  open_a  send     receive  shutdown abort status
    S.CLOSED: (OK, OK, NONE, NONE, NONE, NONE, NONE),
    S.LISTEN: (EXISTS, OK, OK, OK, OK, OK, OK),
    S.SYN_SENT: (EXISTS, EXISTS, OK, OK, OK, OK, OK),
    S.SYN_RECEIVED: (EXISTS, EXISTS, OK, OK, OK, OK, OK),
    S.ESTABLISHED: (EXISTS, EXISTS, OK, OK, OK, OK, OK),
    S.FIN_WAIT_1: (EXISTS, EXISTS, CLOSING, OK, CLOSING, OK, OK),
    S.FIN_WAIT_2: (EXISTS, EXISTS, CLOSING, OK, CLOSING, OK, OK),
    S.CLOSE_WAIT: (EXISTS, EXISTS, OK, CLOSING, OK, OK, OK),
    S.CLOSING: (EXISTS, EXISTS, CLOSING, CLOSING, CLOSING, OK, OK),
    S.LAST_ACK: (EXISTS, EXISTS, CLOSING, CLOSING, CLOSING, OK, OK),
    S.TIME_WAIT: (EXISTS, EXISTS, CLOSING, CLOSING, CLOSING, OK, OK),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_every_state(state: State, call: str) -> None:
    expected = REFUSALS[state][list(CALLS).index(call)]
    if expected:
        with pytest.raises(CallError, match=f"^{expected}$"):
            CALLS[call](server_at(state))
    else:
        CALLS[call](server_at(state))


RESETS = {S.SYN_RECEIVED, S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2, S.CLOSE_WAIT}


@pytest.mark.parametrize("state", [S.CLOSING, S.LAST_ACK])
def test_abort_with_data_unread_resets_where_it_would_say_nothing(state: State) -> None:
    """A half-duplex close of Linux (tcp_close looks for unread data first); the document's ABORT is silent there."""
    for unread, profile, said in ((b"?", LINUX, ["RA"]), (b"", LINUX, []), (b"?", RFC9293, [])):
        end = replace(server_at(state, profile), receive_buffer=Octets(unread))
        outcome = end.abort()
        assert [letters(reply.segment.flags) for reply in outcome.replies] == said
        assert outcome.endpoint.state is S.CLOSED
        assert ("half-duplex-close" in outcome.choices) is bool(said)


@pytest.mark.parametrize("state", [s for s in State if s is not S.CLOSED])
def test_abort(state: State) -> None:
    outcome = server_at(state).abort()
    assert outcome.endpoint.state is S.CLOSED
    replies = [(letters(r.segment.flags), r.segment.seq) for r in outcome.replies]
    if state in RESETS:
        assert replies == [("R", server_at(state).snd_nxt)]
    else:
        assert replies == []


def test_close_in_syn_received_sends_a_fin_at_once_only_when_nothing_waits() -> None:
    end = server_at(S.SYN_RECEIVED)
    assert end.shutdown(0.0).endpoint.state is S.FIN_WAIT_1
    waiting = end.send(b"data", 0.0).endpoint.shutdown(0.0).endpoint
    assert waiting.state is S.SYN_RECEIVED
    through = waiting.arrives(seg("A", 1000, 0), 0.0).endpoint
    assert through.state is S.FIN_WAIT_1
    (only,) = through.transmit(0.0).replies
    assert (letters(only.segment.flags), only.segment.payload) == ("FPA", b"data")


def test_linux_closes_in_syn_received_what_it_has_shut_down_unless_text_waits() -> None:
    """Choice "shutdown-waits-for-ack-of-syn": the close() behind it sends the FIN, and no FIN goes in front of text."""
    end = server_at(S.SYN_RECEIVED, LINUX)
    shut = end.shutdown(0.0).endpoint
    assert shut.state is S.SYN_RECEIVED
    assert shut.close(0.0).endpoint.state is S.FIN_WAIT_1
    waiting = end.send(b"data", 0.0).endpoint.shutdown(0.0).endpoint.close(0.0).endpoint
    assert waiting.state is S.SYN_RECEIVED


def test_close_in_close_wait_waits_for_the_window_before_last_ack() -> None:
    end = replace(server_at(S.CLOSE_WAIT), snd_wnd=0).send(b"data", 0.0).endpoint
    assert end.shutdown(0.0).endpoint.state is S.CLOSE_WAIT
    linux_end = replace(server_at(S.CLOSE_WAIT, LINUX), snd_wnd=0).send(b"data", 0.0).endpoint.shutdown(0.0)
    assert (linux_end.endpoint.state, linux_end.choices) == (S.LAST_ACK, ("last-ack-at-once",))
    opened = end.shutdown(0.0).endpoint.arrives(seg("A", 1001, 0, window=100), 0.0).endpoint.transmit(0.0)
    assert opened.endpoint.state is S.LAST_ACK
    assert [letters(r.segment.flags) for r in opened.replies] == ["FPA"]


def test_transmit_obeys_window_and_mss() -> None:
    end = replace(server_at(S.ESTABLISHED), snd_wnd=1200).send(b"x" * 3000, 0.0).endpoint
    sizes = [len(r.segment.payload) for r in end.transmit(0.0).replies]
    assert sizes == [536, 536, 128]  # no MSS option came: 536 (MUST-15)
    assert end.transmit(0.0).endpoint.transmit(0.0).replies == ()


def test_a_syn_is_repeated_with_growing_intervals() -> None:
    end, times, now = server_at(S.SYN_SENT), [], 0.0
    for _ in range(4):
        now = end.next_timeout or 0.0
        outcome = end.timeout(now)
        assert [letters(r.segment.flags) for r in outcome.replies] == ["S"]
        end = outcome.endpoint
        times.append(now)
    assert times == [1.0, 3.0, 7.0, 15.0]


def test_linux_gives_a_half_open_connection_up_and_listens_on() -> None:
    end, now, repeats = server_at(S.SYN_RECEIVED, LINUX), 0.0, 0
    while end.state is S.SYN_RECEIVED:
        now = end.next_timeout or 0.0
        outcome = end.timeout(now)
        repeats += len(outcome.replies)
        end = outcome.endpoint
    assert (end.state, repeats, now) == (S.LISTEN, 5, 63.0)
    assert outcome.choices == ("synack-retries",)


def test_user_timeout() -> None:
    end = server_at(S.ESTABLISHED).send(b"x", 0.0).endpoint.transmit(0.0).endpoint
    outcome = end.timeout(300.0)
    assert (outcome.endpoint.state, outcome.notices) == (S.CLOSED, ("connection aborted due to user timeout",))


def test_a_delayed_ack_comes_at_last_unless_something_carried_it() -> None:
    end = server_at(S.ESTABLISHED).arrives(seg("PA", 1000, 0, b"x"), 5.0).endpoint
    assert end.next_timeout == pytest.approx(5.2)
    (ack,) = end.timeout(5.2).replies
    assert (letters(ack.segment.flags), ack.segment.ack) == ("A", 1001)
    carried = end.send(b"y", 5.1).endpoint.transmit(5.1)
    assert carried.replies[0].segment.ack == 1001
    assert carried.endpoint.ack_due_at is None


def test_linux_ends_fin_wait_2_that_nobody_holds() -> None:
    end = server_at(S.ESTABLISHED, LINUX).close(0.0).endpoint.transmit(0.0).endpoint
    end = end.arrives(seg("A", 1000, 1), 1.0).endpoint
    assert (end.state, end.next_timeout) == (S.FIN_WAIT_2, 61.0)
    outcome = end.timeout(61.0)
    assert (outcome.endpoint.state, outcome.choices) == (S.CLOSED, ("fin-wait-2-timer",))
    held = server_at(S.FIN_WAIT_2, LINUX)
    assert held.next_timeout is None
    assert held.close(5.0).endpoint.next_timeout == 65.0


# Following an end that somebody else drives


def test_sent__a_server_s_iss_is_learnt_from_its_syn_ack() -> None:
    end = Endpoint(LINUX).open_passive().endpoint
    half = end.arrives(seg("S", 999), 0.0)
    assert "seq" in half.replies[0].free
    seen = half.endpoint.sent(seg("SA", 0xFFFFFFFF, 1000, window=640), 0.0)
    assert (seen.iss, seen.snd_una, seen.snd_nxt, seen.rcv_wnd) == (Seq(0xFFFFFFFF), Seq(0xFFFFFFFF), Seq(0), 640)
    again = seen.sent(seg("SA", 77, 1000), 1.0)
    assert again.iss == 0xFFFFFFFF
    assert seen.arrives(seg("A", 1000, 0), 1.0).endpoint.state is S.ESTABLISHED


def test_sent__a_client_is_followed_by_its_segments_alone() -> None:
    end = Endpoint().sent(seg("S", 0xFFFFFFFF), 0.0, implied_calls=True)
    assert end.state is S.SYN_SENT
    end = end.arrives(seg("SA", 999, 0), 0.0).endpoint.sent(seg("A", 0, 1000), 0.0, implied_calls=True)
    assert end.state is S.ESTABLISHED
    end = end.sent(seg("PA", 0, 1000, b"GET"), 0.0, implied_calls=True)
    assert end.snd_nxt == 3
    end = end.sent(seg("FA", 3, 1000), 0.0, implied_calls=True)
    assert (end.state, end.fin_seq, end.snd_nxt) == (S.FIN_WAIT_1, 3, 4)
    assert end.arrives(seg("A", 1000, 4), 0.0).endpoint.state is S.FIN_WAIT_2


def test_sent__a_syn_ack_out_of_nothing_implies_the_syn_that_it_answers() -> None:
    end = Endpoint().sent(seg("SA", 5, 1000), 0.0, implied_calls=True)
    assert (end.state, end.passive, end.irs, end.rcv_nxt) == (S.SYN_RECEIVED, True, 999, 1000)
    assert Endpoint().sent(seg("SA", 5, 1000), 0.0).state is S.CLOSED


def test_sent__a_fin_without_a_call_is_noted_and_waits() -> None:
    end = server_at(S.ESTABLISHED).sent(seg("FA", 0, 1000), 0.0)
    assert (end.state, end.fin_seq) == (S.ESTABLISHED, 0)


def test_sent__a_rst_ends_it_only_at_its_own_place() -> None:
    end = server_at(S.ESTABLISHED)
    assert end.sent(seg("R", 0), 0.0).state is S.CLOSED
    assert end.sent(seg("R", 12345), 0.0).state is S.ESTABLISHED
    half = server_at(S.SYN_RECEIVED)
    assert half.sent(seg("R", 0xFFFFFFFF), 0.0).state is S.SYN_RECEIVED  # refuses a wrong ACK
    assert half.sent(seg("R", 0), 0.0).state is S.CLOSED


def test_sent__an_ack_settles_what_is_owed() -> None:
    end = server_at(S.ESTABLISHED).sent(seg("A", 0, 1000), 0.0)
    owes = end.arrives(seg("PA", 1000, 0, b"x"), 0.0).endpoint
    assert owes.ack_due_at is not None
    assert owes.sent(seg("A", 0, 1000), 0.0).ack_due_at is not None
    assert owes.sent(seg("A", 0, 1001), 0.0).ack_due_at is None


def test_sent__what_lies_outside_the_window_changes_nothing() -> None:
    end = server_at(S.ESTABLISHED).sent(seg("A", 0, 1000), 0.0)
    stray = end.sent(seg("PA", 2_000_000, 1000, b"stray"), 0.0)
    assert (stray.snd_nxt, stray.send_buffer) == (end.snd_nxt, b"")


# Profiles


def test_linux_reads_the_machine_s_settings() -> None:
    here = linux({"net.ipv4.tcp_fin_timeout": "7", "net.ipv4.tcp_rfc1337": "1", "net.ipv4.tcp_synack_retries": "x"})
    assert here.parameters.fin_wait_2 == 7.0
    assert here.has("time-wait-ignores-rst")
    assert here.parameters.synack_retries == 5
    assert linux({}).choices == LINUX.choices


def test_the_base_text_makes_no_choice_and_unknown_ones_are_refused() -> None:
    assert not RFC9293.choices
    assert MITIGATED.choices < {*MITIGATED.choices, *LINUX.choices}
    with pytest.raises(ValueError, match="no such choice: nonsense"):
        Profile("x", frozenset({"nonsense"}))


def test_a_driver_needs_an_iss() -> None:
    with pytest.raises(ValueError, match="needs an iss"):
        Driver(Endpoint())


def test_answers_may_be_missing_where_they_are_limited() -> None:
    limited = linux({"net.ipv4.tcp_invalid_ratelimit": "500"})
    outcome = server_at(S.ESTABLISHED, limited).arrives(seg("A", 5), 0.0)
    assert [r.optional for r in outcome.replies] == [True]


def test_a_syn_ack_offers_only_what_the_syn_offered() -> None:
    generous = Endpoint(iss=Seq(1), offer=Offer(1460, 7, True, True)).open_passive().endpoint
    answer = generous.arrives(seg("S", 999, raw=options.pack([options.mss(1000)])), 0.0).replies[0].segment
    assert (answer.mss, answer.window_scale, answer.timestamps, answer.sack_permitted) == (1460, None, None, False)


def test_every_choice_touches_requirements_that_are_in_the_tables() -> None:
    known: set[str] = set()
    for table in ("rfc9293.csv", "tcp-extensions.csv"):
        with (files("lab.requirements") / table).open(encoding="utf-8") as rows:
            known |= {row["id"] for row in csv.DictReader(rows)}
    for choice in CHOICES.values():
        assert choice.requirements, choice.id
        assert set(choice.requirements) <= known, choice.id
        assert choice.source, choice.id
        assert choice.section.startswith("RFC "), choice.id
