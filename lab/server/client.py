"""The controller's end of a control connection: a small synchronous client, a method per call."""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Final, Self

from lab.server import protocol
from lab.server.protocol import VERSION, octets
from lab.tcp.state import State

GRACE: Final = 10.0
"""Seconds beyond a call's own timeout after which an agent that has not answered counts as gone."""
TIMEOUT: Final = 5.0
"""Seconds that calls wait where nothing else is said."""

OptionValue = int | str | list[int]
Options = Mapping[str, OptionValue]


class AgentError(Exception):
    """The agent refused a call, or the kernel did."""

    def __init__(self, kind: str, errno: str | None, message: str) -> None:
        """`kind` is one of `lab.server.protocol.ErrorKind`; `errno` the kernel's name for it, such as ECONNRESET."""
        super().__init__(f"{message} ({errno})" if errno else message)
        self.kind = kind
        self.errno = errno
        self.message = message


class AgentGone(Exception):
    """The agent cannot be reached any more: its connection ended, or it does not answer. One sentence."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A connection that the server's program took from its listener."""

    socket: int
    address: str
    port: int
    """The caller's port."""


@dataclass(frozen=True, slots=True)
class Program:
    """What the WebSocket service's program has of one of its connections."""

    path: str
    """The request's target: path and query."""
    messages: int
    """Whole messages that it was given."""
    open: bool
    code: int | None
    """The close code that it was told: 1005 none came, 1006 no Close came (RFC 6455 §7.1.5); None: still open."""
    reason: str
    """The close reason (RFC 6455 §7.1.6)."""
    dropped: str
    """Why the program itself let go of the connection without a closing handshake; empty where it did not."""


class Pending:
    """A call that has been made and not yet answered."""

    def __init__(self, agent: Agent, number: int, call: str, patience: float) -> None:
        self._agent = agent
        self._number = number
        self._call = call
        self._until = time.monotonic() + patience

    def result(self) -> dict[str, Any]:
        """Wait for the answer and take it, once. Raises AgentError or AgentGone."""
        return self._agent._take(self._number, self._call, self._until)


class Agent:
    """An agent, reached over a connected stream socket, which it then owns. Says `hello` at once.

    Every method raises AgentError where the agent or its kernel refuses, AgentGone where it is no longer there.
    Threads may share it; use `begin` to have several calls wait at once in one thread.
    """

    def __init__(self, sock: socket.socket, token: str | None = None) -> None:
        """Raises AgentError (kinds "version", "token") where the agent does not obey; the socket is closed then."""
        self._socket = sock
        self._token = token
        self._lock = threading.Lock()
        self._buffer = b""
        self._answers: dict[int, dict[str, Any]] = {}
        self._number = 0
        self._gone: str | None = None
        try:
            sock.setblocking(True)
            self.hello: dict[str, Any] = self.call("hello", version=VERSION, token=token)
        except BaseException:
            sock.close()
            raise

    @classmethod
    def connect(cls, host: str, port: int, token: str | None = None, *, timeout: float = TIMEOUT) -> Agent:
        """Reach the agent on a control port. Raises AgentGone where nobody is there, AgentError for a wrong token."""
        try:
            sock = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise AgentGone(
                f"no agent answers on {host} port {port} ({error.strerror or error}): is `lab serve` running there?"
            ) from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock, token)

    @property
    def kernel(self) -> str:
        """The server's kernel."""
        return str(self.hello.get("kernel", ""))

    @property
    def addresses(self) -> dict[str, str | None]:
        """The server's addresses by family."""
        return {family: self.hello.get("addresses", {}).get(family) for family in protocol.FAMILIES}

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the server's kernel, as they were at `hello`."""
        return dict(self.hello.get("settings", {}))

    @property
    def raw(self) -> bool:
        """Whether the server is a stack written by hand instead of a kernel."""
        return bool(self.hello.get("raw", False))

    # The calls.

    def listen(
        self, family: str, port: int = 0, *, backlog: int = 16, options: Options | None = None
    ) -> tuple[int, int]:
        """Listen on a port (0: the kernel chooses). Returns socket and port."""
        answer = self.call("listen", family=family, port=port, backlog=backlog, options=dict(options or {}))
        return answer["socket"], answer["port"]

    def connect_to(
        self, family: str, address: str, port: int, *, local_port: int = 0, options: Options | None = None
    ) -> tuple[int, int]:
        """Begin to connect: returns socket and own port as soon as the SYN is out."""
        answer = self.call(
            "connect", family=family, address=address, port=port, local_port=local_port, options=dict(options or {})
        )
        return answer["socket"], answer["port"]

    def connected(self, sock: int, timeout: float = TIMEOUT) -> None:
        """Wait until a connection begun by `connect_to` stands. AgentError says how it failed (ECONNREFUSED …)."""
        self.call("connected", timeout, socket=sock, timeout=timeout)

    def accept(self, sock: int, timeout: float = TIMEOUT) -> Accepted:
        """Take a connection from a listener. `timeout` 0: only one that is there now."""
        answer = self.call("accept", timeout, socket=sock, timeout=timeout)
        return Accepted(answer["socket"], answer["address"], answer["port"])

    def send(self, sock: int, data: bytes, timeout: float = TIMEOUT) -> int:
        """Hand octets (at most `protocol.MAX_DATA`) to the kernel. Returns how many it took in time."""
        return int(self.call("send", timeout, socket=sock, data=octets(data), timeout=timeout)["sent"])

    def receive(self, sock: int, size: int = 65536, timeout: float = TIMEOUT) -> tuple[bytes, bool]:
        """What is there to read, at most `size` octets, and whether the peer's FIN was reached (then b"", True)."""
        answer = self.call("receive", timeout, socket=sock, size=size, timeout=timeout)
        return base64.b64decode(answer["data"]), bool(answer["end"])

    def shutdown(self, sock: int, how: str = "write") -> None:
        """End one direction or both: "write" sends FIN, "read", "both"."""
        self.call("shutdown", socket=sock, how=how)

    def close(self, sock: int) -> None:
        """Close a socket as a program does."""
        self.call("close", socket=sock)

    def abort(self, sock: int) -> None:
        """Close a socket with a RST (RFC 9293 §3.10.5)."""
        self.call("abort", socket=sock)

    def set(self, sock: int, option: str, value: OptionValue) -> None:
        """Set a socket option by name."""
        self.call("set", socket=sock, option=option, value=value)

    def get(self, sock: int, option: str) -> Any:
        """A socket option by name; `TCP_INFO` as a dict of its fields."""
        return self.call("get", socket=sock, option=option)["value"]

    def state(self, family: str, local: tuple[str, int], remote: tuple[str, int]) -> State:
        """The state of the connection between the server's `local` and `remote`, as its kernel has it."""
        return State(self.call("state", family=family, local=local, remote=remote, info=False)["state"])

    def state_and_info(
        self, family: str, local: tuple[str, int], remote: tuple[str, int]
    ) -> tuple[State, dict[str, int] | None]:
        """State and, where the kernel keeps it in that state, `struct tcp_info` by name."""
        answer = self.call("state", family=family, local=local, remote=remote, info=True)
        return State(answer["state"]), answer["info"]

    def closed_port(self, family: str) -> int:
        """A port on which nothing listens, and nothing will as long as this connection lasts."""
        return int(self.call("closed_port", family=family)["port"])

    def ping(self) -> None:
        """Ask whether it is there."""
        self.call("ping")

    def services(self) -> dict[str, int]:
        """The ports of the services that need no telling; started now where they did not run yet."""
        return dict(self.call("services"))

    def program(self, family: str, remote: tuple[str, int], timeout: float = TIMEOUT) -> Program:
        """What the WebSocket service's program has of its connection from `remote` (address and port).

        Waits until the connection has ended for it, `timeout` seconds at most; then, or with 0, tells it as it stands.
        AgentError: there was none ("timeout"), or the program is not the lab's and does not say ("unknown").
        """
        answer = self.call("program", timeout, family=family, remote=remote, timeout=timeout)
        return Program(**{each.name: answer[each.name] for each in fields(Program)})

    def faults(self) -> list[str]:
        """What a program of the user's that serves WebSocket has raised, the first few: "ValueError: oops (f.py:3)"."""
        return list(self.call("faults")["faults"])

    # How calls are made.

    def call(self, name: str, patience: float = 0.0, /, **arguments: Any) -> dict[str, Any]:
        """Make a call of the protocol and wait for its answer, `patience` + GRACE seconds at most."""
        return self.begin(name, patience, **arguments).result()

    def begin(self, name: str, patience: float = 0.0, /, **arguments: Any) -> Pending:
        """Make a call and do not wait for its answer."""
        with self._lock:
            if self._gone is not None:
                raise AgentGone(self._gone)
            self._number += 1
            number = self._number
            line = protocol.encode({"id": number, "call": name, **arguments})
            self._socket.settimeout(GRACE)
            try:
                self._socket.sendall(line)
            except OSError as error:
                # It may have said why before it went: then that is the answer.
                if not self._read_last_words(number):
                    raise self._lost(f"the agent's connection ended ({error.strerror or error})") from error
        return Pending(self, number, name, patience + GRACE)

    def _take(self, number: int, call: str, until: float) -> dict[str, Any]:
        while True:
            with self._lock:
                answer = self._answers.pop(number, None)
                if answer is None:
                    self._read(call, until)
                    answer = self._answers.pop(number, None)
            if answer is not None:
                break
        error = answer.get("error")
        if error is not None:
            raise AgentError(str(error.get("kind")), error.get("errno"), str(error.get("message")))
        result = answer.get("ok")
        if not isinstance(result, dict):
            raise self._lost("the agent answered in no way that its protocol knows")
        return result

    def _read(self, call: str, until: float) -> None:
        """Read once, and keep the answers that came."""
        if self._gone is not None:
            raise AgentGone(self._gone)
        left = until - time.monotonic()
        if left <= 0:
            raise self._lost(f"the agent does not answer ({call})")
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(1 << 18)
        except TimeoutError:
            raise self._lost(f"the agent does not answer ({call})") from None
        except OSError as error:
            raise self._lost(f"the agent's connection ended ({error.strerror or error})") from error
        if not data:
            raise self._lost("the agent's connection ended: its process is gone")
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._keep(line)

    def _keep(self, line: bytes) -> None:
        try:
            answer = json.loads(line)
            number = answer["id"]
        except (ValueError, TypeError, KeyError):
            raise self._lost("the agent answered in no way that its protocol knows") from None
        if number is None:  # it sends us away, whichever request it was
            error = answer.get("error") or {}
            raise AgentError(str(error.get("kind")), error.get("errno"), str(error.get("message")))
        self._answers[number] = answer

    def _read_last_words(self, number: int) -> bool:
        with contextlib.suppress(AgentGone):
            while number not in self._answers:
                self._read("", time.monotonic() + 0.1)
        return number in self._answers

    def _lost(self, why: str) -> AgentGone:
        self._gone = why
        return AgentGone(why)

    @property
    def alive(self) -> bool:
        """Whether its connection still stands, without asking it anything."""
        if self._gone is not None or self._socket.fileno() < 0:
            return False
        with self._lock:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            if not poll.poll(0):
                return True
            try:
                return bool(self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
            except OSError:
                return False

    def disconnect(self) -> None:
        """End the connection: the agent closes all that was opened over it. A second time it does nothing."""
        self._gone = self._gone or "this connection to the agent has been closed"
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.disconnect()
