"""`lab explore` from a pipe and a file: the same ladder as at the prompt, and an exit code as of `lab run`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from terminal import environment

pytestmark = pytest.mark.usefixtures("sandbox_works")
BROKEN = Path(__file__).parent.parent / "broken"
SCRIPT = "syn\nack\nserver accept\nfin\n"


def explore(*words: str, typed: str | bytes = "", out: Path, **more: str) -> subprocess.CompletedProcess[str]:
    data = typed if isinstance(typed, bytes) else typed.encode()
    command = [sys.executable, "-m", "lab", "explore", "--seed", "1", "--out", str(out), *words]
    done = subprocess.run(command, input=data, capture_output=True, env=environment(**more), timeout=60)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def ladder(text: str) -> list[str]:
    """The rungs, without their times, nor what a kernel's moment decides."""
    lines = [line for line in text.splitlines() if "│" in line and "delayed ACK" not in line]
    return [re.sub(r"^ *[\d.]+ [mµ]?s", "", line) for line in lines]


RUNGS = ["── SYN      seq 0", "◄─ SYN+ACK  seq 0   ack 1", "── ACK      seq 1   ack 1", "accept() ●",
         "── FIN+ACK  seq 1   ack 1", "◄─ ACK      seq 1   ack 2"]  # fmt: skip


def test_a_pipe(tmp_path: Path) -> None:
    done = explore(typed=SCRIPT, out=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    rungs = "\n".join(ladder(done.stdout))
    places = [rungs.index(rung) for rung in RUNGS]
    assert places == sorted(places)
    assert "✓ conforms  4 steps, 5 packets" in done.stdout
    assert "\x1b[" not in done.stdout
    assert (tmp_path / "explore-ipv4.pcapng").exists()


def test_a_file_and_a_pipe_show_the_same(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    shown = [ladder(explore(*words, typed=SCRIPT, out=tmp_path).stdout) for words in ((), ("--script", str(script)))]
    assert shown[0] == shown[1]
    assert len(shown[0]) > len(RUNGS)


def test_an_echo_is_owed_where_it_was_promised(tmp_path: Path) -> None:
    typed = 'ws open\nack\nws text "hello"\nack\nws close 1000\nack\n'
    broken = f"{BROKEN / 'websocket_servers.py'}:broken_text_comes_back_binary"
    assert explore("--served-by", broken, typed=typed, out=tmp_path).returncode == 0
    done = explore("--served-by", broken, "--echo", typed=typed, out=tmp_path)
    assert done.returncode == 1
    assert 'expected TEXT "hello"    observed BINARY 0x68656c6c6f' in done.stdout
    assert "✗ violates" in done.stdout
    assert explore(typed=typed, out=tmp_path).returncode == 0, "the lab's own server echoes"


def test_brief_leaves_the_ladder(tmp_path: Path) -> None:
    whole, brief = explore(typed=SCRIPT, out=tmp_path), explore("--brief", typed=SCRIPT, out=tmp_path)
    assert ladder(whole.stdout) == ladder(brief.stdout)
    assert "legal now" in whole.stdout
    assert "legal now" not in brief.stdout


@pytest.mark.parametrize(
    "typed",
    [
        SCRIPT.rstrip("\n"),
        SCRIPT.replace("\n", "\r\n"),
        "\ufeff" + SCRIPT,
        "# a comment\n\n  " + SCRIPT.replace("\n", "\n  # another\n\n"),
        SCRIPT + "quit\nthis is not read any more\n",
    ],
    ids=["no-newline-at-the-end", "crlf", "byte-order-mark", "comments", "quit"],
)
def test_scripts_of_every_kind(tmp_path: Path, typed: str) -> None:
    done = explore(typed=typed, out=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ conforms  4 steps, 5 packets" in done.stdout


@pytest.mark.parametrize("typed", ["", "\n\n", "# syn\n"])
def test_a_script_without_a_command(tmp_path: Path, typed: str) -> None:
    done = explore(typed=typed, out=tmp_path)
    assert done.returncode == 2
    assert "standard input has no command: write one a line, as in `echo syn | lab explore`" in said(done.stderr)
    script = tmp_path / "script"
    script.write_text(typed)
    done = explore("--script", str(script), out=tmp_path)
    assert done.returncode == 2
    assert f"{script} has no command" in said(done.stderr)


def said(text: str) -> str:
    """What was said, however the lines were broken."""
    return " ".join(text.split())


@pytest.mark.parametrize("typed", [b"\x7fELF\x00\x01\xff\xfe", b"\xff\xfe\xfd", b"syn\n\x00\n"])
def test_what_is_no_text(tmp_path: Path, typed: bytes) -> None:
    done = explore(typed=typed, out=tmp_path)
    assert done.returncode == 2
    assert "is no text" in done.stderr
    script = tmp_path / "script"
    script.write_bytes(typed)
    done = explore("--script", str(script), out=tmp_path)
    assert done.returncode == 2
    assert str(script) in done.stderr


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("syn\nsnd\nack\n", "standard input:2: there is no command snd: did you mean `send`?"),
        ("# one\nack\n", "standard input:2: there is no connection to acknowledge"),
        ('syn\nsend TCP(flags="S"\n', "standard input:2: "),
    ],
)
def test_a_line_that_cannot_be_done_ends_it_with_2(tmp_path: Path, typed: str, says: str) -> None:
    done = explore(typed=typed, out=tmp_path)
    assert done.returncode == 2
    assert says in said(done.stdout)
    assert "Traceback" not in done.stderr


def test_what_a_script_left_undone_is_said_last(tmp_path: Path) -> None:
    done = explore(typed="syn\n\nackk\n# and then\nack\nfin\n", out=tmp_path)
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == "! stopped at line 3 of standard input: 2 lines behind it not done"
    done = explore(typed="syn\nackk\n", out=tmp_path)
    assert done.stdout.splitlines()[-1] == "! stopped at line 2 of standard input"


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    done = explore("--script", str(tmp_path / "none"), out=tmp_path)
    assert done.returncode == 2
    assert "no such file" in done.stderr


def test_a_violation_weighs_more_than_a_line_that_could_not_be_done(tmp_path: Path) -> None:
    server = f"{BROKEN / 'broken_servers.py'}:broken_syn_ack_acks_x"
    done = explore("--served-by", server, typed="syn\nxyzzy\n", out=tmp_path)
    assert "stopped at line 2" in done.stdout
    assert done.returncode == 1


def test_a_server_that_is_wrong_is_1(tmp_path: Path) -> None:
    done = explore("--served-by", f"{BROKEN / 'broken_servers.py'}:broken_syn_ack_acks_x", typed="syn\n", out=tmp_path)
    assert done.returncode == 1
    assert "✗ violates" in done.stdout
    assert "RFC 9293 §3.10.7.2" in done.stdout


def test_a_server_of_which_nothing_is_heard_is_3(tmp_path: Path) -> None:
    done = explore(typed="lose next\nsyn\n", out=tmp_path)
    assert done.returncode == 3
    assert "the server sent nothing at all" in " ".join(done.stdout.split())


def test_json(tmp_path: Path) -> None:
    done = explore("--json", typed=SCRIPT, out=tmp_path)
    assert done.returncode == 0
    document: Any = json.loads(done.stdout)
    [result] = document["scenarios"]
    assert result["verdict"] == "conforms"
    flags = [entry["flags"] for entry in result["timeline"] if entry["kind"] == "packet"]
    assert flags == [["SYN"], ["SYN", "ACK"], ["ACK"], ["FIN", "ACK"], ["ACK"]]
    assert "✓ conforms" in done.stderr


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    script = "syn\nack\n" + "states\nlegal\n" * 200
    command = f"{sys.executable} -m lab explore --seed 1 --out {tmp_path} | head -3; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], input=script.encode(), capture_output=True, env=environment())
    assert b"Traceback" not in done.stderr
    assert b"Error" not in done.stderr
    code = int(done.stdout.split()[-1])
    assert code not in (0, 1), "nobody has read the verdict"


def test_restart_begins_anew_and_each_is_kept(tmp_path: Path) -> None:
    done = explore(typed="syn\nrestart\nsyn\nack\n", out=tmp_path)
    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.glob("*.pcapng")) == ["explore-2-ipv4.pcapng", "explore-ipv4.pcapng"]
    assert done.stdout.count("✓ conforms") == 2


def test_over_ipv6(tmp_path: Path) -> None:
    done = explore("--ipv6", typed=SCRIPT, out=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "explore-ipv6.pcapng").exists()


def test_ascii_in_a_pipe(tmp_path: Path) -> None:
    done = explore(typed=SCRIPT, out=tmp_path, LANG="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert done.returncode == 0
    assert done.stdout.isascii()
