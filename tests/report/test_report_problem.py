"""How a failure is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.report.problem import headline, problem_lines
from lab.report.text import ASCII, ascii_text, flag_words, plain, said, seconds
from lab.scenario.record import Problem, Result, Verdict
from lab.tcp.segment import Flags

TOLD = """\
✗ the server's SYN+ACK does not acknowledge our SYN
  scenarios/handshake/three_segments.py:22
      syn_ack = peer.expect(TCP(flags="SA", ack=x + 1))

  ack         expected 1    observed 2
  expected    ◄ SYN+ACK seq 0 ack 1
  observed    ◄ SYN+ACK seq 0 ack 2    frame 3, +0.34 ms
  standing    wire    SYN+ACK seen, 3 frames captured, none lost
              socket  SYN-RECEIVED
              model   server SYN-RECEIVED, lab SYN-SENT
  rule        RFC 9293 §3.5   found by the script's expectation
  capture     lab-out/handshake/wrong_ack-ipv4.pcapng, frame 3
  next step   look at frame 3 of the capture"""


def test_a_problem_tells_all_that_a_newcomer_needs(violating: Result) -> None:
    assert plain(problem_lines(violating.problems[0], violating)) == TOLD


def test_what_is_not_known_is_left_out(conforming: Result) -> None:
    problem = Problem(Verdict.INCONCLUSIVE, "frames were lost", socket="ESTABLISHED")
    lines = plain(problem_lines(problem, conforming)).splitlines()
    assert lines == ["! frames were lost", "", "  standing    socket  ESTABLISHED"]


def test_long_values_take_lines_of_their_own(conforming: Result) -> None:
    problem = Problem(Verdict.VIOLATES, "wrong data", field="payload", expected="a" * 40, observed="b" * 40)
    lines = plain(problem_lines(problem, conforming, width=80)).splitlines()
    assert lines[2:] == ["  payload     expected " + "a" * 40, "              observed " + "b" * 40]


def test_a_path_is_never_broken(violating: Result) -> None:
    violating.capture = "a-folder/" * 12 + "x-ipv4.pcapng"
    assert f"{violating.capture}," in plain(problem_lines(violating.problems[0], violating, width=60))


def test_a_next_step_that_the_message_tells_is_not_told_twice(conforming: Result) -> None:
    problem = Problem(Verdict.CANNOT_RUN, "no such interface: choose another", next_step="choose another")
    assert "next step" not in plain(problem_lines(problem, conforming))


def test_headline_names_scenario_problem_and_section(violating: Result) -> None:
    assert headline(violating) == (
        "handshake/wrong_ack over IPv4: the server's SYN+ACK does not acknowledge our SYN (RFC 9293 §3.5)"
    )


def test_script_notation_becomes_the_ladders_words() -> None:
    assert said("< SA seq 0 ack 1", ASCII) == "< SYN+ACK seq 0 ack 1"
    assert said("> . seq 5", ASCII) == "> no flags seq 5"
    assert said("< FPA", ASCII) == "< FIN+PSH+ACK"
    assert said("a segment with flags SA", ASCII) == "a segment with flags SA"
    assert said("< nothing of the kind", ASCII) == "< nothing of the kind"


def test_flags_are_said_as_people_say_them() -> None:
    assert flag_words(Flags.SYN | Flags.ACK) == "SYN+ACK"
    assert flag_words(Flags.RST | Flags.ACK) == "RST+ACK"
    assert flag_words(Flags(0)) == "no flags"


def test_times_have_three_figures() -> None:
    told = [seconds(t) for t in (0, 0.000014, 0.0404, 0.25, 1.5, 61.04, 240)]
    assert told == ["0.00 ms", "0.01 ms", "40.4 ms", "250 ms", "1.50 s", "61.0 s", "240 s"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.00999, "9.99 ms"),
        (0.009996, "10.0 ms"),
        (0.0999, "99.9 ms"),
        (0.09996, "100 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (9.994, "9.99 s"),
        (9.996, "10.0 s"),
        (99.94, "99.9 s"),
        (99.96, "100 s"),
    ],
)
def test_a_time_that_rounds_up_to_a_figure_more_keeps_three(value: float, told: str) -> None:
    assert seconds(value) == told


@given(st.floats(0, 99_999))
def test_a_time_takes_seven_columns_at_most(value: float) -> None:
    assert len(seconds(value)) <= 7


def test_ascii_text_keeps_what_it_can() -> None:
    assert ascii_text("RFC 9293 §3.5 → “x” … ü") == 'RFC 9293 sec. 3.5 -> "x" ... ?'
