"""The terminal's report: verdicts, details, summary, progress."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from lab.report.terminal import Progress, Screen, details, report, summary, verdicts
from lab.report.text import ASCII, plain, width_of
from lab.scenario.record import Problem, Result, Run, Verdict

VERDICTS = """\
handshake
  ! repeated_syn    A server opens in three segments           deviates  12.3 ms
      deviates: a repeated SYN is answered with the SYN+ACK again (RFC 9293
        §3.10.7.4; Linux tcp_check_req)
  ✓ three_segments  A server opens in three segments                     12.3 ms
  ✗ wrong_ack       A server opens in three segments           violates  12.3 ms

teardown
  ! lost            A server opens in three segments  IPv4 inconclusive  12.3 ms
  ! lost            A server opens in three segments    IPv6 cannot run  12.3 ms
      this testbed has no IPv6 address: give it one
"""


def squeezed(text: str) -> str:
    return "\n".join(re.sub(r" {2,}", "  ", line) for line in text.splitlines())


def test_verdicts_are_grouped_by_folder(mixed: Run) -> None:
    assert squeezed(plain(verdicts(mixed))).rstrip() == squeezed(VERDICTS).rstrip()


def test_one_reason_for_many_is_told_once(mixed: Run) -> None:
    stuck = mixed.results[-1]
    mixed.results = [replace(stuck, name=f"teardown/{n}") for n in "abc"]
    assert plain(verdicts(mixed)).count("no IPv6 address") == 1
    mixed.results[1] = replace(mixed.results[1], problems=[Problem(Verdict.CANNOT_RUN, "another reason")])
    assert plain(verdicts(mixed)).count("no IPv6 address") == 2


@pytest.mark.parametrize("width", [60, 80, 132])
def test_verdict_lines_fit(width: int, mixed: Run) -> None:
    assert max(width_of(line) for line in verdicts(mixed, width=width)) <= width


@pytest.mark.parametrize("width", [60, 80, 132])
def test_a_long_title_does_not_run_into_the_verdict(width: int, mixed: Run) -> None:
    mixed.results = [replace(r, title="Text that is not UTF-8 " * 9) for r in mixed.results]
    rows = [row for row in plain(verdicts(mixed, width=width)).splitlines() if row.startswith(("  !", "  ✗", "  ✓"))]
    assert len(rows) == 5
    assert all(re.search(r"…  +(IPv[46] |violates|deviates|12\.3 ms)", row) for row in rows)
    assert max(len(row) for row in rows) <= width


def test_only_what_did_not_conform_is_told_in_full(mixed: Run) -> None:
    text = plain(details(mixed))
    assert "handshake/wrong_ack over IPv4" in text
    assert "teardown/lost over IPv4" in text
    assert "three_segments over" not in text
    assert "repeated_syn" not in text


def test_the_same_failure_over_both_families_is_drawn_once(mixed: Run) -> None:
    text = plain(details(mixed))
    assert text.count("ack: expected 1, observed 2") == 1
    assert "The same over IPv6 as over IPv4" in text


def test_another_failure_over_the_other_family_is_drawn(mixed: Run) -> None:
    mixed.results[3].problems = [replace(mixed.results[3].problems[0], observed="0")]
    assert "ack: expected 1, observed 0" in plain(details(mixed))


def test_verbose_draws_every_ladder(mixed: Run) -> None:
    text = plain(details(mixed, verbose=True))
    assert all(f"{r.name} over IPv{r.family[-1]}" in text for r in mixed.results)


def test_summary_counts_and_says_on_what_ground(mixed: Run) -> None:
    mixed.results = [r for r in mixed.results if r.verdict is not Verdict.CANNOT_RUN]
    assert plain(summary(mixed, width=90, notes=["captures in lab-out/"])).splitlines() == [
        "4 scenarios, 6 runs in 1.50 s: 2 conform, 1 deviates, 2 violate, 1 inconclusive",
        "testbed sandbox · Linux 6.1.0 · IPv4 and IPv6 · seed 42",
        "captures in lab-out/",
    ]


def test_summary_of_nothing() -> None:
    assert plain(summary(Run("0.1.0", "sandbox", "", 1))).startswith("nothing was run")


def test_ascii_reports_are_ascii_where_the_words_are(mixed: Run) -> None:
    from lab.report.text import ascii_text

    assert ascii_text(plain(report(mixed, glyphs=ASCII))).count("?") == plain(report(mixed, glyphs=ASCII)).count("?")


def screen_on(stream: io.TextIOBase, *, terminal: bool, **more: object) -> Screen:
    screen = Screen()
    screen.console = Console(file=stream, force_terminal=terminal, width=80, highlight=False, **more)  # type: ignore[arg-type]
    return screen


def test_colour_is_for_terminals(mixed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for terminal in (True, False):
        stream = io.StringIO()
        screen_on(stream, terminal=terminal).show(verdicts(mixed))
        assert ("\x1b[" in stream.getvalue()) is terminal


def test_no_color_is_respected(mixed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    screen_on(stream, terminal=True, color_system="standard").show(verdicts(mixed))
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", stream.getvalue())


def test_an_output_without_unicode_gets_ascii(mixed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    screen = Screen()
    screen.show(report(mixed, width=80, glyphs=screen.glyphs))
    stream.flush()
    assert b"sec. 3.5" in raw.getvalue()
    monkeypatch.undo()
    stream.close()


def test_square_brackets_in_a_message_are_no_markup(violating: Result) -> None:
    stream = io.StringIO()
    violating.problems.append(Problem(Verdict.VIOLATES, "[bold]this[/bold] :smile: stays"))
    screen_on(stream, terminal=False).show(details(Run("0", "sandbox", "", 1, [violating])))
    assert "[bold]this[/bold] :smile: stays" in stream.getvalue()


def test_progress_tells_what_runs_and_what_came_of_the_rest(conforming: Result) -> None:
    progress = Progress(Screen(width=80), 4, shown=False)
    progress.on_start("handshake/three_segments", "ipv4")
    progress.on_start("teardown/slow", "ipv6")
    progress.on_result(conforming)
    bar, running = plain(progress.lines(progress.running["teardown/slow", "ipv6"] + 12)).splitlines()
    assert "1 of 4" in bar
    assert bar.endswith("1 conforms")
    assert bar.startswith("━" * 10 + "─")
    assert running == "teardown/slow IPv6 12 s"


def test_progress_draws_on_a_terminal_and_takes_it_away(conforming: Result) -> None:
    stream = io.StringIO()
    screen = screen_on(stream, terminal=True, color_system=None)
    with Progress(screen, 2) as progress:
        progress.on_start("a/b", "ipv4")
        progress._drawn = 0.0
        progress.on_result(conforming)
    text = stream.getvalue()
    assert "1 of 2" in text
    assert text.endswith("\x1b[2K")  # the last line of it is wiped


def test_progress_is_silent_elsewhere(conforming: Result) -> None:
    stream = io.StringIO()
    with Progress(screen_on(stream, terminal=False), 2) as progress:
        progress.on_start("a/b", "ipv4")
        progress.on_result(conforming)
    assert stream.getvalue() == ""


def test_no_text_steers_the_terminal(violating: Result) -> None:
    violating.title = "T \x1b[31m\x9b2J\x07"
    violating.problems[0].message = "one\ttwo \x00\x1b]0;x\x07 \ud800 \u202e \x7f end"
    stream = io.StringIO()
    screen = screen_on(stream, terminal=False)
    screen.show(report(Run("0", "sandbox", "", 0, [violating])))
    told = stream.getvalue()
    told.encode()
    assert not re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", told)
    assert "T ␛[31m�2J␇" in told
    assert "␀␛]0;x␇ � � ␡" in squeezed(told)
