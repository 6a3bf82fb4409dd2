"""The default testbed: a server in a network namespace of its own, reached over a veth pair. Needs no root."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import lab
from lab.server.client import Agent, AgentError, AgentGone
from lab.server.settings import read_setting
from lab.testbed.base import Settle
from lab.testbed.errors import CannotRun
from lab.wire.errors import LinkError
from lab.wire.link import Link

READY_WITHIN: Final = 30.0
"""Seconds after which a sandbox that is not ready counts as impossible here."""

GOING: Final = 200
"""Milliseconds in which a process that has lost its interface is gone as well, if it is."""

# The lab's own folder is put in front only while `lab` itself is imported, so that nothing in it hides a module of
# Python's; -P keeps the current folder out for the same reason.
_START: Final = """\
import sys, socket
sys.path.insert(0, sys.argv[1])
import lab
del sys.path[0]
from lab.testbed.zygote import main
main(socket.socket(fileno=int(sys.argv[2])), int(sys.argv[3]))
"""


class Sandbox:
    """One server with its link. A `lab.testbed.base.Testbed`."""

    name: Final = "sandbox"

    def __init__(self, channel: socket.socket, facts: dict[str, Any], link: Link, pidfd: int) -> None:
        """Use `adopt`."""
        self.channel = channel
        self.facts = facts
        self.link = link
        self.agent: Agent | None = None
        self._pidfd = pidfd

    @classmethod
    def adopt(cls, channel: socket.socket, *, agent: bool = True) -> Sandbox:
        """Wait until the sandbox behind a channel from `Sandboxes.request` is ready, and take it over.

        `agent` False: its serve function does not speak the agent's protocol; use `channel`. Raises CannotRun where
        the system forbids it; the channel is closed then.
        """
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(channel.close)
            passed: list[int] = []
            on_failure.callback(_close_all, passed)
            message = _first_message(channel, passed)
            if "ready" not in message or len(passed) != 2:
                raise _explain(message.get("obstacle", {}))
            facts = message["ready"]
            packets, pidfd = passed
            try:
                passed.remove(packets)  # it is the link's from here on, or closed
                link = Link.adopt(packets, facts["interface"])
            except LinkError as error:
                if _has_ended(pidfd):  # and its interface with it
                    raise _ended() from error
                raise CannotRun(str(error), "") from error
            sandbox = cls(channel, facts, link, pidfd)
            passed.clear()
            on_failure.callback(sandbox.close)
            if agent:
                try:
                    sandbox.agent = Agent(channel)
                except (AgentGone, AgentError) as error:
                    raise CannotRun(f"The sandbox's server does not answer: {error}.", "Please report this.") from error
            on_failure.pop_all()
        return sandbox

    @property
    def settle(self) -> Settle:
        """The kernel has answered when `send` returns; a stack written by hand when it has answered a ping."""
        if not self.facts["raw"]:
            return "exact"
        return "agent" if self.agent is not None else "wait"

    @property
    def peer_mac(self) -> bytes:
        """The peer's MAC address."""
        return bytes.fromhex(self.facts["peer_mac"].replace(":", ""))

    @property
    def server_mac(self) -> bytes:
        """The server's MAC address."""
        return bytes.fromhex(self.facts["server_mac"].replace(":", ""))

    @property
    def kernel(self) -> str:
        """The kernel under test."""
        return str(self.facts["kernel"])

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the server's namespace."""
        return dict(self.facts["settings"])

    def peer_address(self, family: str) -> str | None:
        """The peer's address, which no kernel owns."""
        address: str | None = self.facts["peer_addresses"].get(family)
        return address

    def server_address(self, family: str) -> str | None:
        """The server's address."""
        address: str | None = self.facts["addresses"].get(family)
        return address

    def close(self) -> None:
        """End the server, at once; its process and namespaces go while the caller goes on.

        `Sandboxes.close` waits until they have gone. A second time it does nothing.
        """
        if self._pidfd < 0:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        _close_fd(self._pidfd)
        self._pidfd = -1
        if self.agent is not None:
            self.agent.disconnect()
        self.channel.close()
        self.link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Sandboxes:
    """Makes sandboxes. Starts its helper process at the first request, or at `start`; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Start the helper process, without waiting for it: good to do early, while the lab imports other things."""
        with self._lock:
            self._running()

    def request(
        self,
        serve: str | None = None,
        sysctls: Mapping[str, str] | None = None,
        path: Sequence[str | os.PathLike[str]] = (),
        *,
        websocket: bool = False,
    ) -> socket.socket:
        """Ask for a sandbox; returns its channel at once, for `Sandbox.adopt`.

        `serve` names a function, "module:function", that is to be the server in place of the agent: it is called with
        the channel and the sandbox's facts, on an interface for which no kernel answers. An `async def` function is the
        program of a kernel's WebSocket service instead, called with an asyncio reader and writer for each connection.
        `path` is put before sys.path to find it. `sysctls` are set in the server's namespace. `websocket` True: the
        WebSocket service will be asked for, and the helper imports what it needs. Raises CannotRun where the helper
        does not start.
        """
        request = {
            "serve": serve,
            "sysctls": {name: str(value) for name, value in (sysctls or {}).items()},
            "path": [os.fspath(each) for each in path],
            "websocket": websocket,
        }
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                with self._lock:
                    socket.send_fds(self._running(), [json.dumps(request).encode()], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise _ended() from error
            except BaseException:
                ours.close()
                raise
        return ours

    def make(
        self,
        serve: str | None = None,
        sysctls: Mapping[str, str] | None = None,
        path: Sequence[str | os.PathLike[str]] = (),
        *,
        agent: bool = True,
        websocket: bool = False,
    ) -> Sandbox:
        """A sandbox, ready. `request` and `Sandbox.adopt` in one."""
        return Sandbox.adopt(self.request(serve, sysctls, path, websocket=websocket), agent=agent)

    def _running(self) -> socket.socket:
        if self._zygote is not None and self._zygote.poll() is not None:
            self._stop()
        if self._control is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            root = str(Path(lab.__file__).parent.parent)
            try:
                self._zygote = subprocess.Popen(
                    [sys.executable, "-P", "-c", _START, root, str(theirs.fileno()), str(os.getpid())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    process_group=0,
                )
            except OSError as error:
                ours.close()
                raise CannotRun(
                    f"The lab cannot start its helper process ({error.strerror}).", "See whether Python can be run."
                ) from error
            finally:
                theirs.close()
            self._control = ours
        return self._control

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._zygote is not None:
            try:
                self._zygote.wait(5)
            except subprocess.TimeoutExpired:
                self._zygote.kill()
                self._zygote.wait()
            self._zygote = None

    def close(self) -> None:
        """End the helper process and every sandbox it made; returns when their processes are gone."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _close_all(fds: list[int]) -> None:
    for fd in fds:
        _close_fd(fd)


def _close_fd(fd: int) -> None:
    with contextlib.suppress(OSError):
        os.close(fd)


def _first_message(channel: socket.socket, passed: list[int]) -> dict[str, Any]:
    """What the sandbox says first; the descriptors that come with it are added to `passed`."""
    line = b""
    end = time.monotonic() + READY_WITHIN
    while not line.endswith(b"\n"):
        channel.settimeout(max(end - time.monotonic(), 0.001))
        try:
            data, fds, _, _ = socket.recv_fds(channel, 65536, 2, socket.MSG_CMSG_CLOEXEC)
        except TimeoutError:
            raise CannotRun(
                f"The sandbox was not ready within {READY_WITHIN:.0f} seconds.",
                "See whether the machine is overloaded.",
            ) from None
        except OSError:
            raise _ended() from None
        passed += fds
        if not data:
            raise _ended()
        line += data
    channel.settimeout(None)
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise _ended()
    return message


def _has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(GOING))


def _ended() -> CannotRun:
    return CannotRun(
        "The lab's helper process ended before the sandbox was ready.",
        "Was it killed? If not, its last words are on standard error: please report them.",
    )


_ELSEWHERE: Final = "or use a server of its own: `docker compose run --rm lab`, or `lab run --testbed host`"


def _explain(obstacle: Mapping[str, Any]) -> CannotRun:
    """What the system forbade, in one sentence, with the command that mends it where there is one."""
    step, code, reason = obstacle.get("step"), obstacle.get("errno"), obstacle.get("message", "")
    said = f"({step}: {reason})"
    if step == "setting":
        return CannotRun(f"The kernel does not take a setting of this scenario {said}.", "See its sysctls.")
    if step == "serve function":
        return CannotRun(f"The server of this sandbox cannot be loaded {said}.", "See its name and its module.")
    if step == "veth pair" and code in (errno.EOPNOTSUPP, errno.ENODEV):
        return CannotRun(
            f"This kernel has no veth interfaces {said}.", f"Load the module: `modprobe veth`, {_ELSEWHERE}."
        )
    if step == "packet socket" and code in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
        return CannotRun(
            f"This kernel has no packet sockets {said}.", f"Load the module: `modprobe af_packet`, {_ELSEWHERE}."
        )
    if step not in ("user namespace", "network namespace") or code not in (errno.EPERM, errno.EACCES, errno.ENOSPC):
        return CannotRun(f"The sandbox cannot be made {said}.", f"Try as root, {_ELSEWHERE}.")
    return CannotRun(f"This system does not let the lab make network namespaces {said}.", _permission(step))


def _permission(step: str) -> str:
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return f"Let this container make them (`--cap-add SYS_ADMIN --cap-add NET_ADMIN`), {_ELSEWHERE}."
    for name, forbids in (
        ("kernel.apparmor_restrict_unprivileged_userns", "1"),
        ("kernel.unprivileged_userns_clone", "0"),
        ("user.max_user_namespaces", "0"),
        ("user.max_net_namespaces", "0"),
    ):
        with contextlib.suppress(OSError):
            if read_setting(name) == forbids:
                allows = {"1": "0", "0": "1"}[forbids] if name.startswith("kernel") else "1000"
                return f"Run it as root, or allow it with `sudo sysctl -w {name}={allows}`, {_ELSEWHERE}."
    return f"Run it as root, {_ELSEWHERE}."
