"""The game without Nagle's algorithm, against a server whose program has left it on (RFC 9293 §3.7.4)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

NAGLE = """
import socket

plain = socket.socket.setsockopt


def setsockopt(self, level, option, *value):
    if (level, option) != (socket.IPPROTO_TCP, socket.TCP_NODELAY):
        plain(self, level, option, *value)


socket.socket.setsockopt = setsockopt
"""
"""No program of this Python can switch it off."""


def test_a_server_that_leaves_nagles_algorithm_on_is_found_out(tmp_path: Path, sandbox_works: None) -> None:
    (tmp_path / "sitecustomize.py").write_text(NAGLE)
    command = [sys.executable, "-m", "lab", "run", "game_without_nagle", "--json", "--out", str(tmp_path / "out")]
    for path, verdict in ((os.environ.get("PYTHONPATH", ""), "conforms"), (str(tmp_path), "violates")):
        home = str(Path(__file__).parents[2])
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (path, home)))}
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)
        played = json.loads(run.stdout)["scenarios"]
        assert [one["verdict"] for one in played] == [verdict] * 2, run.stdout[-3000:]
    assert {one["problems"][0]["field"] for one in played} == {"payload"}
    assert "several small segments" in run.stdout
