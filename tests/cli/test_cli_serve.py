"""`lab serve`: its words; the server itself is tried where it lives."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from processes import ROOT, running

START = [sys.executable, "-c", "from lab.cli import main; main()", "serve"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--service", "echo"], "--service: echo is not NAME=PORT (such as echo=7007)"),
        (["--service", "echo=70000"], "--service: echo=70000 is not NAME=PORT (such as echo=7007)"),
        (["--control", "7000"], "--control: 7000 is not HOST:PORT (such as 192.0.2.1:80 or [2001:db8::1]:80)"),
        (["--control", "127.0.0.1:0"], "--control needs the token that the agent obeys: LAB_TOKEN or --token-file"),
    ],
)
def test_wrong_usage(words: list[str], says: str, lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAB_TOKEN", "LAB_TOKEN_FILE", "LAB_CONTROL"):
        monkeypatch.delenv(name, raising=False)
    done = lab("serve", *words)
    assert (done.exit_code, done.stderr) == (2, f"lab: {says}\n")


def test_a_service_that_does_not_exist_is_told(lab) -> None:
    done = lab("serve", "--service", "moon=0")
    assert done.exit_code == 2
    assert done.stderr == (
        "lab: --service: there is no service moon: there are echo, discard, half-close, close-first, websocket\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    words = ["--service", "echo=0", "--control", "127.0.0.1:0", "--token-file", str(token)]
    with running([*START, *words], env={**os.environ, "PYTHONPATH": str(ROOT)}) as server:
        assert server.stdout is not None
        echo, agent, ready = (server.stdout.readline().split() for _ in range(3))
        assert (echo[:2], " ".join(ready)) == (
            ["echo", "port"],
            "serving on every address of this machine until Ctrl-C",
        )
        with socket.create_connection(("127.0.0.1", int(echo[2])), 5) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        host, _, port = agent[1].rpartition(":")
        with socket.create_connection((host, int(port)), 5):
            pass
        server.send_signal(number)
        out, err = server.communicate(timeout=10)
    assert (server.returncode, out, err) == (0, "", "")
