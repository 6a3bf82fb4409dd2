"""Each lesson taken to its end against a real kernel, in both languages, with every mistake that it has a text for."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lesson_mistakes import MISTAKES
from pupil import Pupil

from lab.explore.lessons import LANGUAGES, NAMES
from lab.explore.lessons.lesson import load
from lab.report.text import columns
from lab.scenario.record import Packet, Verdict
from lab.testbed.sandbox import Sandboxes
from lab.wire.errors import LinkError

BROKEN = str(Path(__file__).parent.parent / "broken")
FINE = {Verdict.CONFORMS, Verdict.PERMITTED, Verdict.DEVIATES}
Take = Callable[..., Pupil]


@pytest.fixture
def take(sandboxes: Sandboxes, tmp_path: Path) -> Take:
    """Takes a lesson; what it holds is given back with the sandboxes."""

    def taken(name: str, language: str = "en", **more: object) -> Pupil:
        return Pupil(sandboxes, tmp_path, name, language, **more)  # type: ignore[arg-type]

    return taken


def bare(text: str) -> str:
    """A text without line breaks and blanks, to be found in what was drawn in lines."""
    return re.sub(r"\s+", "", text)


def beginning(text: str) -> str:
    """A text up to what is filled in first; what follows that, where it begins so."""
    return max(bare(text).split("{")[:1] + [piece.partition("}")[2] for piece in bare(text).split("{")[1:]], key=len)


def widest(drawn: str) -> int:
    """Columns of the widest line; a path is never broken."""
    return max(columns(line) for line in drawn.split("\n") if ".pcapng" not in line)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_the_right_way_leads_to_the_end(take: Take, name: str, language: str) -> None:
    with take(name, language) as pupil:
        pupil.finishes()
        result = pupil.ends()
        drawn = pupil.drawn
    lesson = load(name, language)
    said = bare(drawn)
    assert pupil.walk.finished
    assert not pupil.walk.violated
    assert result.verdict is Verdict.CONFORMS
    for key in ("title", "intro", "summary", *(f"ask.{stage.id}" for stage in lesson.stages)):
        assert beginning(lesson.texts.own[key]) in said, key
    for stage in lesson.stages:
        rights = [f"right-{way.id}" if way.id else "right" for way in stage.fulfilled]
        assert any(beginning(lesson.texts.own[f"{right}.{stage.id}"]) in said for right in rights), stage.id
    assert "=?" not in said
    assert not re.search(r"\{[a-z_]*\}", drawn), "nothing is left to be filled in"
    assert widest(drawn) <= 80


@pytest.mark.parametrize("width", [60, 100])
def test_a_lesson_fits_other_widths(take: Take, width: int) -> None:
    with take("four-way", "zh", width=width) as pupil:
        pupil.comes_to("close")
        pupil.types("rst", "hint", "legal", "why", "states")
        pupil.finishes()
        pupil.ends()
    assert widest(pupil.drawn) <= width


@pytest.mark.parametrize(
    ("name", "step", "mistake"),
    [(name, step, mistake) for name, steps in MISTAKES.items() for step, some in steps.items() for mistake in some],
)
def test_a_mistake_is_explained_and_the_lesson_goes_on(take: Take, name: str, step: str, mistake: str) -> None:
    language = LANGUAGES[sum(map(ord, step + mistake)) % 2]
    with take(name, language) as pupil:
        pupil.comes_to(step)
        said = pupil.types(MISTAKES[name][step][mistake])
        assert beginning(load(name, language).texts.own[f"wrong.{step}.{mistake}"]) in bare(said), said
        assert pupil.walk.stage.id == step
        pupil.finishes()
        result = pupil.ends()
    assert result.verdict in FINE, result.problems


@pytest.mark.parametrize(
    ("name", "step", "line"),
    [
        ("three-way", "ack", 'send TCP(flags="A", seq=x+1, ack=y+1)/b"hi"'),
        ("four-way", "close", "ack"),
        ("why-not-two", "syn", 'replay TCP(flags="S", seq=x-20)'),
        ("half-close", "say", "server recv"),
        ("websocket", "ping", 'ws binary "ab"'),
    ],
)
def test_what_no_text_is_about_is_explained_by_the_model(take: Take, name: str, step: str, line: str) -> None:
    with take(name) as pupil:
        pupil.comes_to(step)
        said = pupil.types(line)
        assert "In the server's words: " in said or "not what was asked for" in said
        assert pupil.walk.stage.id == step
        pupil.finishes()
        assert pupil.ends().verdict in FINE


def test_what_comes_of_a_mistake_later_is_explained_then(take: Take) -> None:
    """Data that nobody has read is no mistake before the program closes."""
    with take("four-way") as pupil:
        said = pupil.types('data "one more"')
        assert "can still be done" in bare_line(said)
        pupil.types("fin", "answer 1")
        said = bare_line(pupil.types("server close"))
        assert "In the server's words: data was there that nobody read: a RST tells the peer that it is lost" in said
        assert pupil.walk.stage.id == "close"
        pupil.finishes()
        assert pupil.ends().verdict in FINE


def test_the_servers_answer_and_the_models_reason_are_told(take: Take) -> None:
    with take("three-way") as pupil:
        pupil.comes_to("ack")
        said = pupil.types('send TCP(flags="A", ack=y)')
    assert "The server answered: RST seq=y." in said
    assert (
        "In the server's words: the acknowledgment does not cover our SYN: a RST refuses it (RFC 9293 §3.10.7.4)."
        in said
    )
    assert "Both ends stand as before" in said


def test_the_reason_is_told_in_chinese(take: Take) -> None:
    with take("three-way", "zh") as pupil:
        pupil.comes_to("ack")
        said = bare(pupil.types('send TCP(flags="A", ack=y)'))
    assert "服务器的应答：RSTseq=y。" in said
    assert "服务器的理由：确认号没有覆盖本端的SYN：用RST拒绝（RFC9293§3.10.7.4）。" in said


def test_a_connection_that_is_gone_is_replaced_with_real_segments(take: Take) -> None:
    with take("four-way") as pupil:
        pupil.comes_to("last")
        said = pupil.types("rst")
        typed = re.findall(r"^> (.+)$", pupil.drawn, re.MULTILINE)
        assert "It begins again on a new one." in bare_line(said)
        assert typed[-6:] == ["new", "syn", "ack", "server accept", "fin", "server close"]
        assert pupil.shell.session.hand.name == "B"
        connection = pupil.shell.session.hand.connection
        assert (connection.peer_state, connection.server_state) == ("TIME-WAIT", "LAST-ACK")


def bare_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_a_frame_may_be_right_in_other_words(take: Take) -> None:
    """What happened counts, not what was typed."""
    with take("three-way") as pupil:
        pupil.types('send TCP(flags="S", seq=x)', "answer y+1")
        assert pupil.walk.stage.id == "ack"
        pupil.types("lose next", "ack")
        assert pupil.walk.stage.id == "ack"
        pupil.types("repeat last")
        assert pupil.walk.stage.id == "none"


def test_a_lost_segment_is_said_to_be_lost(take: Take) -> None:
    with take("three-way") as pupil:
        said = pupil.types("lose next", "syn")
        assert "The network lost your segment" in said
        assert pupil.walk.stage.id == "syn"
        pupil.types("repeat last")
        assert pupil.walk.stage.id == "number"


def test_hints_get_more_precise_and_the_last_one_is_what_to_type(take: Take) -> None:
    with take("three-way") as pupil:
        first, second, third = (pupil.types("hint") for _ in range(3))
    assert "`syn`" not in first
    assert "`hint` once more" in first
    assert "Type `syn`." in second
    assert second == third


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_following_the_hints_alone_leads_to_the_end(take: Take, name: str, language: str) -> None:
    with take(name, language) as pupil:
        for _ in range(len(pupil.walk.lesson.stages)):
            said = ""
            for _ in pupil.walk.lesson.texts.hints[pupil.walk.stage.id]:
                said = pupil.types("hint")
            typed = re.sub(r"\n+", " ", said.split("> hint")[1])
            pupil.types(next(t for t in reversed(re.findall(r"`([^`]+)`", typed)) if t != "hint"))
        assert pupil.walk.finished
        pupil.ends()


def test_a_question_comes_before_what_follows_it(take: Take) -> None:
    with take("three-way") as pupil:
        pupil.comes_to("number")
        said = pupil.types("ack")
        assert "a question comes first" in said
        assert len(pupil.shell.session.hand.sent) == 1, "nothing went out"
        assert "is not it" in pupil.types("answer 99")
        assert "what is the answer?" in bare_line(pupil.types("answer"))
        pupil.types("answer y+1")
        assert "no question is open" in pupil.types("answer y+1")


def test_a_question_takes_the_fields_own_terms_in_every_language(take: Take) -> None:
    with take("layers", "zh") as pupil:
        pupil.comes_to("physical")
        before = pupil.walk.at
        for answer in ("the physical layer", "data link", "network", "Transport"):
            pupil.types(f"answer {answer}")
        assert pupil.walk.at == before + 4


def test_the_number_that_the_ladder_shows_is_taken_too(take: Take) -> None:
    with take("three-way") as pupil:
        pupil.comes_to("number")
        said = pupil.types("1")
        assert "y+1, that is" in said


def test_what_only_looks_is_no_mistake(take: Take) -> None:
    with take("four-way") as pupil:
        said = pupil.types("legal", "why", "predict fin", "states", "diagram", "layers", "ladder", "history", "help")
        assert "not what was asked" not in said
        assert "hint " in said, "help names the lesson's commands"
        pupil.finishes()
        assert pupil.ends().verdict is Verdict.CONFORMS


def test_another_packet_than_the_one_that_is_asked_for(take: Take) -> None:
    with take("layers") as pupil:
        pupil.comes_to("look")
        assert "This step is about packet 2." in pupil.types("layers 1")
        assert pupil.walk.stage.id == "look"
        pupil.types("layers 2")
        assert pupil.walk.stage.id == "physical"


def test_the_model_does_not_answer_in_a_persons_place(take: Take) -> None:
    with take("three-way") as pupil:
        assert "the segments are yours" in pupil.types("auto on")
        assert not pupil.shell.session.auto


def test_another_connection_is_not_the_lessons(take: Take) -> None:
    with take("three-way") as pupil:
        said = pupil.types("new", "syn")
        assert "`switch A` goes back to it" in said
        pupil.types("switch A")
        pupil.finishes()
        assert pupil.ends().verdict in FINE


def test_again_begins_the_part_once_more(take: Take) -> None:
    with take("four-way") as pupil:
        pupil.comes_to("second")
        pupil.types("again")
        assert pupil.walk.stage.id == "first", "the second part's first step"
        assert pupil.shell.session.hand.name == "C"
        pupil.finishes()
        assert pupil.ends().verdict in FINE
        assert "finished" in pupil.types("again")
        assert "finished" in pupil.types("hint")


def test_where_asks_again(take: Take) -> None:
    with take("three-way") as pupil:
        pupil.read()
        said = pupil.types("where")
        assert "You are in CLOSED, the server is in LISTEN." in said
        assert "Step 1 of 7: Send the first segment" in said


def test_on_new_ground_the_part_is_taken_up_again(take: Take) -> None:
    with take("four-way") as pupil:
        pupil.comes_to("close")
        pupil.types("restart")
        assert pupil.walk.stage.id == "close"
        connection = pupil.shell.session.hand.connection
        assert (connection.peer_state, connection.server_state) == ("FIN-WAIT-2", "CLOSE-WAIT")
        pupil.finishes()
        assert pupil.ends().verdict is Verdict.CONFORMS


def test_the_mark_says_where_one_is(take: Take) -> None:
    with take("three-way") as pupil:
        guide = pupil.shell.guide
        assert guide is not None
        assert guide.mark == "three-way 1/7"
        pupil.comes_to("ack")
        assert guide.mark == "three-way 3/7"
        pupil.finishes()
        assert guide.mark == "three-way done"


def test_when_timers_have_run_out_the_person_is_told(take: Take) -> None:
    """The server gives the connection up while nobody types: here the program aborts it, from behind."""
    with take("four-way") as pupil:
        pupil.read()
        session = pupil.shell.session
        socket = session.hand.socket
        assert socket is not None
        socket.abort()
        lines = pupil.shell.overhear()
        said = bare_line(" ".join(text for line in lines for text, _ in line))
        assert "`again` begins this part on a new one" in said
        assert pupil.walk.stage.id == "fin"
        pupil.types("again")
        pupil.finishes()


def test_a_repeat_that_nobody_draws_says_nothing_of_states(take: Take) -> None:
    """The lesson itself has sent the SYN; the server repeats its answer while the person thinks."""
    with take("three-way") as pupil:
        pupil.comes_to("riding")
        session = pupil.shell.session

        def repeated() -> bool:
            packets = [entry for entry in session.bench.timeline if isinstance(entry, Packet)]
            return packets[-1].sender == "server" and packets[-1].note == "retransmission"

        assert session.bench.wait_until(repeated, 10)
        assert pupil.shell.overhear() == []
        assert "SYN-RECEIVED" not in pupil.types("hint")
        pupil.finishes()


def test_after_the_end_one_may_go_on(take: Take) -> None:
    with take("why-not-two") as pupil:
        pupil.finishes()
        said = pupil.types('data "hello"', "server recv", "where")
        assert "not what was asked" not in said
        assert "The lesson is finished." in said
        assert pupil.ends().verdict in FINE


def test_ground_that_is_gone_is_said_and_can_be_had_anew(take: Take) -> None:
    def gone(*_: object, **__: object) -> None:
        raise LinkError("the link is down")

    with take("four-way") as pupil:
        pupil.comes_to("close")
        pupil.shell.session.bench.settle = gone  # type: ignore[method-assign]
        said = bare_line(pupil.types("server close"))
        assert "The ground is gone: the link is down. `restart` takes this part up again" in said
        assert pupil.walk.stage.id == "close"
        pupil.types("restart")
        assert pupil.walk.stage.id == "close"
        pupil.finishes()
        assert pupil.ends().verdict is Verdict.CONFORMS


def test_time_that_passes_is_no_mistake(take: Take) -> None:
    with take("four-way") as pupil:
        said = pupil.types("wait 0.01")
        assert "Step 1 is still to be done" in said
        assert "not what was asked" not in said
        pupil.finishes()


# A server that is broken


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, str]]:
    monkeypatch.setattr(sys, "path", [*sys.path, BROKEN])
    return lambda name: (f"broken_servers:broken_{name}", BROKEN)


@pytest.mark.parametrize(
    ("name", "step", "breakage", "rule"),
    [
        ("three-way", "syn", "syn_ack_acks_x", "RFC 9293 §3.10.7.2"),
        ("three-way", "syn", "accepts_without_third_segment", "RFC 9293 §3.10.7.2"),
        ("why-not-two", "nothing", "accept_before_third", "RFC 9293 §3.5"),
        ("four-way", "fin", "fin_not_counted", "RFC 9293 §3.4"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_broken_server_is_said_to_be_wrong(
    take: Take,
    broken: Callable[[str], tuple[str, str]],
    name: str,
    step: str,
    breakage: str,
    rule: str,
    language: str,
) -> None:
    with take(name, language, served_by=broken(breakage)) as pupil:
        pupil.comes_to(step)
        said = bare(pupil.types(*(line.format(**pupil.walk.known()) for line in pupil.walk.stage.types)))
        blamed = {"en": "Thisistheserver'sfaultandnotyours:", "zh": "这是服务器的错，不是你的错："}[language]
        assert blamed in said
        assert bare(rule) in said.partition(blamed)[2]
        right = load(name, language).texts.own.get(f"right.{step}", "")
        assert beginning(right) not in said, "what is right is not said of a server that is wrong"
        assert pupil.walk.violated
        assert pupil.ends().verdict is Verdict.VIOLATES
