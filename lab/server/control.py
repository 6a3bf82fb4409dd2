"""The agent's end of a control connection: lines in, calls out, answers back in whatever order they come.

Knows the protocol and nothing of sockets under test: what answers the calls is a `Backend`. The agent's is the kernel
(`lab.server.sockets`); a stack written by hand may bring its own and be told what to do in the same words.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from lab.server import protocol
from lab.server.protocol import FATAL, VERSION, CallError, ErrorKind, Message, Request

HELLO_WITHIN: Final = 10.0
"""Seconds that a connection may stay without showing its token."""

Result = dict[str, Any]


class Backend(Protocol):
    """What does the calls of one controller."""

    def facts(self) -> Result:
        """What `hello` answers beside the version: server, kernel, addresses, settings, raw."""
        ...

    def call(self, request: Request, answer: Callable[[Result | CallError], None]) -> Result | None:
        """Do a call. Returns its result, or None and calls `answer` later. Raises CallError or OSError."""
        ...

    def close(self) -> None:
        """The controller has gone: close all that it had opened. No `answer` is called any more."""
        ...


class Control(asyncio.Protocol):
    """One controller's connection."""

    def __init__(
        self,
        make_backend: Callable[[asyncio.Transport], Backend],
        *,
        token: str | None,
        gone: Callable[[Control], None] | None = None,
    ) -> None:
        """`make_backend` is called when the controller has shown the token (None: it needs none)."""
        self._make_backend = make_backend
        self._token = token
        self._gone = gone
        self._backend: Backend | None = None
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's: a controller has connected."""
        self._transport = cast(asyncio.Transport, transport)
        loop = asyncio.get_running_loop()
        if self._token is not None:
            self._deadline = loop.call_later(HELLO_WITHIN, self._too_late)

    def connection_lost(self, error: Exception | None) -> None:
        """Asyncio's: the controller has gone, however it went."""
        self._transport = None
        if self._deadline is not None:
            self._deadline.cancel()
        if self._backend is not None:
            self._backend.close()
        if self._gone is not None:
            self._gone(self)

    def pause_writing(self) -> None:
        """Asyncio's: the controller does not read its answers, so it is not read from either."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Asyncio's: it reads again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Asyncio's: some more of what the controller says."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if self._transport is None or self._transport.is_closing():
                return
            self._line(line)
        if len(self._buffer) >= self._longest and self._transport is not None:
            self._refuse(None, CallError(ErrorKind.MALFORMED, f"a line may have at most {self._longest} octets"))

    @property
    def _longest(self) -> int:
        return protocol.MAX_LINE if self._backend is not None else protocol.MAX_FIRST_LINE

    def _line(self, line: bytes) -> None:
        number: int | None = None
        try:
            if len(line) >= self._longest:
                raise CallError(ErrorKind.MALFORMED, f"a line may have at most {self._longest} octets")
            message = protocol.decode(line)
            number = protocol.request_id(message)
            if self._backend is None:
                self._answer(number, self._hello(message))
                return
            request = protocol.parse_request(message)
            if request.call == "ping":
                self._answer(number, {})
                return
            result = self._backend.call(request, lambda outcome: self._answer(request.id, outcome))
        except CallError as error:
            self._refuse(number, error)
        except OSError as error:
            self._refuse(number, CallError.of(error))
        else:
            if result is not None:
                self._answer(request.id, result)

    def _hello(self, message: Message) -> Result:
        if message.get("call") != "hello":
            raise CallError(ErrorKind.MALFORMED, "the first request must be hello")
        version = message.get("version")
        if type(version) is not int or version != VERSION:
            raise CallError(ErrorKind.VERSION, f"this agent speaks version {VERSION} of the protocol")
        if self._token is not None:
            given = message.get("token")
            # Constant time, so that nobody learns the token by measuring refusals.
            if not isinstance(given, str) or not hmac.compare_digest(
                given.encode(errors="surrogatepass"), self._token.encode()
            ):
                raise CallError(ErrorKind.TOKEN, "the token is missing or wrong")
        protocol.parse_request(message)
        assert self._transport is not None
        if self._deadline is not None:
            self._deadline.cancel()
        self._backend = self._make_backend(self._transport)
        return {"version": VERSION, **self._backend.facts()}

    def _answer(self, number: int, outcome: Result | CallError) -> None:
        if self._transport is None:
            return
        if isinstance(outcome, CallError):
            self._transport.write(protocol.failure(number, outcome))
        else:
            self._transport.write(protocol.ok(number, outcome))

    def _refuse(self, number: int | None, error: CallError) -> None:
        if self._transport is None:
            return
        self._transport.write(protocol.failure(number, error))
        if error.kind in FATAL or self._backend is None:
            self._buffer = b""
            self._transport.close()

    def _too_late(self) -> None:
        self._refuse(None, CallError(ErrorKind.TOKEN, f"no hello within {HELLO_WITHIN:.0f} seconds"))

    def close(self) -> None:
        """Send the controller away."""
        if self._transport is not None:
            self._transport.close()
