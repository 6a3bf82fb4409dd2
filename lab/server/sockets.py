"""The calls of one controller, done on the kernel's sockets. Nothing here waits: what must wait is kept until its
socket is ready, its time is over or the controller has gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from lab.server import options, settings
from lab.server.protocol import FAMILIES, CallError, ErrorKind, Request, octets
from lab.server.sock_diag import SockDiag
from lab.server.words import Words

Result = dict[str, Any]
Answer = Callable[[Result | CallError], None]
Direction = Literal["read", "write"]

_ABORT: Final = struct.pack("@ii", 1, 0)
_ANYWHERE: Final = {"ipv4": "0.0.0.0", "ipv6": "::"}
_HOW: Final = {"write": socket.SHUT_WR, "read": socket.SHUT_RD, "both": socket.SHUT_RDWR}
_NOT_YET: Final = frozenset({errno.EALREADY, errno.EINPROGRESS, errno.EAGAIN})


@dataclass(slots=True, eq=False)
class _Waiting:
    """A call that waits for its socket."""

    attempt: Callable[[], Result]
    answer: Answer
    what: str
    timer: asyncio.TimerHandle | None = None
    late: Callable[[], Result] | None = None
    """What to answer when the time is over; None: a timeout."""


@dataclass(slots=True, eq=False)
class _Held:
    """A socket that the controller opened."""

    socket: socket.socket
    target: tuple[str, int] | None = None
    """Where it is connecting to."""
    outcome: OSError | Literal["pending"] | None = None
    """How its connecting ended; None where it stands."""
    reading: deque[_Waiting] = field(default_factory=deque)
    writing: deque[_Waiting] = field(default_factory=deque)


class KernelSockets:
    """A `lab.server.control.Backend` that does the calls of one controller."""

    def __init__(
        self,
        addresses: dict[str, str | None],
        services: Callable[[], dict[str, int]],
        words: Words | None = None,
        faults: Sequence[str] = (),
        *,
        name: str = "lab agent",
    ) -> None:
        """`addresses` are the server's by family; `services` starts them where they do not run yet, says their ports;
        `words` has what the WebSocket service was told (None: its program does not say), `faults` what
        that program raised.

        Opens a netlink socket: raises OSError where the kernel refuses it.
        """
        self._loop = asyncio.get_running_loop()
        self._addresses = addresses
        self._services = services
        self._words = words
        self._faults = faults
        self._asked: list[Callable[[], None]] = []
        self._name = name
        self._held: dict[int, _Held] = {}
        self._next = 1
        self._reserved: list[socket.socket] = []
        self._diag = SockDiag()

    def facts(self) -> Result:
        """What `hello` answers."""
        return {
            "server": self._name,
            "kernel": settings.kernel(),
            "addresses": self._addresses,
            "settings": settings.read_settings(),
            "raw": False,
        }

    def call(self, request: Request, answer: Answer) -> Result | None:
        """Do a call; see `lab.server.control.Backend`."""
        method: Callable[..., Result | None] = getattr(self, "_call_" + request.call)
        return method(answer, **request.arguments)

    def close(self) -> None:
        """Abort every socket of the controller's, and forget what waited."""
        for withdraw in self._asked:
            withdraw()
        self._asked.clear()
        for held in self._held.values():
            self._forget(held)
            _abort(held.socket)
        self._held.clear()
        for reserved in self._reserved:
            reserved.close()
        self._diag.close()

    # The calls, by name.

    def _call_hello(self, answer: Answer, **arguments: object) -> Result:
        raise CallError(ErrorKind.ARGUMENT, "hello has been said already")

    def _call_listen(self, answer: Answer, family: str, port: int, backlog: int, options: dict[str, Any]) -> Result:
        listener = _open(family, options)
        try:
            if port:
                # A connection of an earlier run in TIME-WAIT must not keep the port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((_ANYWHERE[family], port))
            listener.listen(backlog)
        except BaseException:
            listener.close()
            raise
        return self._opened(_Held(listener))

    def _call_connect(
        self, answer: Answer, family: str, address: str, port: int, local_port: int, options: dict[str, Any]
    ) -> Result:
        if (":" in address) != (family == "ipv6"):
            raise CallError(ErrorKind.ARGUMENT, f"address must be of the family {family}")
        caller = _open(family, options)
        try:
            if local_port:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                caller.bind((_ANYWHERE[family], local_port))
            code = caller.connect_ex((address, port))
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
        except BaseException:
            caller.close()
            raise
        return self._opened(_Held(caller, (address, port), None if code == 0 else "pending"))

    def _call_connected(self, answer: Answer, socket: int, timeout: float) -> Result | None:
        held = self._find(socket)
        if held.target is None:
            raise CallError(ErrorKind.ARGUMENT, f"socket {socket} was not opened by connect")

        def attempt() -> Result:
            if held.outcome == "pending":
                # A second connect() says how the first went, and waits for ESTABLISHED in a simultaneous open too,
                # where SO_ERROR and getpeername() are content with SYN-RECEIVED.
                assert held.target is not None
                code = held.socket.connect_ex(held.target)
                if code in _NOT_YET:
                    raise BlockingIOError
                held.outcome = None if code in (0, errno.EISCONN) else OSError(code, os.strerror(code))
            if isinstance(held.outcome, OSError):
                raise held.outcome
            return {}

        return self._wait(held, "write", _Waiting(attempt, answer, "the connection did not stand"), timeout)

    def _call_accept(self, answer: Answer, socket: int, timeout: float) -> Result | None:
        held = self._find(socket)

        def attempt() -> Result:
            accepted, (address, port, *_) = held.socket.accept()
            accepted.setblocking(False)
            return {**self._opened(_Held(accepted)), "address": address, "port": port}

        return self._wait(held, "read", _Waiting(attempt, answer, "no connection came"), timeout)

    def _call_send(self, answer: Answer, socket: int, data: bytes, timeout: float) -> Result | None:
        held = self._find(socket)
        rest = memoryview(data)

        def attempt() -> Result:
            nonlocal rest
            while rest:
                rest = rest[held.socket.send(rest) :]
            return {"sent": len(data)}

        def late() -> Result:
            if len(rest) == len(data):
                raise CallError(ErrorKind.TIMEOUT, f"the kernel took no octet within {timeout:g} seconds")
            return {"sent": len(data) - len(rest)}

        return self._wait(held, "write", _Waiting(attempt, answer, "", late=late), timeout)

    def _call_receive(self, answer: Answer, socket: int, size: int, timeout: float) -> Result | None:
        held = self._find(socket)

        def attempt() -> Result:
            data = held.socket.recv(size)
            return {"data": octets(data), "end": not data}

        return self._wait(held, "read", _Waiting(attempt, answer, "nothing came"), timeout)

    def _call_shutdown(self, answer: Answer, socket: int, how: str) -> Result:
        self._find(socket).socket.shutdown(_HOW[how])
        return {}

    def _call_close(self, answer: Answer, socket: int) -> Result:
        self._drop(socket).close()
        return {}

    def _call_abort(self, answer: Answer, socket: int) -> Result:
        _abort(self._drop(socket))
        return {}

    def _call_set(self, answer: Answer, socket: int, option: str, value: int | str | list[int]) -> Result:
        options.set_option(self._find(socket).socket, option, value)
        return {}

    def _call_get(self, answer: Answer, socket: int, option: str) -> Result:
        return {"value": options.get_option(self._find(socket).socket, option)}

    def _call_state(
        self, answer: Answer, family: str, local: tuple[str, int], remote: tuple[str, int], info: bool
    ) -> Result:
        for address, _ in (local, remote):
            if (":" in address) != (family == "ipv6"):
                raise CallError(ErrorKind.ARGUMENT, f"addresses must be of the family {family}")
        state, details = self._diag.lookup(family, local, remote, info=info)
        return {"state": state, "info": details}

    def _call_closed_port(self, answer: Answer, family: str) -> Result:
        # Bound and not listening: refused as closed, and nobody else can come to listen there meanwhile.
        reserved = _open(family, {})
        self._reserved.append(reserved)
        reserved.bind((_ANYWHERE[family], 0))
        return {"port": reserved.getsockname()[1]}

    def _call_services(self, answer: Answer) -> Result:
        return self._services()

    def _call_faults(self, answer: Answer) -> Result:
        return {"faults": list(self._faults)}

    def _call_program(self, answer: Answer, family: str, remote: tuple[str, int], timeout: float) -> Result | None:
        if (":" in remote[0]) != (family == "ipv6"):
            raise CallError(ErrorKind.ARGUMENT, f"remote must be of the family {family}")
        if self._words is None:
            raise CallError(ErrorKind.UNKNOWN, "the program that serves WebSocket here does not say what it is told")

        def told(result: Result | CallError) -> None:
            self._asked.remove(withdraw)
            answer(result)

        outcome = self._words.ask(remote, timeout, told)
        if isinstance(outcome, dict):
            return outcome
        withdraw = outcome
        self._asked.append(withdraw)
        return None

    # What the calls share.

    def _opened(self, held: _Held) -> Result:
        number = self._next
        self._next += 1
        self._held[number] = held
        return {"socket": number, "port": held.socket.getsockname()[1]}

    def _find(self, number: int) -> _Held:
        held = self._held.get(number)
        if held is None:
            raise CallError(ErrorKind.ARGUMENT, f"there is no socket {number}: it was closed, or never opened")
        return held

    def _drop(self, number: int) -> socket.socket:
        held = self._find(number)
        del self._held[number]
        gone = CallError(ErrorKind.OS, "the socket was closed while this call waited", "ECANCELED")
        for waiting in self._forget(held):
            waiting.answer(gone)
        return held.socket

    def _forget(self, held: _Held) -> list[_Waiting]:
        waiting = [*held.reading, *held.writing]
        for each in waiting:
            if each.timer is not None:
                each.timer.cancel()
        if held.reading:
            self._loop.remove_reader(held.socket)
        if held.writing:
            self._loop.remove_writer(held.socket)
        held.reading.clear()
        held.writing.clear()
        return waiting

    def _wait(self, held: _Held, direction: Direction, waiting: _Waiting, timeout: float) -> Result | None:
        """Try now, and again whenever the socket is ready, until `timeout` seconds are over."""
        queue = held.reading if direction == "read" else held.writing
        if not queue:
            try:
                return waiting.attempt()
            except BlockingIOError:
                if timeout == 0:
                    return self._over(waiting, timeout)
        elif timeout == 0:
            return self._over(waiting, timeout)
        if not queue:
            add = self._loop.add_reader if direction == "read" else self._loop.add_writer
            add(held.socket, self._ready, held, direction)
        queue.append(waiting)
        waiting.timer = self._loop.call_later(timeout, self._late, held, direction, waiting, timeout)
        return None

    @staticmethod
    def _over(waiting: _Waiting, timeout: float) -> Result:
        if waiting.late is not None:
            return waiting.late()
        when = f"within {timeout:g} seconds" if timeout else "yet"
        raise CallError(ErrorKind.TIMEOUT, f"{waiting.what} {when}")

    def _late(self, held: _Held, direction: Direction, waiting: _Waiting, timeout: float) -> None:
        queue = held.reading if direction == "read" else held.writing
        queue.remove(waiting)
        self._unwatch(held, direction)
        try:
            waiting.answer(self._over(waiting, timeout))
        except CallError as error:
            waiting.answer(error)

    def _ready(self, held: _Held, direction: Direction) -> None:
        queue = held.reading if direction == "read" else held.writing
        while queue:
            waiting = queue[0]
            outcome: Result | CallError
            try:
                outcome = waiting.attempt()
            except BlockingIOError:
                return
            except OSError as error:
                outcome = CallError.of(error)
            queue.popleft()
            if waiting.timer is not None:
                waiting.timer.cancel()
            waiting.answer(outcome)
        self._unwatch(held, direction)

    def _unwatch(self, held: _Held, direction: Direction) -> None:
        if direction == "read" and not held.reading:
            self._loop.remove_reader(held.socket)
        if direction == "write" and not held.writing:
            self._loop.remove_writer(held.socket)


def _open(family: str, chosen: dict[str, Any]) -> socket.socket:
    """A TCP socket of that family, IPv6 only where it is IPv6, with the options set before bind and listen."""
    opened = socket.socket(FAMILIES[family], socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        options.urgent_inline(opened)
        if family == "ipv6":
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for name, value in chosen.items():
            options.set_option(opened, name, value)
    except BaseException:
        opened.close()
        raise
    return opened


def _abort(gone: socket.socket) -> None:
    with contextlib.suppress(OSError):
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    gone.close()
