"""The WebSocket client over the hand-made TCP, on the sandbox's link: every segment made and read by the lab."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import time
from collections.abc import Iterator
from typing import Final

from lab.bench.errors import BenchError
from lab.scenario.bench import Family
from lab.tcp.endpoint import Endpoint, Offer
from lab.tcp.outcome import CallError
from lab.tcp.segment import Segment
from lab.tcp.sequence import CIRCLE, Seq
from lab.tcp.state import State
from lab.testbed.sandbox import Sandbox
from lab.websocket.client import Client, ClientError, Event, Message, Opened
from lab.wire.codec import TcpFrame, decode, encode
from lab.wire.neighbours import answer

PATIENCE: Final = 5.0
"""Seconds without a word of the server's after which there is no result."""
_MSS: Final = {"ipv4": 1460, "ipv6": 1440}


@contextlib.contextmanager
def _ended() -> Iterator[None]:
    try:
        yield
    except (CallError, ClientError) as error:
        raise BenchError(f"the server has ended the connection ({error})") from error


class ByHand:
    """One connection after the other. `send` and `receive` only while one is open."""

    def __init__(self, sandbox: Sandbox, family: Family, port: int) -> None:
        """`port`: the server's WebSocket service."""
        self._link = sandbox.link
        self._macs = sandbox.peer_mac, sandbox.server_mac
        self._source, self._destination = sandbox.peer_address(family) or "", sandbox.server_address(family) or ""
        self._mss = _MSS[family]
        self._port = port
        self._host = f"[{self._destination}]:{port}" if family == "ipv6" else f"{self._destination}:{port}"
        self._own_ports = itertools.cycle(range(20000, 60000))
        self._client: Client | None = None
        self._own_port = 0
        self._came: list[Event] = []

    @property
    def client(self) -> Client:
        """The connection that is open. Raises BenchError where none is."""
        if self._client is None:
            raise BenchError("no connection is open")
        return self._client

    def open(self) -> tuple[str, int]:
        """Open TCP and the WebSocket; our address and port. Raises BenchError where that does not come about."""
        self._link.drain()  # what others' turns left there
        self._own_port, self._came = next(self._own_ports), []
        endpoint = Endpoint(iss=Seq(secrets.randbelow(CIRCLE)), offer=Offer(self._mss))
        self._client = Client(endpoint, self._host, "/echo")
        self._client.open(time.monotonic())
        event = self._next()
        if not isinstance(event, Opened):
            raise BenchError(f"the WebSocket does not open: {event}")
        return self._source, self._own_port

    def send(self, text: str) -> None:
        """Send a text message. Raises BenchError where the connection has ended."""
        client = self.client
        with _ended():
            client.text(text, time.monotonic())
        self._flush(client)

    def receive(self) -> str:
        """The next message. Raises BenchError where none comes."""
        event = self._next()
        if not isinstance(event, Message) or not isinstance(event.data, str):
            raise BenchError(f"a text message was to come back, and there came: {event}")
        return event.data

    def close(self) -> None:
        """The closing handshake, and TCP's. Raises BenchError where it is not answered."""
        client = self.client
        with _ended():
            client.close(1000, "", time.monotonic())
        self._flush(client)
        end = time.monotonic() + PATIENCE
        while client.driver.state not in (State.CLOSED, State.TIME_WAIT):
            self._take(client, end)
        self._client = None

    def _next(self) -> Event:
        client = self.client
        self._flush(client)
        end = time.monotonic() + PATIENCE
        while not self._came:
            self._take(client, end)
        return self._came.pop(0)

    def _flush(self, client: Client) -> None:
        for segment in client.segments():
            self._link.send(self._frame(segment))

    def _take(self, client: Client, end: float) -> None:
        """Wait for frames until `end`, and let the client have them. Raises BenchError where that has passed."""
        at, now = client.next_timeout, time.monotonic()
        if now >= end:
            raise BenchError(f"the server says nothing that was waited for, for {PATIENCE:g} s")
        captured = self._link.wait(max(0.0, (end if at is None else min(end, at)) - now))
        now = time.monotonic()
        for one in captured:
            frame = None if one.outgoing else decode(one.frame)
            if isinstance(frame, TcpFrame):
                self._arrives(client, frame, now, ready=one.checksum_ready)
            elif frame is not None and (reply := answer(frame, (self._source,), self._macs[0])) is not None:
                self._link.send(reply)
        if at is not None and at <= now:
            client.tick(now)
        self._came += client.events()
        self._flush(client)

    def _arrives(self, client: Client, frame: TcpFrame, now: float, *, ready: bool) -> None:
        if frame.source != self._destination or (frame.sport, frame.dport) != (self._port, self._own_port):
            return
        if ready and not (frame.checksum_correct and frame.ip_checksum_correct):
            raise BenchError("a segment of the server's has a wrong checksum")
        client.arrives(frame.segment, now)

    def _frame(self, segment: Segment) -> bytes:
        return encode(
            segment,
            source=self._source,
            destination=self._destination,
            sport=self._own_port,
            dport=self._port,
            source_mac=self._macs[0],
            destination_mac=self._macs[1],
        )
