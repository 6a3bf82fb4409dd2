"""Servers that write frames wrongly, or make the wrong thing of those that come (RFC 6455 §5, §6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import websocket_frames as wire
from websocket_frames import BINARY, CONTINUATION, PING, PONG, RSV1, RSV3, TEXT, Frame, Header
from websocket_raw import Fault, Honest
from websocket_registry import broken

Frames = Iterable[Frame]


# ---- what the server writes (§5.1, §5.2) --------------------------------------------------------------------


@broken("5.1", "MASK", caught_by="server_frames_unmasked text_and_binary")
class masks(Honest):
    """The server masks its frames."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, key=b"\x37\xfa\x21\x3d")


@broken("5.1", "MASK", caught_by="server_frames_unmasked text_and_binary")
class masks_with_zeros(Honest):
    """The server sets the mask bit, with a key that changes nothing."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, key=b"\0\0\0\0")


@broken("5.2", "length", caught_by="lengths_125_126_127")
class length_125_in_16_bits(Honest):
    """A payload of 125 octets is announced in 16 bits: the border is one too low."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, form=16) if len(frame.payload) == 125 else frame


@broken("5.2", "length", caught_by="lengths_125_126_127")
class length_126_in_7_bits(Honest):
    """A payload of 126 or 127 octets is announced in the 7 bits, as if 126 and 127 meant themselves."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, form=7) if len(frame.payload) in (126, 127) else frame


@broken("5.2", "length", caught_by="lengths_65535_65536")
class length_65535_in_64_bits(Honest):
    """A payload of 65535 octets is announced in 64 bits."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, form=64) if len(frame.payload) == 65535 else frame


@broken("5.2", "length", caught_by="lengths_65535_65536")
class length_65536_in_16_bits(Honest):
    """A payload of 65536 octets is announced in 16 bits, where it is 0."""

    def outgoing(self, frame: Frame) -> Frames:
        long = len(frame.payload) >= 65536
        yield replace(frame, form=16, announced=len(frame.payload) & 0xFFFF) if long else frame


@broken("5.2", "silence", "length", caught_by="lengths_125_126_127")
class length_in_host_order(Honest):
    """Lengths of 16 bits have their low octet first."""

    def encode(self, frame: Frame) -> bytes:
        data = wire.encode(frame)
        return data[:2] + data[3:1:-1] + data[4:] if data[1] == 126 else data


@broken("5.2", "length", caught_by="text_and_binary")
class length_always_in_64_bits(Honest):
    """All lengths are written in 64 bits."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, form=64)


@broken("5.2", "RSV", caught_by="text_and_binary deflate_negotiated_or_not")
class rsv1_in_text(Honest):
    """Text messages go out with RSV1 set, though nobody agreed on compression."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, rsv=RSV1) if frame.opcode == TEXT else frame


@broken("5.2", "RSV", caught_by="ping_answered_alike")
class rsv3_in_pong(Honest):
    """Pongs have RSV3 set."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, rsv=RSV3) if frame.opcode == PONG else frame


@broken("6.1", "opcode", caught_by="text_and_binary")
class text_comes_back_binary(Honest):
    """Text is sent back as binary."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, opcode=BINARY) if frame.opcode == TEXT else frame


@broken("6.2", "opcode", "payload", caught_by="fragmented_message")
class type_of_fragments_forgotten(Honest):
    """A binary message that came in fragments goes back as text: its type is taken from a continuation."""

    async def message(self, kind: int, parts: list[bytes]) -> None:
        await super().message(TEXT if len(parts) > 1 else kind, parts)


@broken("6.1", "silence", caught_by="text_and_binary")
class messages_never_end(Honest):
    """Messages go out with FIN 0 and nothing behind them."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, fin=False) if frame.opcode in (TEXT, BINARY) else frame


@broken("5.4", "opcode", caught_by="text_and_binary")
class fragments_all_of_type_text(Honest):
    """A message goes out in two fragments, and the second one is not called a continuation."""

    def outgoing(self, frame: Frame) -> Frames:
        if frame.opcode in (TEXT, BINARY) and len(frame.payload) > 1:
            yield replace(frame, payload=frame.payload[:1], fin=False)
            yield replace(frame, payload=frame.payload[1:])
        else:
            yield frame


@broken("5.4", "FIN", caught_by="ping_answered_alike")
class pong_in_fragments(Honest):
    """A Pong with a payload goes out in two fragments."""

    def outgoing(self, frame: Frame) -> Frames:
        if frame.opcode == PONG and len(frame.payload) > 1:
            yield replace(frame, payload=frame.payload[:1], fin=False)
            yield replace(frame, opcode=CONTINUATION, payload=frame.payload[1:])
        else:
            yield frame


@broken("5.6", "payload", caught_by="utf8_split_across_frames")
class text_cut_in_a_character(Honest):
    """Text is sent back without its last octet, which may be part of a character."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, payload=frame.payload[:-1]) if frame.opcode == TEXT else frame


@broken("5.2", "opcode", caught_by="text_and_binary")
class echo_in_reserved_opcode(Honest):
    """Binary messages go out with opcode 3."""

    def outgoing(self, frame: Frame) -> Frames:
        yield replace(frame, opcode=3) if frame.opcode == BINARY else frame


# ---- what becomes of a message (§5.4, §6.2) -----------------------------------------------------------------


@broken("6.1", "silence", caught_by="empty_messages")
class empty_message_dropped(Honest):
    """An empty message is not sent back."""

    async def message(self, kind: int, parts: list[bytes]) -> None:
        if any(parts):
            await super().message(kind, parts)


@broken("5.4", "payload", caught_by="fragmented_message")
class middle_fragment_lost(Honest):
    """Of a message in three or more fragments the second is lost."""

    async def message(self, kind: int, parts: list[bytes]) -> None:
        await super().message(kind, parts[:1] + parts[2:] if len(parts) > 2 else parts)


@broken("5.4", "payload", caught_by="fragmented_message")
class fragments_reversed(Honest):
    """Fragments are put together in the wrong order."""

    async def message(self, kind: int, parts: list[bytes]) -> None:
        await super().message(kind, parts[::-1])


@broken("5.4", "payload", caught_by="fragmented_message")
class fragments_sent_back_as_messages(Honest):
    """Each fragment is sent back as a message of its own."""

    async def message(self, kind: int, parts: list[bytes]) -> None:
        for part in parts:
            await super().message(kind, [part])


@broken("5.4", "opcode", caught_by="fragmented_message")
class fragments_refused(Honest):
    """A message in fragments is refused with 1003."""

    async def message(self, kind: int, parts: list[bytes]) -> None:
        if len(parts) > 1:
            raise Fault("fragments", 1003, "in one piece, please")
        await super().message(kind, parts)


@broken("5.4", "close code", caught_by="fragments_of_no_length")
class empty_fragments_refused(Honest):
    """A fragment without payload is taken for an error."""

    async def fragment(self, header: Header, payload: bytes) -> None:
        if not payload and not (header.fin and self.kind is None):
            raise Fault("empty fragment", 1002, "a fragment has a payload")
        await super().fragment(header, payload)


@broken("6.2", "payload", caught_by="two_messages_back_to_back")
class messages_run_together(Honest):
    """Messages that come in one segment are sent back as one."""

    _kept: tuple[int, list[bytes]] | None = None

    async def message(self, kind: int, parts: list[bytes]) -> None:
        if self._kept is not None:
            kind, parts = self._kept[0], self._kept[1] + parts
        if self.buffer:
            self._kept = kind, parts
        else:
            self._kept = None
            await super().message(kind, parts)


@broken("6.2", "payload", caught_by="two_messages_back_to_back")
class messages_swapped(Honest):
    """Of messages that come in one segment the first is sent back last."""

    _first: Frame | None = None

    async def message(self, kind: int, parts: list[bytes]) -> None:
        frame = Frame(kind, b"".join(parts))
        if self._first is None and self.buffer:
            self._first = frame
            return
        await self.send(frame)
        if self._first is not None and not self.buffer:
            frame, self._first = self._first, None
            await self.send(frame)


@broken("6.2", "silence", caught_by="text_and_binary")
class echo_one_behind(Honest):
    """A message is sent back when the next one has come."""

    _last: Frame | None = None

    async def message(self, kind: int, parts: list[bytes]) -> None:
        if self._last is not None:
            await self.send(self._last)
        self._last = Frame(kind, b"".join(parts))


@broken("7.3", "opcode", "end", "silence", caught_by="thousand_messages")
class tires_of_messages(Honest):
    """After 500 messages the server closes TCP without a word."""

    _count = 0

    async def message(self, kind: int, parts: list[bytes]) -> None:
        self._count += 1
        await super().message(kind, parts)
        if self._count == 500:
            await self.end()


@broken("6.2", "silence", caught_by="many_frames_in_one_segment")
class one_frame_a_segment(Honest):
    """What comes behind a frame in the same segment is lost."""

    async def take(self, header: Header, payload: bytes) -> None:
        self.buffer.clear()
        await super().take(header, payload)


@broken("6.2", "close code", caught_by="one_octet_a_segment boundary_of_segments_in_the_header")
class frame_in_one_segment_only(Honest):
    """A frame that does not come in one piece is taken for an error."""

    async def header(self) -> Header:
        if not self.buffer:
            await self.more()
        header = wire.read_header(self.buffer)
        if header is None or (not header.control and len(self.buffer) < header.size + min(header.length, 4096)):
            raise Fault("pieces", 1002, "in one piece, please")
        return await super().header()


@broken("5.3", "payload", "close code", caught_by="one_octet_a_segment")
class unmasks_each_segment_anew(Honest):
    """The key begins again with each segment of a payload."""

    async def payload(self, header: Header) -> bytes:
        got = bytearray()
        while True:
            piece = bytes(self.buffer[: header.length - len(got)])
            del self.buffer[: len(piece)]
            got += wire.masked(header.key, piece) if header.key else piece
            if len(got) == header.length:
                return bytes(got)
            await self.more()


@broken("5.3", "close code", caught_by="masks_of_every_kind")
class mask_of_zeros_refused(Honest):
    """A key of four zeros is taken for no key."""

    def frame_faults(self, header: Header) -> Iterable[Fault]:  # type: ignore[override]
        yield from super().frame_faults(header if header.key != bytes(4) else replace(header, key=None))


@broken("5.6", "close code", caught_by="any_byte_value")
class binary_must_be_text(Honest):
    """Binary messages are held to UTF-8."""

    async def message(self, kind: int, parts: list[bytes]) -> None:
        try:
            b"".join(parts).decode()
        except UnicodeDecodeError:
            raise Fault("utf-8", 1007, "not UTF-8") from None
        await super().message(kind, parts)


# ---- Ping and Pong (§5.5.2, §5.5.3) -------------------------------------------------------------------------


@broken("5.5.2", "silence", caught_by="ping_answered_alike")
class ping_unanswered(Honest):
    """A Ping gets no answer."""

    async def ping(self, payload: bytes) -> None:
        pass


@broken("5.5.3", "silence", caught_by="ping_answered_alike")
class pong_without_payload(Honest):
    """Pongs are empty."""

    async def ping(self, payload: bytes) -> None:
        await super().ping(b"")


@broken("5.5.3", "silence", caught_by="ping_answered_alike")
class pong_with_its_own_payload(Honest):
    """Pongs say "pong"."""

    async def ping(self, payload: bytes) -> None:
        await super().ping(b"pong")


@broken("5.5.3", "silence", caught_by="ping_answered_alike")
class pong_cut_to_64(Honest):
    """Pongs have 64 octets of payload at most."""

    async def ping(self, payload: bytes) -> None:
        await super().ping(payload[:64])


@broken("5.5.3", "silence", caught_by="ping_answered_alike")
class pong_still_masked(Honest):
    """The payload of a Ping is sent back as it lay on the wire, masked."""

    async def payload(self, header: Header) -> bytes:
        payload = await super().payload(header)
        return wire.masked(header.key, payload) if header.key and header.opcode == PING else payload


@broken("5.5.2", "silence", caught_by="ping_answered_alike")
class ping_answered_by_ping(Honest):
    """A Ping is answered by a Ping."""

    async def ping(self, payload: bytes) -> None:
        await self.send(Frame(PING, payload))


@broken("5.4", "silence", caught_by="ping_between_fragments")
class pong_waits_for_message(Honest):
    """A Ping between two fragments is answered when the message has ended."""

    def __init__(self, *streams: object) -> None:
        super().__init__(*streams)  # type: ignore[arg-type]
        self._owed: list[bytes] = []

    async def ping(self, payload: bytes) -> None:
        if self.kind is None:
            await super().ping(payload)
        else:
            self._owed.append(payload)

    async def message(self, kind: int, parts: list[bytes]) -> None:
        await super().message(kind, parts)
        while self._owed:
            await super().ping(self._owed.pop(0))


@broken("5.4", "payload", caught_by="ping_between_fragments")
class ping_breaks_message(Honest):
    """A Ping between two fragments is answered, and the fragments before it are forgotten."""

    async def ping(self, payload: bytes) -> None:
        self.parts = []
        await super().ping(payload)


@broken("5.5.3", "opcode", caught_by="unsolicited_pong_ignored")
class pong_answered(Honest):
    """A Pong that nobody asked for is answered by a Pong."""

    async def pong(self, payload: bytes) -> None:
        await self.send(Frame(PONG, payload))


@broken("5.5.3", "close code", caught_by="unsolicited_pong_ignored")
class pong_unasked_refused(Honest):
    """A Pong that nobody asked for is taken for an error."""

    async def pong(self, payload: bytes) -> None:
        raise Fault("pong", 1002, "nobody asked")
