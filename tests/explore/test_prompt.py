"""`lab explore` at a terminal: typed, completed, interrupted, resized, and drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from terminal import CTRL_C, CTRL_D, TAB, UP, Terminal, at_prompt, held_against, terminal

Begin = Callable[..., Terminal]
pytestmark = pytest.mark.usefixtures("sandbox_works")


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """`lab explore` in a terminal, as soon as its prompt waits."""
    with ExitStack() as all_of_them:

        def start(*words: str, **more: object) -> Terminal:
            out = ("--seed", "1", "--out", str(tmp_path))
            one = all_of_them.enter_context(terminal(*out, *words, **more))  # type: ignore[arg-type]
            one.until(at_prompt)
            return one

        yield start


def below(text: str, line: str) -> str:
    """What was shown behind the last time that a line was typed."""
    return text[text.rindex(line) :]


def test_a_session_from_the_first_key_to_the_last(begin: Begin, tmp_path: Path) -> None:
    one = begin()
    assert "You are the client" in one.text
    one.does("syn", "SYN+ACK  seq 0   ack 1")
    one.does("ack", "ACK      seq 1   ack 1")
    one.does("server accept", "accept() ●")
    one.does("fin", "FIN+ACK  seq 1   ack 1")
    one.types(CTRL_D)
    assert one.ends() == 0
    assert "✓ conforms" in one.text
    assert "capture in" in one.text
    assert (tmp_path / "explore-ipv4.pcapng").exists()


def test_whoever_only_looks_in_gets_no_verdict(begin: Begin) -> None:
    one = begin()
    one.types(CTRL_D)
    assert one.ends() == 0
    assert "nothing was sent, so there is no verdict" in one.text


def test_quit(begin: Begin) -> None:
    one = begin()
    one.does("syn")
    one.types("quit\r")
    assert one.ends() == 0


def test_unknown_commands_get_a_sentence_and_the_session_goes_on(begin: Begin) -> None:
    one = begin()
    one.does("snd", "there is no command snd: did you mean `send`?")
    one.does("ack", "there is no connection to acknowledge")
    one.does("syn", "SYN+ACK")
    assert "Traceback" not in one.text


# Completion


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("sy", "syn"),
        ("server acc", "server accept"),
        ("ws te", "ws text"),
        ("predict TCPe", "predict TCPerror("),
        ('send TCP(flags="A", seq=snd_n', 'send TCP(flags="A", seq=snd_nxt'),
        ("send IPv6Ext", "send IPv6ExtHdr"),
        ("help lay", "help layers"),
        ("auto of", "auto off"),
        ("lose n", "lose next"),
    ],
)
def test_tab_completes(begin: Begin, typed: str, completed: str) -> None:
    one = begin()
    one.types(typed, TAB)
    one.until(lambda text: any(line.startswith(f"A> {completed}") for line in text.splitlines()))


def test_a_completed_command_is_done(begin: Begin) -> None:
    one = begin()
    one.types("sy", TAB)
    one.until("A> syn")
    one.types("\r")
    one.until("SYN+ACK  seq 0", at_prompt)


def test_tab_shows_what_there_is_to_choose_from(begin: Begin) -> None:
    one = begin()
    one.types("server ", TAB)
    text = one.until("listen()", "accept(): take the next connection")
    assert "recv" in text


# History


def test_the_arrow_recalls_what_was_typed_in_earlier_sessions_too(begin: Begin) -> None:
    one = begin()
    one.does("syn")
    one.does("predict fin")
    one.types(UP, UP)
    one.until("A> syn")
    one.types(CTRL_C)
    one.until(at_prompt)
    one.types(CTRL_D)
    assert one.ends() == 0
    other = begin()
    other.types(UP)
    other.until("A> predict fin")


# Interrupts


def test_ctrl_c_ends_a_wait_and_nothing_else(begin: Begin) -> None:
    one = begin()
    one.does("syn")
    one.types("wait 600\r")
    one.until("retransmission")  # after a second: the wait goes on
    one.types(CTRL_C)
    one.until("ended by Ctrl-C", at_prompt)
    one.does("ack", lambda text: "ACK      seq 1   ack 1" in below(text, "A> ack"))
    one.types(CTRL_D)
    assert one.ends() == 0


def test_ctrl_c_at_the_prompt_gives_up_what_was_typed(begin: Begin) -> None:
    one = begin()
    one.types("fin fin fin")
    one.until("A> fin fin fin")
    one.types(CTRL_C)
    one.until(at_prompt)
    one.does("syn", "SYN+ACK")
    assert "stands alone" not in one.text


# What comes by itself


def test_what_comes_meanwhile_is_drawn_above_a_half_typed_line(begin: Begin) -> None:
    one = begin()
    one.does("syn")
    one.types("server acc")
    one.until("A> server acc")
    one.until("retransmission")  # the SYN+ACK again, a second later
    text = one.until(lambda text: text.rfind("A> server acc") > text.rindex("retransmission"))
    assert text.splitlines()[-1].strip() == "A> server acc"
    one.types(TAB)
    one.until("A> server accept")


# Sizes, colours, characters


def test_a_terminal_that_is_made_smaller_and_wider(begin: Begin) -> None:
    one = begin()
    one.does("syn")
    one.resize(50, 100)
    one.does("ack")
    wide = below(one.text, "A> ack")
    assert max(map(len, wide.splitlines())) > 80
    one.resize(50, 60)
    one.does("server accept")
    narrow = below(one.text, "A> server accept")
    assert max(map(len, narrow.splitlines()[:-2])) <= 60
    assert "accept() ●│" in narrow


def test_sixty_columns(begin: Begin) -> None:
    one = begin(columns=60)
    for line in ("syn", "ack", "server accept", 'data "hello"', "fin", "why", "legal", "diagram", "layers", "states",
                 "help", "predict TCP(flags=\"SF\", seq=x+7)"):  # fmt: skip
        one.does(line)
    assert max(map(len, one.lines)) <= 60


def test_no_colour(begin: Begin) -> None:
    one = begin(NO_COLOR="1")
    one.does("syn", "SYN+ACK")
    one.types(CTRL_D)
    assert one.ends() == 0
    assert b"\x1b[36m" not in one.written
    assert b"\x1b[35m" not in one.written


def test_a_terminal_that_can_do_nothing(begin: Begin, tmp_path: Path) -> None:
    with terminal("--seed", "1", "--out", str(tmp_path), TERM="dumb") as one:
        one.until(at_prompt)
        one.types("syn\r")
        one.until("SYN+ACK  seq 0")
        one.types("quit\r")
        assert one.ends() == 0
        assert b"\x1b[36m" not in one.written


def test_ascii(begin: Begin) -> None:
    one = begin(LANG="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    one.does("syn", "SYN+ACK")
    one.does("diagram")
    one.types(CTRL_D)
    assert one.ends() == 0
    assert one.text.isascii()


# Pictures


def whole(one: Terminal) -> str:
    for line in ("syn", "ack", "server accept", 'data "hello"', "fin"):
        one.does(line)
    one.types(CTRL_D)
    assert one.ends() == 0
    text = one.text
    return text[text.index("A> syn") :]


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("characters", ["unicode", "ascii"])
def test_what_is_drawn(begin: Begin, columns: int, characters: str) -> None:
    ascii_only = {"LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"} if characters == "ascii" else {}
    one = begin(columns=columns, **ascii_only)
    held_against(f"session_{columns}_{characters}", whole(one))
