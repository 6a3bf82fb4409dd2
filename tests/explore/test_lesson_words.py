"""Answers however they are spelled, texts as wide as they look, and the language that a lesson is told in."""

from __future__ import annotations

import pytest

from lab.explore.lessons.language import language
from lab.explore.lessons.occasion import normal
from lab.report.text import ASCII, UNICODE, columns, plain
from lab.report.wide import wrapped
from lab.scenario.errors import UsageError


@pytest.mark.parametrize(
    ("given", "means"),
    [
        ("2", "2"),
        ("２", "2"),
        ("two", "2"),
        ("Layer two", "2"),
        ("the 2nd layer", "2"),
        ("L2", "2"),
        ("layer2", "2"),
        ("第二层", "2"),
        ("第 2 层。", "2"),
        ("两", "2"),
        ("none", "0"),
        ("没有", "0"),
        ("十", "10"),
        ("二十", "20"),
        ("二十四个字节", "24"),
        ("24 octets.", "24"),
        ("twenty-four", "24"),
        ("1,234", "1234"),
        ("y + 1", "y+1"),
        ("Y+1", "y+1"),
        ("ｙ＋１", "y+1"),
        ("y plus 1", "y+1"),
        ("1 + y", "y+1"),
        ("0x18", "24"),
        ("6 words", "6"),
        ("`y+1`", "y+1"),
        ("SYN_RECEIVED", "synreceived"),
        ("syn-received", "synreceived"),
        ("the data link layer", "datalink"),
        ("Data Link", "datalink"),
        ("application", "application"),
        ("network", "network"),
        ("应用层", "应用"),
        ("the server", "server"),
        ("no", "no"),
    ],
)
def test_an_answer_is_read_as_it_is_meant(given: str, means: str) -> None:
    assert normal(given) == means


def test_other_answers_stay_apart() -> None:
    assert len({normal(word) for word in ("x+1", "y+1", "1", "2", "20", "24", "lab", "server", "3", "ten")}) == 10


# Width


def test_a_chinese_character_takes_two_columns() -> None:
    assert columns("三次握手") == 8
    assert columns("SYN，") == 5


@pytest.mark.parametrize("width", [60, 61, 72, 80])
def test_no_line_is_wider_than_it_may_be(width: int) -> None:
    text = "服务器应答 SYN+ACK seq=y ack=x+1，处于 SYN-RECEIVED（同步已收到），输入 `server close` 可以关闭。" * 3
    lines = plain(wrapped(text, width, glyphs=UNICODE, first="✓ ")).split("\n")
    assert len(lines) > 3
    assert all(columns(line) <= width for line in lines)
    assert max(map(columns, lines)) >= width - 12
    assert all(line.startswith("  ") for line in lines[1:])
    # The blanks at which lines were broken are gone, and nothing else.
    assert "".join(lines).replace(" ", "") == "✓" + text.replace(" ", "")


def test_no_line_begins_with_a_closing_mark_or_ends_with_an_opening_one() -> None:
    text = "甲乙丙丁，（戊己）。" * 20
    for width in range(20, 40):
        for line in plain(wrapped(text, width, glyphs=UNICODE)).split("\n"):
            assert line[0] not in "，）。", (width, line)
            assert line[-1] != "（", (width, line)


def test_what_is_to_be_typed_stays_whole() -> None:
    typed = '`replay TCP(flags="S", seq=x-10)`'
    for width in range(len(typed), 60):
        assert any(typed in line for line in plain(wrapped(f"type {typed} here", width, glyphs=UNICODE)).split("\n"))


def test_a_word_longer_than_a_line_is_cut() -> None:
    lines = plain(wrapped("a " + "b" * 50, 20, glyphs=UNICODE)).split("\n")
    assert "".join(lines).replace("a", "") == "b" * 50
    assert all(len(line) <= 20 for line in lines)


def test_paragraphs_and_their_items_stand_apart() -> None:
    assert plain(wrapped("one\n- two three four five six\n- seven", 18, glyphs=UNICODE)).split("\n") == [
        "one",
        "- two three four",
        "  five six",
        "- seven",
    ]


def test_without_unicode_nothing_gets_wider() -> None:
    text = "see RFC 9293 §3.10.7.4 § § § § and so on – to the end … of it"
    lines = plain(wrapped(text, 30, glyphs=ASCII)).split("\n")
    assert all(len(line) <= 30 and line.isascii() for line in lines)
    assert lines[0].startswith("see RFC 9293 sec. 3.10.7.4")


# Language


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
    ],
)
def test_the_locale_says_the_language(environ: dict[str, str], told: str) -> None:
    assert language(None, environ, "utf-8") == (told, "")


def test_what_is_asked_for_weighs_more_than_the_locale() -> None:
    assert language("en", {"LANG": "zh_CN.UTF-8"}, "utf-8") == ("en", "")
    assert language("zh", {}, "UTF-8") == ("zh", "")


def test_a_terminal_without_chinese_gets_english_and_a_sentence() -> None:
    spoken, instead = language("zh", {}, "ascii")
    assert spoken == "en"
    assert instead == "This terminal's encoding, ascii, has no Chinese characters, so the lesson is told in English."
    assert language("en", {}, "ascii") == ("en", "")


def test_another_language_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="--lang: the lessons are told in en and zh, not in fr"):
        language("fr", {}, "utf-8")
