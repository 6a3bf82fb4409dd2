"""Where the benchmark runs: the sandbox, a program in it that closes when its client has, and the other clients."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import lab
from lab.bench.errors import BenchError
from lab.scenario.bench import Family
from lab.testbed.errors import CannotRun
from lab.testbed.sandbox import Sandbox, Sandboxes

START_WITHIN: Final = 30.0
"""Seconds that a helper has to come up; Scapy takes its time."""
GRACE: Final = 30.0
"""Seconds beyond its turn after which a helper that says nothing counts as gone."""
SETTLE_WITHIN: Final = 2.0
"""Seconds that the server's kernel has after a turn to end the last connection."""

# Like the sandbox's own: nothing in the lab's folder, or in the current one, may hide a module of Python's.
_START: Final = """\
import json, sys, socket
sys.path.insert(0, sys.argv[1])
import lab
del sys.path[0]
from lab.bench.roles import main
main(sys.argv[2], socket.socket(fileno=int(sys.argv[3])), int(sys.argv[4]), json.loads(sys.argv[5]))
"""


class Helper:
    """One process of `lab.bench.roles`. Closing it ends it and waits for its end."""

    def __init__(self, role: str) -> None:
        """Nothing is started yet: whoever makes it sees to its end first, since a signal may come at any time."""
        self.role = role
        self._process: subprocess.Popen[bytes] | None = None
        self._socket, self._theirs = socket.socketpair()
        self._lines = self._socket.makefile("rb")

    def start(self, order: dict[str, Any], passed: tuple[int, ...] = ()) -> None:
        """Start it; see `ready`. `passed` are file descriptors that it inherits. Raises CannotRun."""
        with self._theirs as theirs:
            command = [sys.executable, "-P", "-c", _START, str(Path(lab.__file__).parent.parent), self.role]
            try:
                self._process = subprocess.Popen(
                    [*command, str(theirs.fileno()), str(os.getpid()), json.dumps(order)],
                    pass_fds=[theirs.fileno(), *passed],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    process_group=0,  # Ctrl-C is for the benchmark, which then ends it
                )
            except OSError as error:
                raise CannotRun(
                    f"The benchmark cannot start a helper process ({error.strerror}).", "See whether Python can be run."
                ) from error

    def ready(self) -> dict[str, Any]:
        """Wait until it is ready; its facts. Raises CannotRun where the system forbids what it needs."""
        message = self._receive(START_WITHIN)
        if "ready" in message:
            return dict(message["ready"])
        raise CannotRun(
            f"The benchmark cannot set up its {self.role} side ({message.get('obstacle', 'it said nothing')}).",
            "Try as root.",
        )

    @property
    def pid(self) -> int:
        """Its process's number; 0 before it is started."""
        return self._process.pid if self._process is not None else 0

    def ask(self, request: dict[str, Any], patience: float = 0.0) -> dict[str, Any]:
        """Ask, and wait for the answer, `patience` + GRACE seconds at most. Raises BenchError."""
        with contextlib.suppress(OSError):  # it may have said why before it went
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        answer = self._receive(patience + GRACE)
        if "obstacle" in answer:
            raise BenchError(f"{self.role}: something was not whole ({answer['obstacle']})")
        return answer

    def _receive(self, timeout: float) -> dict[str, Any]:
        self._socket.settimeout(timeout)
        try:
            line = self._lines.readline()
        except OSError as error:
            raise BenchError(f"the benchmark's {self.role} process does not answer ({error})") from error
        if not line:
            raise BenchError(f"the benchmark's {self.role} process ended in the middle")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """End it, at once. A second time it does nothing."""
        self._lines.close()
        self._socket.close()
        self._theirs.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Ground:
    """The sandbox with its helpers, from `with` to its end."""

    def __init__(self, family: Family) -> None:
        """Nothing is started yet."""
        self.family: Family = family
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Raises CannotRun where the system forbids it."""
        with self._open as stack:
            sandboxes = stack.enter_context(Sandboxes())
            self.sandbox: Sandbox = stack.enter_context(sandboxes.make(websocket=True))
            if self.sandbox.server_address(self.family) is None:
                raise CannotRun("This kernel has no IPv6.", "Measure over IPv4: without --ipv6.")
            order = {"family": self.family, "pid": self.sandbox.facts["pid"]}
            self.server = self._helper(stack, "server", order)
            self.port = int(self.server.ready()["port"])
            order["port"] = self.port
            link = self.sandbox.link.fileno()
            self.kernel = self._helper(stack, "kernel", order)
            self.sr1 = self._helper(stack, "sr1", {**order, "link": link}, (link,))
            self.kernel.ready()
            assert self.sandbox.agent is not None
            self.websocket = int(self.sandbox.agent.services()["websocket"])
            # In the namespace that the kernel's client has made, behind its veth pair.
            self.by_websockets = self._helper(
                stack, "websockets", {**order, "pid": self.kernel.pid, "port": self.websocket}
            )
            self.sr1.ready()
            self.by_websockets.ready()
            self._open = stack.pop_all()
        return self

    @staticmethod
    def _helper(stack: contextlib.ExitStack, role: str, order: dict[str, Any], passed: tuple[int, ...] = ()) -> Helper:
        helper = Helper(role)
        stack.callback(helper.close)
        helper.start(order, passed)
        return helper

    def counts(self) -> dict[str, int]:
        """What the server's program and its kernel have counted so far, once no connection is left there."""
        return {k: int(v) for k, v in self.server.ask({"within": SETTLE_WITHIN}, SETTLE_WITHIN).items()}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()
