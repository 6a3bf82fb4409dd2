"""`lab explore --lesson` as a person starts it: from a script, a pipe, a terminal; exit codes; stored transcripts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from terminal import CTRL_D, ENTER, TAB, terminal

from lab.explore.lessons import NAMES

PICTURES = Path(__file__).parent / "pictures"
BROKEN = Path(__file__).parent.parent / "broken" / "broken_servers.py"

THREE_WAY = ["syn", "answer y+1", "ack", "answer x+1", "server accept", 'data "hello"', "diagram"]
FOUR_WAY = [
    *("hint", "fin", "answer 1", "server close", 'send TCP(flags="A", ack=y+1)', "ack", "answer lab"),
    *("server close", "fin", "ack", "hint", "hint", "fin", "answer 服务器"),
]
"""With three mistakes: an ACK too low, a FIN too early, and hints."""


def lab(*arguments: str, lines: list[str], **environ: str) -> subprocess.CompletedProcess[str]:
    """`lab explore` with lines on its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "lab", "explore", *arguments],
        input="\n".join([*lines, ""]),
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "COLUMNS": "80", "NO_COLOR": "1", **environ},
        timeout=60,
        check=False,
    )


def normal(text: str) -> str:
    """A transcript without what differs from run to run."""
    text = re.sub(r"^ *[\d.]+ (ms|s) ", "    T ms ", text, flags=re.MULTILINE)
    text = re.sub(r"\b\d{7,10}\b", "N", text)
    text = re.sub(r"^ *│ +│ delayed ACK *│\n", "", text)
    text = re.sub(r"\n +│   delayed ACK +│", "", text)
    return re.sub(r"capture in\s+\S+", "capture in FILE", text)


@pytest.mark.usefixtures("sandbox_works")
def test_a_lesson_that_was_finished_ends_with_0(tmp_path: Path) -> None:
    done = lab("--lesson", "three-way", "--seed", "1", "--out", str(tmp_path), lines=THREE_WAY)
    assert done.returncode == 0, done.stderr
    assert "Finished: 7 of 7 steps." in done.stdout
    assert "Not finished" not in done.stdout
    assert done.stderr == ""


@pytest.mark.usefixtures("sandbox_works")
@pytest.mark.parametrize(("lines", "step"), [(THREE_WAY[:3], 4), (["quit"], 1), (["hint", "foo"], 0)])
def test_one_that_was_not_ends_with_3(tmp_path: Path, lines: list[str], step: int) -> None:
    done = lab("--lesson", "three-way", "--out", str(tmp_path), lines=lines)
    assert done.returncode == (3 if step else 2), "a line that cannot be done is wrong usage, as without a lesson"
    assert (f"Not finished: step {step} of 7" in done.stdout) == bool(step)


@pytest.mark.usefixtures("sandbox_works")
def test_the_language_is_that_of_the_locale(tmp_path: Path) -> None:
    script = tmp_path / "lesson.txt"
    script.write_text("syn\n", encoding="utf-8")
    common = ("--lesson", "three-way", "--script", str(script), "--out", str(tmp_path))
    done = lab(*common, lines=[], LC_ALL="zh_CN.UTF-8")
    assert done.returncode == 3
    assert "没有完成：第 2 步（共 7 步）尚未完成。" in done.stdout
    done = lab(*common, "--lang", "en", lines=[], LC_ALL="zh_CN.UTF-8")
    assert "Not finished: step 2 of 7" in done.stdout


@pytest.mark.usefixtures("sandbox_works")
def test_a_terminal_without_chinese_gets_english(tmp_path: Path) -> None:
    done = lab(
        *("--lesson", "four-way", "--lang", "zh", "--out", str(tmp_path)), lines=["where"], PYTHONIOENCODING="ascii"
    )  # fmt: skip
    assert done.stdout.startswith("! This terminal's encoding, ascii, has no Chinese characters")
    assert "Step 1 of 9: You have nothing more to say." in done.stdout
    assert done.stdout.isascii()
    assert max(len(line) for line in done.stdout.split("\n") if ".pcapng" not in line) <= 80


@pytest.mark.usefixtures("sandbox_works")
def test_a_server_that_breaks_a_rule_ends_it_with_1(tmp_path: Path) -> None:
    done = lab(
        *("--lesson", "three-way", "--served-by", f"{BROKEN}:broken_accepts_without_third_segment"),
        *("--out", str(tmp_path)),
        lines=THREE_WAY,
    )
    assert done.returncode == 1
    assert "This is the server's fault and not yours" in done.stdout


def test_the_lessons_are_listed() -> None:
    done = lab("--lesson", "list", lines=[])
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(NAMES)
    assert "三次握手：建立连接" in lab("--lesson", "list", "--lang", "zh", lines=[]).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--lesson", "threeway"], "--lesson: there is no lesson threeway: did you mean three-way?"),
        (["--lesson", "half_close"], "--lesson: there is no lesson half_close: did you mean half-close?"),
        (["--lesson", "qqq"], "--lesson: there is no lesson qqq: there are three-way, why-not-two, four-way"),
        (["--lesson", "layers", "--lang", "fr"], "--lang: the lessons are told in en and zh, not in fr"),
        (["--lang", "zh"], "--lang is for lessons"),
        (
            ["--lesson", "layers", "--testbed", "target", "--interface", "lo", "--target", "127.0.0.1:80"],
            "--lesson tells the server's program what to do: use the sandbox, or --testbed host",
        ),
    ],
)
def test_wrong_usage_is_said(arguments: list[str], says: str) -> None:
    done = lab(*arguments, lines=["syn"])
    assert done.returncode == 2
    assert says in re.sub(r"\s+", " ", done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("sandbox_works")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_transcript_is_the_stored_one(tmp_path: Path, language: str) -> None:
    """`LAB_STORE=1` stores it anew: look at the difference."""
    lines = ["answer server" if line.startswith("answer 服") and language == "en" else line for line in FOUR_WAY]
    for _ in range(5):  # on a busy machine the server may have to say something twice
        done = lab("--lesson", "four-way", "--lang", language, "--seed", "1", "--out", str(tmp_path), lines=lines)
        if "retransmission" not in done.stdout:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    picture = PICTURES / f"lesson_four_way_{language}.txt"
    if os.environ.get("LAB_STORE"):
        picture.parent.mkdir(exist_ok=True)
        picture.write_text(normal(done.stdout), encoding="utf-8")
    assert normal(done.stdout) == picture.read_text(encoding="utf-8")


@pytest.mark.usefixtures("sandbox_works")
def test_at_a_terminal(tmp_path: Path) -> None:
    """The prompt shows the step, Tab knows the lesson's commands, Ctrl-D leaves it unfinished."""
    with terminal("--lesson", "three-way", "--out", str(tmp_path)) as screen:
        screen.until("three-way 1/7>", "Step 1 of 7")
        screen.types("hin", TAB)
        screen.until("three-way 1/7> hint")
        screen.types(ENTER)
        screen.until("It carries a single control bit", lambda text: text.count("three-way 1/7>") == 2)
        screen.types("syn", ENTER)
        screen.until("Step 2 of 7", "three-way 2/7>")
        screen.types(CTRL_D)
        assert screen.ends() == 3
        assert "Not finished: step 2 of 7 is still to be done." in screen.text


def test_lessons_and_languages_are_completed() -> None:
    from lab.cli.options import complete_lang, complete_lesson

    assert complete_lesson("why") == ["why-not-two", "why-not-three"]
    assert complete_lesson("l") == ["layers", "list"]
    assert complete_lang("") == ["en", "zh"]


def test_help_reads_no_lesson() -> None:
    """`lab --help` stays as quick as it is."""
    code = (
        "import sys\nsys.argv = ['lab', '--help']\nfrom lab.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted(name for name in sys.modules if name in ('tomllib', 'scapy', 'prompt_toolkit') "
        "or name.startswith('lab.explore')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60, check=True)
    assert done.stdout.rstrip().endswith("[]")


def test_every_file_of_a_lesson_is_installed() -> None:
    """The wheel takes the folder as it is (`packages` of the build's table)."""
    folder = files("lab.explore.lessons")
    for name in NAMES:
        for path in (f"{name}.toml", f"en/{name}.toml", f"zh/{name}.toml"):
            assert folder.joinpath(*path.split("/")).is_file()
