"""Programs that a test starts and that go on: whatever becomes of the test, they end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect

import lab

ROOT = Path(lab.__file__).parent.parent
"""For PYTHONPATH, where the lab is not installed."""


@contextlib.contextmanager
def running(command: list[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    """The program, until the block ends: killed where it then still runs. `Popen` by itself would wait for it, for
    ever where an assertion in the block has failed before the program was told to end.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more) as process:
        try:
            yield process
        finally:
            process.kill()  # nothing to one that has ended and was waited for


class Serving:
    """A server in a process of its own, that says as JSON, on its first line, where it serves."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.said: Any = json.loads(process.stdout.readline())

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Its exit code, and what it said on standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors


@contextlib.contextmanager
def serving(code: str) -> Iterator[Serving]:
    """A server of this code, which must end well when it is told to, if the block has not ended it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running([sys.executable, "-W", "error", "-c", code], env=environment) as process:
        one = Serving(process)
        yield one
        assert process.returncode is not None or one.end() == (0, "")


def killed(child: pexpect.spawn) -> None:
    """End it, however long a busy machine takes over a process that was killed: pexpect waits a tenth of a second."""
    try:
        child.close(force=True)
    except pexpect.ExceptionPexpect:
        os.waitpid(child.pid, 0)
