"""The ladder: what a person sees of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.report.ladder import ladder
from lab.report.text import ASCII, plain, width_of
from lab.scenario.record import Call, Problem, Result, Verdict
from lab.tcp.segment import Segment, flags_from
from lab.tcp.sequence import Seq
from lab.tcp.state import State

THREE_SEGMENTS = """\
handshake/three_segments over IPv4                                    ✓ conforms
A server opens in three segments
lab 198.51.100.2   server 198.51.100.1
first numbers: lab 4294967295, server 1000 (both shown as 0)

   time  #          lab │                                         │ server
0.10 ms                 │                               listen() ●│
0.21 ms  2     SYN-SENT │── SYN      seq 0 ──────────────────────►│ SYN-RECEIVED
                        │   mss 1460 · sack · ts · ws 7           │
0.34 ms  3  ESTABLISHED │◄─ SYN+ACK  seq 0  ack 1 ────────────────│ SYN-RECEIVED
                        │   mss 1460 · sack · ts · ws 7           │
0.40 ms                 │   ✓ server is in SYN-RECEIVED           │
0.51 ms  4  ESTABLISHED │── ACK      seq 1  ack 1 ───────────────►│ ESTABLISHED
0.70 ms                 │                               accept() ●│
● the server's program calls   ✓ a check that held"""

WRONG_ACK_IN_ASCII = """\
   time  #          lab |                                         | server
0.10 ms                 |                               listen() *|
0.21 ms  2     SYN-SENT |-- SYN      seq 0 ---------------------->| SYN-RECEIVED
                        |   mss 1460 - sack - ts - ws 7           |
0.34 ms  3     SYN-SENT |<- SYN+ACK  seq 0  ack 2 ----------------| SYN-RECEIVED
                        |   X ack: expected 1, observed 2         |
* the server's program calls   X one that did not"""


def drawn(result: Result, width: int = 80, **options: object) -> str:
    return plain(ladder(result, width=width, **options))  # type: ignore[arg-type]


def test_three_segments_as_they_are_drawn(conforming: Result) -> None:
    assert drawn(conforming) == THREE_SEGMENTS


def test_a_failure_in_ascii_marks_its_packet(violating: Result) -> None:
    assert drawn(violating, glyphs=ASCII).split("\n\n")[1] == WRONG_ACK_IN_ASCII
    assert drawn(violating, glyphs=ASCII).isascii()


@pytest.mark.parametrize("width", [60, 61, 71, 72, 80, 99, 100, 120])
def test_no_line_is_wider_than_asked(width: int, conforming: Result, violating: Result) -> None:
    for result in (conforming, violating):
        assert max(width_of(line) for line in ladder(result, width=width)) <= width


@pytest.mark.parametrize(("asked", "drawn_as"), [(10, 60), (300, 120)])
def test_width_has_its_limits(asked: int, drawn_as: int, conforming: Result) -> None:
    widest = max(width_of(line) for line in ladder(conforming, width=asked))
    assert widest == drawn_as


def test_lifelines_are_straight_at_every_width(violating: Result) -> None:
    for width in (60, 80, 120):
        rows = plain(ladder(violating, width=width)).split("\n\n")[1].splitlines()[:-1]
        assert len({row.index("│") for row in rows}) == 1
        assert len({row.rindex("│") for row in rows}) == 1


def test_a_wide_ladder_tells_windows_and_rules(conforming: Result) -> None:
    syn = next(line for line in drawn(conforming, 120).splitlines() if " SYN " in line)
    assert "win 65535" in syn
    assert syn.endswith("RFC 9293 §3.5")


def test_a_wide_ladder_has_no_column_for_rules_that_nobody_knows(conforming: Result) -> None:
    named = next(line for line in drawn(conforming, 120).splitlines() if line.endswith("rule"))
    for packet in conforming.packets:
        packet.rule = ""
    without = drawn(conforming, 120)
    assert "rule" not in without
    header = next(line for line in without.splitlines() if "time" in line)
    assert header.index("│ server") == named.index("│ server") + 20, "the arrows have the room"


def test_frames_that_are_not_tcp_are_left_out_unless_asked_for(conforming: Result) -> None:
    assert "ARP" not in drawn(conforming)
    assert "ARP: who has 198.51.100.2?" in drawn(conforming, frames=True)


def test_a_pause_is_shown_as_a_break(make_packet, conforming: Result) -> None:
    conforming.timeline = [make_packet(1, 0.0, "peer", "S", 0, None), make_packet(2, 1.02, "server", "SA", 0, 1)]
    assert "1.02 s later" in drawn(conforming)
    conforming.timeline[1].time = 0.49
    assert "later" not in drawn(conforming)


def test_repeats_are_counted_not_drawn(make_packet, conforming: Result) -> None:
    conforming.timeline = [make_packet(n, n / 1000, "server", "A", 1, 1) for n in range(1, 1001)]
    text = drawn(conforming)
    assert text.count("◄─ ACK") == 3
    assert "997 more like it, the last after 1.00 s" in text


def test_one_repeat_too_many_is_drawn_rather_than_counted(make_packet, conforming: Result) -> None:
    conforming.timeline = [make_packet(n, n / 1000, "server", "A", 1, 1) for n in range(1, 5)]
    assert drawn(conforming).count("◄─ ACK") == 4


def test_a_failed_packet_is_never_folded_away(make_packet, violating: Result) -> None:
    violating.timeline = [make_packet(n, n / 1000, "server", "A", 1, 1) for n in range(1, 101)]
    violating.problems[0].frame = 50
    text = drawn(violating)
    assert " 50 " in text
    assert "✗ ack: expected 1, observed 2" in text
    assert "46 more like it" in text  # 4 to 49
    assert "47 more like it" in text  # 54 to 100


def test_a_very_long_run_shows_its_ends_and_its_failure(make_packet, violating: Result) -> None:
    violating.timeline = [make_packet(n, n / 1e4, "peer", "PA", n, 1, payload=b"a") for n in range(1, 2001)]
    violating.problems[0].frame = 1000
    text = drawn(violating)
    assert len(text.splitlines()) < 550
    assert "seq 1 " in text
    assert "seq 2000 " in text
    assert "seq 1000 " in text
    assert text.count("entries left out") == 2


def test_a_problem_without_a_packet_stands_at_the_end(violating: Result) -> None:
    violating.timeline = violating.timeline[:3]
    violating.problems = [
        Problem(Verdict.VIOLATES, "no answer came", field="silence", expected="< SA ack 1", observed="nothing")
    ]
    assert drawn(violating).splitlines()[-2].strip("│ ") == "observed nothing"
    assert "✗ silence: expected ◄ SYN+ACK ack 1," in drawn(violating)


def test_connections_are_told_apart(make_packet, conforming: Result) -> None:
    conforming.timeline = [
        make_packet(1, 0.1, "peer", "S", 0, None),
        make_packet(2, 0.2, "peer", "S", 0, None, connection="B"),
        Call(0.3, 2, "check", "silence", "B"),
    ]
    conforming.isns = {"A": (1, None), "B": (2, 3)}
    text = drawn(conforming)
    assert "A  1 " in text
    assert "B  2 " in text
    assert "✓ B: silence" in text
    assert "first numbers of connection A: lab 1, server not known\n" in text


def test_a_number_without_a_beginning_is_shown_as_it_stands(make_packet, conforming: Result) -> None:
    stray = make_packet(1, 0.1, "server", "RA", 0, 1)
    stray.seq = stray.ack = None
    stray.segment = Segment(flags_from("RA"), Seq(77), Seq(99))
    conforming.timeline = [stray]
    text = drawn(conforming)
    assert "RST+ACK  seq 77*  ack 99*" in text
    assert "* as it stands in the packet" in text


@pytest.mark.parametrize(
    ("sender", "says"),
    [("kernel", "sent by the lab's own kernel, not by the lab"), ("other", "sent by somebody else")],
)
def test_frames_of_strangers_are_named(sender: str, says: str, make_packet, conforming: Result) -> None:
    conforming.timeline = [replace(make_packet(1, 0.1, "peer", "R", 0, None), sender=sender)]
    assert says in " ".join(drawn(conforming).replace("│", " ").split())


def test_what_does_not_fit_the_arrow_stands_below(make_packet, conforming: Result) -> None:
    states = State.ESTABLISHED, State.ESTABLISHED
    conforming.timeline = [make_packet(1, 0.1, "peer", "FPA", 1_000_000, 1_000_000, states, payload=b"x" * 1460)]
    arrow, below, payload = drawn(conforming, 60).splitlines()[-3:]
    assert "FIN+PSH+ACK  seq 1000000" in arrow
    assert "ack 1000000 · len 1460" in below
    assert payload.strip().strip("│").strip() == '"' + "x" * 18 + '"...'


def test_malformed_options_and_payload_are_told_safely(make_packet, conforming: Result) -> None:
    conforming.timeline = [
        make_packet(1, 0.1, "peer", "S", 0, None, carries=b"\x02\x63\x00\x00"),
        make_packet(2, 0.2, "peer", "PA", 1, 1, payload=b"\x1b[31mred\xff\n"),
    ]
    text = drawn(conforming)
    assert "option 2 malformed" in text
    assert '".[31mred.."' in text
    assert "\x1b" not in text


def test_a_run_without_packets_says_so(conforming: Result) -> None:
    conforming.timeline = []
    assert "no packet was seen" in drawn(conforming)
