"""The state table: figure 5 of RFC 9293 arrow by arrow, and nothing that is written nowhere."""

from __future__ import annotations

import pytest

from lab.tcp.profile import CHOICES
from lab.tcp.state import STACK_ARROWS, TABLE, Event, State, step

S, E = State, Event

FIGURE_5 = [
    (S.CLOSED, E.PASSIVE_OPEN, "", S.LISTEN),
    (S.CLOSED, E.ACTIVE_OPEN, "SYN", S.SYN_SENT),
    (S.LISTEN, E.CLOSE, "", S.CLOSED),
    (S.LISTEN, E.SEND, "SYN", S.SYN_SENT),
    (S.LISTEN, E.RCV_SYN, "SYN,ACK", S.SYN_RECEIVED),
    (S.SYN_SENT, E.CLOSE, "", S.CLOSED),
    (S.SYN_SENT, E.RCV_SYN, "SYN,ACK", S.SYN_RECEIVED),
    (S.SYN_SENT, E.RCV_SYN_ACK, "ACK", S.ESTABLISHED),
    (S.SYN_RECEIVED, E.RCV_RST_PASSIVE, "", S.LISTEN),
    (S.SYN_RECEIVED, E.RCV_ACK_OF_SYN, "", S.ESTABLISHED),
    (S.SYN_RECEIVED, E.CLOSE, "FIN", S.FIN_WAIT_1),
    (S.ESTABLISHED, E.CLOSE, "FIN", S.FIN_WAIT_1),
    (S.ESTABLISHED, E.RCV_FIN, "ACK", S.CLOSE_WAIT),
    (S.FIN_WAIT_1, E.RCV_ACK_OF_FIN, "", S.FIN_WAIT_2),
    (S.FIN_WAIT_1, E.RCV_FIN, "ACK", S.CLOSING),
    (S.FIN_WAIT_1, E.RCV_FIN_AND_ACK_OF_FIN, "ACK", S.TIME_WAIT),
    (S.FIN_WAIT_2, E.RCV_FIN, "ACK", S.TIME_WAIT),
    (S.CLOSE_WAIT, E.CLOSE, "FIN", S.LAST_ACK),
    (S.CLOSING, E.RCV_ACK_OF_FIN, "", S.TIME_WAIT),
    (S.LAST_ACK, E.RCV_ACK_OF_FIN, "", S.CLOSED),
    (S.TIME_WAIT, E.TIME_WAIT_TIMEOUT, "", S.CLOSED),
]

BESIDE_FIGURE_5 = {
    E.ABORT: set(S) - {S.CLOSED},
    E.USER_TIMEOUT: set(S) - {S.CLOSED},
    E.RCV_RST: set(S) - {S.CLOSED, S.LISTEN},
    E.RCV_SYN_IN_WINDOW: set(S) - {S.CLOSED, S.LISTEN, S.SYN_SENT},
    E.RCV_SYN_PASSIVE: {S.SYN_RECEIVED},
    E.DATA_LOST: {S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2, S.CLOSE_WAIT, S.CLOSING, S.LAST_ACK},
    E.RCV_NEW_SYN: {S.TIME_WAIT},
    E.ACTIVE_OPEN: {S.LISTEN},
    E.RCV_FIN: {S.SYN_RECEIVED},
}
"""What §3.10 adds in words: event and the states in which it leads somewhere."""


@pytest.mark.parametrize(("start", "event", "sends", "to"), FIGURE_5, ids=lambda value: str(value))
def test_every_arrow_of_figure_5_is_there(start: State, event: Event, sends: str, to: State) -> None:
    arrow = TABLE[start][event]
    assert (arrow.to, arrow.sends) == (to, sends)


def test_no_arrow_is_there_that_is_written_nowhere() -> None:
    drawn = {(start, event) for start, event, _, _ in FIGURE_5}
    said = {(start, event) for event, states in BESIDE_FIGURE_5.items() for start in states}
    assert {(start, event) for start, arrows in TABLE.items() for event in arrows} == drawn | said


def test_every_state_has_a_row_and_can_be_reached() -> None:
    seen, todo = {S.CLOSED}, [S.CLOSED]
    while todo:
        reached = {arrow.to for arrow in TABLE[todo.pop()].values()} - seen
        seen |= reached
        todo += reached
    assert seen == set(S) == set(TABLE)


def test_every_arrow_names_its_section() -> None:
    assert all(arrow.section.startswith("RFC ") for row in TABLE.values() for arrow in row.values())


def test_note_2_is_the_two_steps_in_one() -> None:
    by_steps = step(step(S.FIN_WAIT_1, E.RCV_ACK_OF_FIN).to, E.RCV_FIN)
    assert step(S.FIN_WAIT_1, E.RCV_FIN_AND_ACK_OF_FIN).to is by_steps.to


def test_a_stack_s_own_arrows_are_not_the_document_s_and_name_their_choice() -> None:
    for start, row in STACK_ARROWS.items():
        for event, arrow in row.items():
            assert event not in TABLE[start]
            assert arrow.choice in CHOICES


def test_what_leads_nowhere_is_refused() -> None:
    with pytest.raises(LookupError, match="rcv FIN leads nowhere from LISTEN"):
        step(S.LISTEN, E.RCV_FIN)
