"""The server under test, as a script speaks of it: its program's calls, and what its kernel says of each connection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from lab.scenario.bench import PATIENCE, Bench
from lab.scenario.errors import ScenarioError
from lab.server.client import Agent, AgentError
from lab.tcp.endpoint import Endpoint, Outcome
from lab.tcp.state import NO_CONNECTION, State
from lab.tcp.world import Finding

if TYPE_CHECKING:
    from lab.scenario.connection import Connection
    from lab.scenario.peer import Peer

_END = ("ECONNRESET", "EPIPE", "ECONNREFUSED", "ENOTCONN", "ETIMEDOUT")
"""Errors by which a program is told that its connection is gone."""


class Server:
    """The machine that is tested: a kernel, and a program on it that does what the script says."""

    def __init__(self, bench: Bench, first: Connection) -> None:
        self.bench = bench
        self._first = first

    def listen(self, *, backlog: int = 16, **options: int) -> Listener:
        """The program listens, on a port of its kernel's choice; the peer will talk to it.

        `options` are socket options set before, such as `TCP_SYNCNT=2`. A target listens already.
        """
        agent = self.bench.testbed.agent
        if agent is None:
            port, socket = getattr(self.bench.testbed, "port", 0), None
        else:
            socket, port = agent.listen(self.bench.family, backlog=backlog, options=options)
        self.bench.listening.add(port)
        for connection in self.bench.connections.values():
            if connection.server_port is None:
                connection.server_port = port
                connection.conversation.server.listen()
        said = ", ".join(f"{name}={value}" for name, value in options.items())
        self.bench.say("call", f"listen({said})")
        return Listener(self.bench, socket, port)

    def connect(self, peer: Peer, **options: int) -> Socket:
        """The program calls the peer: its kernel sends a SYN at once (RFC 9293 §3.10.1)."""
        bench, connection = self.bench, peer.connection
        agent = _agent(bench)
        bench.pump()
        conversation = connection.conversation
        conversation.server.stop_listening()  # it calls from another port than the one where the program listens
        conversation.server.call("connect", lambda e: e.open_active(bench.now()), bench.now())
        conversation.peer = Endpoint(profile=conversation.peer.profile, iss=connection.iss).open_passive().endpoint
        conversation.owed = ()
        bench.say("call", "connect()", connection.name)
        socket, port = agent.connect_to(bench.family, bench.peer_address, connection.peer_port, options=options)
        connection.server_port = port
        bench.pump()
        return Socket(bench, connection, socket)

    def websocket(self, path: str = "/echo") -> Site:
        """A WebSocket server on this machine; the peer will talk to it.

        `path` is the resource at the lab's own test server (`lab serve --help` tells them all); a target has the one
        that the user named. What its program does is not told to the model but inferred from what it sends.

        Raises ScenarioError where this server has none.
        """
        bench, testbed = self.bench, self.bench.testbed
        if testbed.agent is None:
            resource = getattr(testbed, "resource", None)
            if resource is None:
                raise ScenarioError("this target is no WebSocket server: --target ws://HOST:PORT/PATH names one")
            site = Site(f"{_bracketed(testbed.host)}:{testbed.port}", resource, testbed.port)  # type: ignore[attr-defined]
        else:
            port = testbed.agent.services().get("websocket")
            if port is None:
                raise ScenarioError("this server has no WebSocket service")
            site = Site(f"{_bracketed(bench.server_address)}:{port}", path, port)
        bench.untold.add(site.port)
        for connection in list(bench.connections.values()):
            if connection.server_port is None:
                bench.turn_to(connection, site.port)
        bench.say("call", f"serves ws://{site.authority}{site.resource}")
        return site

    def closed_port(self) -> int:
        """A port of the server on which nothing listens."""
        return _agent(self.bench).closed_port(self.bench.family)

    def is_told(
        self, peer: Peer, code: int | None = None, *, reason: str | None = None, messages: int | None = None
    ) -> None:
        """What the server's program was told of the peer's WebSocket, once its end is known there (RFC 6455 §7.1.5).

        `code` is 1005 where the Close had none and 1006 where none came; `messages` is how many it was given.
        """
        bench, connection = self.bench, peer.connection
        bench.checks += 1
        told = _agent(bench).program(
            bench.family, (bench.peer_address, connection.peer_port), timeout=0 if code is None else PATIENCE
        )  # fmt: skip
        for name, wanted in (("code", code), ("reason", reason), ("messages", messages)):
            if wanted is not None and getattr(told, name) != wanted:
                _wrong(
                    bench, connection, name, str(wanted), str(getattr(told, name)),
                    f"the server's program is told another {name}", "RFC 6455 §7.1.5",
                )  # fmt: skip
        said = [f"code {code}"] * (code is not None) + [repr(reason)] * (reason is not None)
        said += [f"{messages} messages"] * (messages is not None)
        bench.say("check", f"the server's program is told: {', '.join(said)}", connection.name)

    def is_in(self, state: State, peer: Peer | None = None) -> None:
        """The server's end of the peer's connection is in `state`, by its kernel's word and by the model.

        LISTEN and CLOSED are one here: a kernel has no socket for the connection in either.
        """
        bench = self.bench
        connection = peer.connection if peer else self._first
        bench.settle()
        bench.checks += 1
        for witness, says in (("socket", connection.kernel_state), ("model", connection.server_state)):
            if says is None or says is state or (says in NO_CONNECTION and state in NO_CONNECTION):
                continue
            finding = Finding(
                "state",
                str(state),
                str(says),
                f"the server should be in {state}",
                connection.conversation.server.best.rule or "RFC 9293 §3.3.2",
            )
            bench.complain(connection, finding, packet=connection.last_seen, witness=f"script against {witness}")
        by = "kernel and model" if connection.kernel_state is not None else "model alone"
        bench.say("check", f"server is in {state} ({by})", connection.name)

    def leaves(self, state: State, *, after: float, within: float, peer: Peer | None = None) -> float:
        """Wait until the kernel no longer reports `state`, which it must for `after` seconds and not for `within`.

        Returns how many seconds it took. For the slow timers, of whose end a kernel tells nobody: it is asked ten
        times a second. Without an agent the model's word stands.
        """
        bench = self.bench
        connection = peer.connection if peer else self._first
        began = bench.now()
        while True:
            bench.wait_out(0.1)
            bench.settle(connection)
            lasted = bench.now() - began
            says = connection.kernel_state or connection.server_state
            if says is not state:
                break
            if lasted > within:
                break
        bench.checks += 1
        if not after <= lasted <= within:
            finding = Finding(
                "state", f"{state} for {after:g} to {within:g} s", f"{says} after {lasted:.0f} s",
                f"{state} does not last as long as it should", "RFC 9293 §3.10.8",
            )  # fmt: skip
            bench.complain(connection, finding, witness="script against socket")
        bench.say("check", f"{state} is left after {lasted:.1f} s", connection.name)
        return lasted


@dataclass(frozen=True, slots=True)
class Site:
    """A resource of a WebSocket server."""

    authority: str
    """For the Host field (RFC 6455 §4.1 item 4): address and port."""
    resource: str
    """Path and query (RFC 6455 §3)."""
    port: int

    def at(self, resource: str) -> Site:
        """Another resource of the same server."""
        return replace(self, resource=resource)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class Listener:
    """A listening socket of the server's program."""

    def __init__(self, bench: Bench, socket: int | None, port: int) -> None:
        self.bench = bench
        self.socket = socket
        self.port = port

    def accept(self, peer: Peer | None = None) -> Socket:
        """The program takes the next connection, which must be the peer's where one is named."""
        bench = self.bench
        if self.socket is None:
            only = next(iter(bench.connections.values()))
            return Socket(bench, peer.connection if peer else only, None)
        try:
            accepted = _agent(bench).accept(self.socket, timeout=PATIENCE)
        except AgentError as error:
            if error.kind != "timeout":
                raise
            _wrong(
                bench, peer.connection if peer else None, "accept()", "a connection", "none",
                "the server's program is given no connection", "RFC 9293 §3.10.1",
            )  # fmt: skip
        port = accepted.port
        connection = bench.connections.get(port)
        bench.checks += 1
        if connection is None or (peer is not None and connection is not peer.connection):
            expected = f"the connection from port {peer.port}" if peer else "a connection of the script's"
            _wrong(
                bench, connection, "accept()", expected, f"one from port {port}",
                "the server's program is given another connection", "RFC 9293 §3.10.1",
            )  # fmt: skip
        assert connection is not None
        bench.say("call", "accept()", connection.name)
        return Socket(bench, connection, accepted.socket)

    def has_nothing(self) -> None:
        """accept() would wait: no connection stands that the program has not taken."""
        bench = self.bench
        bench.settle()
        if self.socket is None:
            return
        bench.checks += 1
        try:
            port = _agent(bench).accept(self.socket, timeout=0).port
        except AgentError as error:
            if error.kind != "timeout":
                raise
            bench.say("check", "accept() has nothing to give")
            return
        _wrong(
            bench, bench.connections.get(port), "accept()", "none", f"one from port {port}",
            "the server's program is given a connection that no client wants", "RFC 9293 §3.5",
        )  # fmt: skip

    def close(self) -> None:
        """The program stops listening."""
        bench = self.bench
        if self.socket is None:
            return
        bench.pump()
        _agent(bench).close(self.socket)
        bench.listening.discard(self.port)
        for connection in bench.connections.values():
            if connection.server_port == self.port:
                connection.conversation.server.stop_listening()
        bench.say("call", "close() of the listener")
        bench.pump()


class Socket:
    """The server's program's end of one connection."""

    def __init__(self, bench: Bench, connection: Connection, socket: int | None) -> None:
        self.bench = bench
        self.connection = connection
        self._socket = socket
        self._called = 0.0
        self.told_of_end = False
        """Whether the program was told that the connection is gone: a kernel says so once."""

    @property
    def socket(self) -> int:
        """Its number at the agent. Raises ScenarioError where the server has none."""
        if self._socket is None:
            raise ScenarioError("this server's program cannot be told what to do: the script needs an agent")
        return self._socket

    # What the program does

    def send(self, data: bytes) -> int:
        """The program writes `data`. Returns how many octets its kernel took: fewer where its buffer is full, which
        goes on until the peer acknowledges some.
        """
        agent = self._before()
        try:
            count = self._write(agent, data)
        except AgentError as error:
            self.told_of_end = self.told_of_end or error.errno in _END
            raise
        taken, text = data[:count], f"send({_brief(data)})"
        if count < len(data):
            text += f": {count} taken, the buffer is full"
        self._after("send", text, lambda e: e.send(taken, self.bench.now()), taken)
        return count

    def _write(self, agent: Agent, data: bytes) -> int:
        try:
            return agent.send(self.socket, data, timeout=0)
        except AgentError as error:
            if error.kind != "timeout":
                raise
        return agent.send(self.socket, data, timeout=PATIENCE)

    def shutdown(self) -> None:
        """The program has nothing more to send, and goes on reading: the RFC's CLOSE (RFC 9293 §3.10.4).

        In SYN-SENT it gives up its call with it.
        """
        agent = self._before()
        calling = self.connection.server_state is State.SYN_SENT
        agent.shutdown(self.socket, "write")
        self.told_of_end = self.told_of_end or calling
        self._after("shutdown", "shutdown(SHUT_WR)", lambda e: e.shutdown(self.bench.now()))

    def close(self) -> None:
        """The program lets go of the connection: it will neither send nor read any more (RFC 9293 §3.6.1).

        Of a connection that is gone already it lets go too, and nothing else happens.
        """
        agent = self._before()
        agent.close(self.socket)
        now = self.bench.now
        self._after("close", "close()", lambda e: Outcome(e) if e.state is State.CLOSED else e.close(now()))

    def abort(self) -> None:
        """The program gives the connection up: a RST (RFC 9293 §3.10.5).

        One that is gone already it lets go of, and nothing else happens.
        """
        agent = self._before()
        agent.abort(self.socket)
        self._after("abort", "abort()", lambda e: Outcome(e) if e.state is State.CLOSED else e.abort())

    def set(self, option: str, value: int) -> None:
        """Set a socket option by name, `TCP_NODELAY` say."""
        _agent(self.bench).set(self.socket, option, value)
        self.bench.say("call", f"setsockopt({option}, {value})", self.connection.name)

    def get(self, option: str) -> Any:
        """A socket option by name; `TCP_INFO` is a dict of the kernel's fields."""
        return _agent(self.bench).get(self.socket, option)

    def _before(self) -> Agent:
        self.bench.pump()
        self.bench.stop_if_wrong()
        self._called = self.bench.now()
        return _agent(self.bench)

    def _after(self, name: str, text: str, act: Any, data: bytes = b"") -> None:
        with self.bench.crossing(self.connection):
            self.connection.conversation.server.call(name, act, self.bench.now(), data)
            self.bench.say("call", text, self.connection.name, at=self._called)
        self.bench.pump()
        if self.bench.testbed.settle in ("exact", "agent"):
            self.bench.settle(self.connection)
        self.bench.stop_if_wrong()

    # What the program is told

    def receives(self, data: bytes) -> None:
        """The program reads exactly `data`, and nothing else is there behind it.

        Where the connection was reset meanwhile, its kernel may have flushed it (RFC 9293 §3.10.7.4), and says so.
        """
        bench, got = self.bench, b""
        agent = self._before()
        try:
            while len(got) < len(data):
                piece, end = agent.receive(self.socket, len(data) - len(got), timeout=PATIENCE)
                got += piece
                if end:
                    break
        except AgentError as error:
            if error.kind != "timeout" and error.errno is None:
                raise
            if not got and self._is_told_of_reset(error):
                return
            observed = f"{_brief(got)}, then {error.errno or 'nothing'}"
            self._wrong("payload", _brief(data), observed, "the server's program does not get the data", "§3.10.3")
        bench.checks += 1
        if got != data:
            self._wrong("payload", _brief(data), _brief(got), "the server's program reads other data", "§3.10.3")
        self.connection.conversation.server.reads(len(data), bench.now())
        bench.say("check", f"program reads {_brief(data)}", self.connection.name)
        bench.pump()

    def receives_end(self) -> None:
        """The program reads the end of the stream: the peer's FIN (RFC 9293 §3.10.4, MUST-12).

        Where a RST came behind the FIN, it may be told of the reset instead (RFC 9293 §3.10.7.4).
        """
        agent = self._before()
        try:
            got, end = agent.receive(self.socket, 65536, timeout=PATIENCE)
        except AgentError as error:
            if self._is_told_of_reset(error):
                return
            observed = error.errno or "nothing"
        else:
            if end and not got:
                self._held("program reads the end of the stream")
                return
            observed = _brief(got)
        self._wrong(
            "payload", "the end of the stream", observed, "the server's program does not read what was sent", "§3.10.3"
        )

    def receives_nothing(self) -> None:
        """Reading would wait: there is nothing to read now, and no end."""
        self.bench.settle()
        try:
            data, end = _agent(self.bench).receive(self.socket, 65536, timeout=0)
        except AgentError as error:
            if error.kind != "timeout":
                raise
            self.bench.checks += 1
            self.bench.say("check", "program has nothing to read", self.connection.name)
            return
        self._wrong(
            "payload", "nothing to read", "the end of the stream" if end and not data else _brief(data),
            "the server's program is given what has not come yet", "§3.10.3",
        )  # fmt: skip

    def is_reset(self) -> None:
        """The program is told that the connection was reset, not that it ended (RFC 9293 §3.6, MUST-12)."""
        self._fails("ECONNRESET", "connection reset", "§3.10.7.4")

    def is_given_up(self) -> None:
        """The program is told that nobody has answered for too long (RFC 9293 §3.8.3, §3.10.8)."""
        self._fails("ETIMEDOUT", "connection aborted due to user timeout", "§3.10.8")

    def is_refused(self) -> None:
        """connect() has failed: the peer refused (RFC 9293 §3.10.7.3, §3.10.7.4).

        The document tells the user "connection reset" in SYN-SENT and "connection refused" in SYN-RECEIVED, a kernel
        its program the reverse: either word will do.
        """
        self.bench.settle()
        try:
            _agent(self.bench).connected(self.socket, timeout=PATIENCE)
        except AgentError as error:
            if error.errno in ("ECONNREFUSED", "ECONNRESET"):
                self.told_of_end = True
                self._held(f"program is told: connection {error.errno.removeprefix('ECONN').lower()}")
                return
            observed = error.errno or error.message
        else:
            observed = "connected"
        self._wrong("state", "ECONNREFUSED", observed, "connect() should have been refused", "§3.10.7.3")

    def is_connected(self) -> None:
        """connect() has succeeded."""
        self.bench.pump()
        try:
            _agent(self.bench).connected(self.socket, timeout=PATIENCE)
        except AgentError as error:
            self._wrong("state", "connected", error.errno or error.message, "connect() has not succeeded", "§3.10.7.3")
        self._held("program is connected")

    def _is_told_of_reset(self, error: AgentError) -> bool:
        """Whether the program is told of a reset that there was, before it has read what had come.

        "All segment queues should be flushed" (RFC 9293 §3.10.7.4, second); many stacks let a program read first.
        """
        ended = self.connection.conversation.server.best.ended
        if error.errno != "ECONNRESET" or ended is None or ended.notice != "connection reset":
            return False
        self.told_of_end = True
        self._held("program is told: connection reset")
        return True

    def _fails(self, errno: str, words: str, section: str) -> None:
        self.bench.settle()
        try:
            data, end = _agent(self.bench).receive(self.socket, 65536, timeout=PATIENCE)
        except AgentError as error:
            if error.errno == errno:
                self.told_of_end = True
                self._held(f"program is told: {words}")
                return
            observed = error.errno or error.message
        else:
            observed = "the end of the stream" if end and not data else _brief(data)
        self._wrong("state", words, observed, "the server's program is not told what happened", section)

    def _held(self, text: str) -> None:
        self.bench.checks += 1
        self.bench.say("check", text, self.connection.name)

    def _wrong(self, field: str, expected: str, observed: str, message: str, section: str) -> NoReturn:
        _wrong(self.bench, self.connection, field, expected, observed, message, f"RFC 9293 {section}")


def _wrong(
    bench: Bench, connection: Connection | None, field: str, expected: str, observed: str, message: str, section: str
) -> NoReturn:
    finding = Finding(field, expected, observed, message, section)
    if connection is None:
        connection = next(iter(bench.connections.values()))
    bench.complain(connection, finding, witness="program")


def _agent(bench: Bench) -> Agent:
    if bench.testbed.agent is None:
        raise ScenarioError("this server has no agent: the script asks for something only the lab's test server does")
    return bench.testbed.agent


def _brief(data: bytes) -> str:
    return repr(data) if len(data) <= 24 else f"{data[:16]!r}… {len(data)} octets"
