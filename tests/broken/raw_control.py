"""The server's loop: frames first, always; then timers; then what the control connection asks (protocol version 1).

The lab takes the answer to `ping` as proof that every frame it sent before was handled. So the packet socket is read to
exhaustion after every read of the control connection and before every single request of it.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import select
import socket
from collections.abc import Callable
from typing import Any

from raw_tcp import ESTABLISHED, SYN_RECEIVED, SYN_SENT, CallFailed, Connection, Honest, Listener, Stack

VERSION = 1
MAX_LINE = 1 << 20
ETH_P_ALL = 3
PACKET_OUTGOING = 4

KERNEL_STATES = {
    "ESTABLISHED": 1,
    "SYN-SENT": 2,
    "SYN-RECEIVED": 3,
    "FIN-WAIT-1": 4,
    "FIN-WAIT-2": 5,
    "TIME-WAIT": 6,
    "CLOSED": 7,
    "CLOSE-WAIT": 8,
    "LAST-ACK": 9,
    "LISTEN": 10,
    "CLOSING": 11,
}
"""The numbers that struct tcp_info uses."""


class Refused(Exception):
    """A request that is answered by an error."""

    def __init__(self, kind: str, message: str, errno_name: str | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.errno_name = kind, message, errno_name


class Waiting:
    """A request whose answer has to wait for something."""

    def __init__(self, number: Any, deadline: float, attempt: Callable[[], dict[str, Any] | None]) -> None:
        self.number, self.deadline, self.attempt = number, deadline, attempt


class Control:
    """Obeys the control connection, on top of a stack."""

    def __init__(self, channel: socket.socket, stack: Stack, name: str, facts: dict[str, Any]) -> None:
        self.channel, self.stack, self.name, self.facts = channel, stack, name, facts
        self.sockets: dict[int, Listener | Connection] = {}
        self.waiting: list[Waiting] = []
        self.greeted = False
        self.over = False
        self._next = 1

    # ---- requests and answers -------------------------------------------------------------------------------

    def line(self, line: bytes) -> None:
        """Do what one line asks."""
        try:
            request = json.loads(line)
            number, call = request["id"], request["call"]
        except (ValueError, KeyError, TypeError):
            self._answer(
                {"id": None, "error": _error(Refused("malformed", "This line is no request of the protocol."))}
            )
            self.over = True
            return
        try:
            if not self.greeted and call != "hello":
                raise Refused("malformed", "The first request must be hello.")
            method = getattr(self, f"do_{call}", None)
            if not isinstance(call, str) or method is None:
                raise Refused("unknown", f"There is no call named {call!r}.")
            arguments = {k: v for k, v in request.items() if k not in ("id", "call")}
            self._try(number, lambda: method(**arguments))
        except (Refused, TypeError, ValueError) as problem:
            self._fail(number, problem)
            self.over = not self.greeted or (isinstance(problem, Refused) and problem.kind in ("malformed", "version"))

    def settle(self) -> None:
        """Answer the requests that can be answered now, or whose time is up."""
        still: list[Waiting] = []
        todo, self.waiting = self.waiting, []
        for one in todo:
            try:
                result = one.attempt()
            except (Refused, CallFailed) as problem:
                self._fail(one.number, problem)
                continue
            if result is not None:
                self._answer({"id": one.number, "ok": result})
            elif one.deadline <= self.stack.now():
                self._fail(one.number, Refused("timeout", "Nothing came in time."))
            else:
                still.append(one)
        self.waiting += still

    def next_deadline(self) -> float | None:
        """When the next waiting request gives up."""
        return min((one.deadline for one in self.waiting), default=None)

    def gone(self) -> None:
        """The controller went: abort all it had opened."""
        for handle in list(self.sockets):
            self.do_abort(handle)

    def _try(self, number: Any, method: Callable[[], dict[str, Any] | Waiting]) -> None:
        try:
            result = method()
        except CallFailed as problem:
            self._fail(number, problem)
            return
        if isinstance(result, Waiting):
            result.number = number
            self.waiting.append(result)
            self.settle()
        else:
            self._answer({"id": number, "ok": result})

    def _fail(self, number: Any, problem: Exception) -> None:
        self._answer({"id": number, "error": _error(problem)})

    def _answer(self, answer: dict[str, Any]) -> None:
        self.channel.sendall(json.dumps(answer, separators=(",", ":")).encode() + b"\n")

    def _wait(self, timeout: float | None, attempt: Callable[[], dict[str, Any] | None]) -> Waiting:
        return Waiting(None, float("inf") if timeout is None else self.stack.now() + timeout, attempt)

    def _add(self, thing: Listener | Connection) -> int:
        handle, self._next = self._next, self._next + 1
        self.sockets[handle] = thing
        return handle

    def _connection(self, handle: int) -> Connection:
        thing = self.sockets.get(handle)
        if not isinstance(thing, Connection):
            raise Refused("argument", f"There is no connection {handle!r}.")
        return thing

    def _address(self, family: str) -> str:
        address = self.facts["addresses"].get(family)
        if address is None:
            raise Refused("argument", f"This server has no address of family {family!r}.")
        return str(address)

    # ---- the calls ------------------------------------------------------------------------------------------

    def do_hello(self, version: int, token: str | None = None, **_: Any) -> dict[str, Any]:
        if version != VERSION:
            raise Refused("version", f"This server speaks version {VERSION} of the protocol, not {version!r}.")
        self.greeted = True
        return {
            "version": VERSION,
            "server": f"raw TCP by hand: {self.name}",
            "kernel": "",
            "addresses": self.facts["addresses"],
            "settings": {},
            "raw": True,
        }

    def do_ping(self) -> dict[str, Any]:
        return {}

    def do_services(self) -> dict[str, Any]:
        return {}

    def do_closed_port(self, family: str) -> dict[str, Any]:
        return {"port": self.stack.free_port(family)}

    def do_listen(
        self, family: str, port: int = 0, backlog: int = 16, options: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        self._address(family)
        if (family, port) in self.stack.listeners:
            raise CallFailed("EADDRINUSE")
        listener = Listener(family, port or self.stack.free_port(family), backlog, options or {})
        self.stack.listeners[family, listener.port] = listener
        return {"socket": self._add(listener), "port": listener.port}

    def do_connect(
        self, family: str, address: str, port: int, local_port: int = 0, options: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        local = local_port or self.stack.free_port(family)
        key = (self._address(family), local, address, port)
        if key in self.stack.connections:
            raise CallFailed("EADDRNOTAVAIL")
        connection = Connection(self.stack, key, None, options or {})
        self.stack.connections[key] = connection
        connection.open_active()
        return {"socket": self._add(connection), "port": local}

    def do_connected(self, socket: int, timeout: float | None = None) -> Waiting:
        connection = self._connection(socket)

        def attempt() -> dict[str, Any] | None:
            if connection.error and not connection.stood:
                error, connection.error = connection.error, None
                raise CallFailed(error)
            return None if connection.state in (SYN_SENT, SYN_RECEIVED) else {}

        return self._wait(timeout, attempt)

    def do_accept(self, socket: int, timeout: float | None = None) -> Waiting:
        listener = self.sockets.get(socket)
        if not isinstance(listener, Listener):
            raise Refused("argument", f"There is no listener {socket!r}.")

        def attempt() -> dict[str, Any] | None:
            for child in listener.children:
                if self.stack.hooks.acceptable_to_program(child):
                    listener.children.remove(child)
                    return {"socket": self._add(child), "address": child.key[2], "port": child.key[3]}
            return None

        return self._wait(timeout, attempt)

    def do_send(self, socket: int, data: str, timeout: float | None = None) -> dict[str, Any]:
        octets = base64.b64decode(data, validate=True)
        self._connection(socket).send(octets)
        return {"sent": len(octets)}

    def do_receive(self, socket: int, size: int, timeout: float | None = None) -> Waiting:
        connection = self._connection(socket)

        def attempt() -> dict[str, Any] | None:
            got = connection.receive(size)
            return None if got is None else {"data": base64.b64encode(got[0]).decode(), "end": got[1]}

        return self._wait(timeout, attempt)

    def do_shutdown(self, socket: int, how: str = "write") -> dict[str, Any]:
        connection = self._connection(socket)
        if how not in ("write", "read", "both"):
            raise Refused("argument", f"shutdown: {how!r} is neither write, read nor both.")
        if how in ("read", "both"):
            connection.reading = False
        if how in ("write", "both"):
            connection.shutdown()
        return {}

    def do_close(self, socket: int) -> dict[str, Any]:
        thing = self._forget(socket)
        if isinstance(thing, Listener):
            self._close_listener(thing)
        elif list(thing.options.get("SO_LINGER") or []) == [1, 0]:
            thing.abort()
        else:
            thing.close()
        return {}

    def do_abort(self, socket: int) -> dict[str, Any]:
        thing = self._forget(socket)
        if isinstance(thing, Listener):
            self._close_listener(thing)
        else:
            thing.abort()
        return {}

    def _forget(self, handle: int) -> Listener | Connection:
        thing = self.sockets.pop(handle, None)
        if thing is None:
            raise Refused("argument", f"There is no socket {handle!r}.")
        return thing

    def _close_listener(self, listener: Listener) -> None:
        self.stack.listeners.pop((listener.family, listener.port), None)
        for child in listener.children:
            if child.stood:
                child.abort()
            else:
                child.delete()
        listener.children.clear()

    def do_set(self, socket: int, option: str, value: Any) -> dict[str, Any]:
        thing = self.sockets.get(socket)
        if thing is None:
            raise Refused("argument", f"There is no socket {socket!r}.")
        thing.options[option] = value
        return {}

    def do_get(self, socket: int, option: str) -> dict[str, Any]:
        thing = self.sockets.get(socket)
        if thing is None:
            raise Refused("argument", f"There is no socket {socket!r}.")
        if option == "SO_ERROR" and isinstance(thing, Connection):
            name, thing.error = thing.error, None
            return {"value": getattr(errno, name) if name else 0}
        if option == "TCP_INFO":
            return {"value": _tcp_info(thing)}
        return {"value": thing.options.get(option, 0)}

    def do_state(self, family: str, local: list[Any], remote: list[Any], info: bool = True) -> dict[str, Any]:
        return {"state": self.stack.state((local[0], local[1], remote[0], remote[1])), "info": None}


def _tcp_info(thing: Listener | Connection) -> dict[str, int]:
    if isinstance(thing, Listener):
        return {"state": KERNEL_STATES["LISTEN"]}
    established = thing.state == ESTABLISHED
    return {
        "state": KERNEL_STATES[thing.state],
        "ca_state": 0,
        "retransmits": thing.tries,
        "backoff": thing.tries,
        "options": thing.stamps | thing.sack << 1 | bool(thing.rcv_scale) << 2,
        "snd_wscale": thing.snd_scale,
        "rcv_wscale": thing.rcv_scale,
        "rto": int(thing.delay * 1_000_000),
        "snd_mss": thing.mss,
        "rcv_mss": thing.own_mss,
        "unacked": int(thing.snd_una != thing.snd_nxt),
        "snd_cwnd": thing.cwnd // max(thing.mss, 1) if established else 0,
        "notsent_bytes": len(thing.outbox),
        "snd_wnd": thing.snd_wnd,
    }


def _error(problem: Exception) -> dict[str, Any]:
    if isinstance(problem, Refused):
        return {"kind": problem.kind, "errno": problem.errno_name, "message": problem.message}
    if isinstance(problem, CallFailed):
        number = getattr(errno, problem.errno, 0)
        return {"kind": "os", "errno": problem.errno, "message": f"{os.strerror(number)}."}
    return {"kind": "argument", "errno": None, "message": f"The request's arguments do not fit: {problem}."}


def serve(channel: socket.socket, facts: dict[str, Any], hooks: Honest, name: str) -> None:
    """Be the server until the controller goes. `channel` is its control connection, `facts` the sandbox's."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    try:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        # The sandbox's facts name both ends of the pair; where there is only one, it is the server's.
        link.bind((facts.get("server_interface") or facts["interface"], ETH_P_ALL))
        link.setblocking(False)
        mac = bytes.fromhex(str(facts.get("server_mac") or facts["mac"]).replace(":", ""))
        addresses = [a for a in facts["addresses"].values() if a]
        stack = Stack(hooks, mac, addresses, lambda frame: _put(link, frame))
        _loop(channel, link, stack, Control(channel, stack, name, facts))
    finally:
        link.close()


def _put(link: socket.socket, frame: bytes) -> None:
    """Send a frame. A full or vanished link loses it, as links do."""
    try:
        link.send(frame)
    except OSError as problem:
        if problem.errno not in (
            errno.EAGAIN,
            errno.ENOBUFS,
            errno.ENETDOWN,
            errno.ENODEV,
            errno.ENXIO,
            errno.EMSGSIZE,
        ):
            raise


def _read_frames(link: socket.socket, stack: Stack) -> None:
    """Handle every frame that is queued."""
    while True:
        try:
            frame, address = link.recvfrom(1 << 18)
        except BlockingIOError:
            return
        except OSError as problem:
            if problem.errno == errno.ENETDOWN:
                return
            raise
        if address[2] != PACKET_OUTGOING:
            stack.frame_arrives(frame)


def _loop(channel: socket.socket, link: socket.socket, stack: Stack, control: Control) -> None:
    buffer = b""
    while not control.over:
        due = min((t for t in (stack.next_timer(), control.next_deadline()) if t is not None), default=None)
        patience = None if due is None or due == float("inf") else max(0.0, due - stack.now())
        readable, _, _ = select.select([channel, link], [], [], patience)
        octets: bytes | None = None
        if channel in readable:
            try:
                octets = channel.recv(1 << 16)
            except OSError:
                octets = b""
        # Only now: whatever was on the wire before those octets were written is in the queue by now.
        _read_frames(link, stack)
        stack.run_timers()
        try:
            control.settle()
            if octets == b"":
                control.gone()
                return
            *lines, buffer = (buffer + (octets or b"")).split(b"\n")
            for line in lines:
                _read_frames(link, stack)
                control.line(line)
                control.settle()
                if control.over:
                    return
            if len(buffer) > MAX_LINE:
                control.line(b"")
        except OSError:
            control.gone()
            return
