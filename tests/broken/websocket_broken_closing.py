"""Servers that close wrongly (RFC 6455 §5.5.1, §7)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import websocket_frames as wire
from websocket_frames import CLOSE, CONTINUATION, TEXT, Frame
from websocket_raw import Fault, Honest
from websocket_registry import broken


class _Answer(Honest):
    """A Close is answered by `frames`, and TCP closed."""

    async def answer_close(self, body: bytes) -> None:
        for frame in self.frames(body):
            await self.write(wire.encode(frame))

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, body)]


@broken("5.5.1", "opcode", caught_by="answered_with_the_same_code server_closes_tcp_first")
class close_unanswered(_Answer):
    """A Close is answered by the FIN of TCP alone."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return []


@broken("5.5.1", "close code", caught_by="answered_with_the_same_code")
class close_answered_by_1002(_Answer):
    """A fine Close is answered by a protocol error."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, b"\x03\xea")]


@broken("5.5.1", "opcode", caught_by="answered_with_the_same_code")
class close_said_twice(_Answer):
    """The Close comes twice."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, body)] * 2


@broken("7.4.1", "close code", caught_by="without_a_code")
class close_answered_by_1005(_Answer):
    """A Close without a code is answered by 1005, which is never sent."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, body or b"\x03\xed")]


@broken("7.4.1", "close code", caught_by="answered_with_the_same_code")
class close_answered_by_1006(_Answer):
    """A Close is answered by 1006, which is never sent."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, b"\x03\xee")]


@broken("7.4.1", "close code", caught_by="answered_with_the_same_code")
class close_answered_by_1015(_Answer):
    """A Close is answered by 1015, which is never sent."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, b"\x03\xf7")]


@broken("7.4.2", "close code", caught_by="answered_with_the_same_code")
class close_answered_by_999(_Answer):
    """A Close is answered by 999, which means nothing."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, b"\x03\xe7")]


@broken("5.5.1", "close code", caught_by="answered_with_the_same_code")
class close_code_in_host_order(_Answer):
    """The code of a Close has its low octet first."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, body[1::-1] + body[2:])]


@broken("5.5.1", "payload", caught_by="answered_with_the_same_code")
class close_with_half_a_code(_Answer):
    """The body of a Close is one octet."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, b"\x03")]


@broken("5.5.1", "payload", caught_by="with_a_reason")
class close_with_bad_reason(_Answer):
    """The reason of a Close is not UTF-8."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, (body[:2] or b"\x03\xe8") + b"\xff")]


@broken("5.5", "length", caught_by="answered_with_the_same_code")
class close_with_126_octets(_Answer):
    """The body of a Close has 126 octets."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, (body[:2] or b"\x03\xe8").ljust(126, b"."))]


@broken("5.5", "FIN", caught_by="answered_with_the_same_code")
class close_in_fragments(_Answer):
    """A Close goes out in two fragments."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, body[:2], fin=False), Frame(CONTINUATION, body[2:])]


@broken("5.5.1", "opcode", caught_by="answered_with_the_same_code server_closes_tcp_first")
class data_after_close(_Answer):
    """A message follows the Close."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, body), Frame(TEXT, b"one more thing")]


@broken("5.5.1", "opcode", caught_by="data_after_close ping_after_close")
class ping_after_close(_Answer):
    """A Ping follows the Close."""

    def frames(self, body: bytes) -> Iterable[Frame]:
        return [Frame(CLOSE, body), Frame(wire.PING)]


@broken("5.5.1", "opcode", caught_by="data_after_close ping_after_close")
class serves_after_close(Honest):
    """What the client sends behind its Close in the same segment is served, after the Close that answers it."""

    _closing = False

    async def closing(self, body: bytes) -> None:
        end = self.end
        self.end = self._not_yet if self.buffer else end  # type: ignore[method-assign]
        await super().closing(body)
        self.end = end  # type: ignore[method-assign]

    async def _not_yet(self) -> None:
        self._closing = True

    async def more(self) -> None:
        if self._closing:
            await super().end()
        await super().more()

    async def step(self) -> None:
        await super().step()
        if self._closing and not self.buffer:
            await super().end()


@broken("5.5.1", "payload", "opcode", caught_by="data_after_close ping_after_close")
class serves_before_close(Honest):
    """What the client sends behind its Close in the same segment is served before the Close is answered."""

    _body: bytes | None = None

    async def closing(self, body: bytes) -> None:
        if self._body is None and self.buffer:
            self._body = body
        else:
            await super().closing(body if self._body is None else self._body)

    async def more(self) -> None:
        if self._body is not None:
            await super().closing(self._body)
        await super().more()

    async def step(self) -> None:
        await super().step()
        if self._body is not None and not self.buffer and not self.over:
            await super().closing(self._body)


@broken("5.5.1", "silence", caught_by="between_fragments")
class close_waits_for_message(Honest):
    """A Close between two fragments is answered when the message has ended, which it will not."""

    async def closing(self, body: bytes) -> None:
        if self.kind is None:
            await super().closing(body)


class _End(Honest):
    """When the Close frames are exchanged, `end_after_close` is all that happens to TCP."""

    async def answer_close(self, body: bytes) -> None:
        await super().answer_close(body)
        self.end = self.end_after_close  # type: ignore[method-assign]

    async def end_after_close(self) -> None:
        pass


@broken("7.1.1", "silence", caught_by="server_closes_tcp_first")
class waits_for_fin(_End):
    """After the Close frames the server waits for the client to close TCP."""

    async def end_after_close(self) -> None:
        self.over = True
        while await self.reader.read(65536):
            pass


@broken("5.5.1", "silence", caught_by="server_closes_tcp_first")
class never_closes_tcp(_End):
    """After the Close frames the server never closes TCP, though the client does."""

    async def end_after_close(self) -> None:
        await asyncio.Event().wait()


@broken("7.1.1", "TCP", caught_by="server_closes_tcp_first")
class resets_after_close(_End):
    """After the Close frames the server resets TCP, though nothing is wrong."""

    async def end_after_close(self) -> None:
        self.reset()


@broken("5.5.1", "code", caught_by="one_octet")
class half_a_code_accepted(Honest):
    """A Close with one octet is answered like an empty one."""

    unchecked = frozenset({"close length"})

    async def answer_close(self, body: bytes) -> None:
        await super().answer_close(b"" if len(body) == 1 else body)


@broken("7.4", "close code", caught_by="codes_never_sent")
class any_code_sent_back(Honest):
    """Any code is sent back, also those that are never sent."""

    unchecked = frozenset({"close code"})


@broken("8.1", "close code", caught_by="bad_utf8_in_reason")
class bad_reason_accepted(Honest):
    """A Close whose reason is not UTF-8 is answered like any other, without a reason."""

    unchecked = frozenset({"close reason"})

    async def answer_close(self, body: bytes) -> None:
        try:
            body[2:].decode()
        except UnicodeDecodeError:
            body = body[:2]
        await super().answer_close(body)


@broken("7.4.2", "close code", caught_by="answered_with_the_same_code")
class private_codes_refused(Honest):
    """The codes 3000 to 4999 are taken for errors."""

    async def closing(self, body: bytes) -> None:
        if len(body) >= 2 and 3000 <= int.from_bytes(body[:2], "big") <= 4999:
            raise Fault("private", 1002, "unknown code")
        await super().closing(body)


@broken("5.5.1", "close code", caught_by="with_a_reason")
class reason_refused(Honest):
    """A Close with a reason is taken for an error."""

    async def closing(self, body: bytes) -> None:
        if len(body) > 2:
            raise Fault("reason", 1002, "spare me")
        await super().closing(body)


@broken("5.5.1", "close code", caught_by="without_a_code")
class empty_close_refused(Honest):
    """A Close without a code is taken for an error."""

    async def closing(self, body: bytes) -> None:
        if not body:
            raise Fault("empty", 1002, "tell me why")
        await super().closing(body)
