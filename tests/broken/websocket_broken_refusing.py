"""Servers that take frames that they must not take, or refuse them in the wrong way (RFC 6455 §5, §7.1.7, §8.1)."""

from __future__ import annotations

import codecs
import re

import websocket_frames as wire
from websocket_frames import BINARY, CLOSE, CONTINUATION, PING, PONG, RSV1, RSV2, RSV3, Frame, Header
from websocket_raw import Fault, Honest
from websocket_registry import broken

# ---- what is to be refused (§5.1 to §5.5) -------------------------------------------------------------------


@broken("5.1", "payload", caught_by="bad_unmasked")
class unmasked_accepted(Honest):
    """Frames need not be masked."""

    unchecked = frozenset({"mask"})


@broken("5.1", "opcode", caught_by="bad_unmasked")
class unmasked_control_accepted(Honest):
    """Only frames with data need be masked."""

    def tolerates(self, fault: Fault, header: Header | None = None) -> bool:
        return fault.name == "mask" and header is not None and header.control


class _Rsv(Honest):
    bits = 0

    def tolerates(self, fault: Fault, header: Header | None = None) -> bool:
        return fault.name == "rsv" and header is not None and header.rsv == self.bits


@broken("5.2", "opcode", "payload", caught_by="bad_rsv_bits bad_rsv_bits_of_control")
class rsv1_accepted(_Rsv):
    """RSV1 is ignored."""

    bits = RSV1


@broken("5.2", "opcode", "payload", caught_by="bad_rsv_bits bad_rsv_bits_of_control")
class rsv2_accepted(_Rsv):
    """RSV2 is ignored."""

    bits = RSV2


@broken("5.2", "opcode", "payload", caught_by="bad_rsv_bits bad_rsv_bits_of_control")
class rsv3_accepted(_Rsv):
    """RSV3 is ignored."""

    bits = RSV3


@broken("5.2", "opcode", caught_by="bad_rsv_bits_of_control")
class rsv_of_control_accepted(Honest):
    """The RSV bits of control frames are ignored."""

    def tolerates(self, fault: Fault, header: Header | None = None) -> bool:
        return fault.name == "rsv" and header is not None and header.control


@broken("5.2", "payload", caught_by="bad_rsv_bits")
class rsv_of_continuation_accepted(Honest):
    """The RSV bits of continuations are ignored."""

    def tolerates(self, fault: Fault, header: Header | None = None) -> bool:
        return fault.name == "rsv" and header is not None and header.opcode == CONTINUATION


class _Opcode(Honest):
    opcode = 0

    def tolerates(self, fault: Fault, header: Header | None = None) -> bool:
        return fault.name == "opcode" and header is not None and header.opcode == self.opcode


for _opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    _body = {"__doc__": f"Frames with opcode {_opcode} are dropped, and nothing is said.", "opcode": _opcode}
    _story = "bad_opcodes_of_data" if _opcode < 8 else "bad_opcodes_of_control"
    broken("5.2", "silence", caught_by=_story)(type(f"opcode_{_opcode}_dropped", (_Opcode,), _body))


class _Control(Honest):
    fault = ""
    opcode = 0

    def tolerates(self, fault: Fault, header: Header | None = None) -> bool:
        return fault.name == self.fault and header is not None and header.opcode == self.opcode


for _name, _opcode in (("ping", PING), ("pong", PONG), ("close", CLOSE)):
    _body = {"fault": "fragmented control", "opcode": _opcode}
    _body["__doc__"] = f"A {_name.title()} with FIN 0 is taken like one with FIN 1."
    broken("5.4", "opcode", "silence", "close code", caught_by="bad_fragmented_control")(
        type(f"fragmented_{_name}_accepted", (_Control,), _body)
    )
    _body = {"fault": "long control", "opcode": _opcode}
    _body["__doc__"] = f"A {_name.title()} may have any length."
    _story = "too_long" if _name == "close" else "bad_long_control"
    broken("5.5", "length", "silence", caught_by=_story)(type(f"long_{_name}_accepted", (_Control,), _body))


@broken("5.2", "silence", caught_by="bad_length_top_bit")
class length_2_to_the_63_accepted(Honest):
    """A length whose top bit is set is waited for."""

    def tolerates(self, fault: Fault, header: Header | None = None) -> bool:
        return header is not None and bool(header.length >> 63) and fault.name in ("msb", "size")


@broken("5.4", "payload", caught_by="bad_interleaved")
class interleaved_accepted(Honest):
    """A new message may begin before the last has ended, which is then forgotten."""

    unchecked = frozenset({"interleaved"})


@broken("5.4", "opcode", caught_by="bad_orphan bad_orphan_behind_message")
class orphan_accepted(Honest):
    """A continuation with nothing to continue is taken for the beginning of a text."""

    unchecked = frozenset({"orphan"})


@broken("5.4", "silence", caught_by="bad_orphan bad_orphan_behind_message")
class orphan_dropped(Honest):
    """A continuation with nothing to continue is dropped."""

    unchecked = frozenset({"orphan"})

    async def fragment(self, header: Header, payload: bytes) -> None:
        if header.opcode != CONTINUATION or self.kind is not None:
            await super().fragment(header, payload)


@broken("10.4", "close")
class too_big_dropped(Honest):
    """A message that is too big is thrown away, and nothing is said."""

    unchecked = frozenset({"size"})

    async def message(self, kind: int, parts: list[bytes]) -> None:
        if sum(map(len, parts)) <= self.most:
            await super().message(kind, parts)


# ---- UTF-8 (§8.1) -------------------------------------------------------------------------------------------


@broken("8.1", "payload", caught_by="bad_utf8 bad_utf8_in_fragments")
class utf8_unchecked(Honest):
    """Text need not be UTF-8."""

    unchecked = frozenset({"utf-8"})


@broken("8.1", "payload", caught_by="bad_utf8_in_fragments")
class utf8_of_fragments_unchecked(Honest):
    """Text that comes in fragments need not be UTF-8."""

    def tolerates(self, fault: Fault, header: Header | None = None) -> bool:
        return fault.name == "utf-8" and len(self.parts) > 1


class _Decoder(codecs.IncrementalDecoder):
    """Takes all until the end, and lets through what `mend` makes good."""

    mend = (b"", b"")

    def __init__(self) -> None:
        super().__init__()
        self._all = b""

    def decode(self, data: bytes, final: bool = False) -> str:  # type: ignore[override]
        self._all += data
        return re.sub(*self.mend, self._all, flags=re.DOTALL).decode() if final else ""


class _Overlong(_Decoder):
    mend = (rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}", b"?")


class _Surrogates(_Decoder):
    mend = (rb"\xed[\xa0-\xbf][\x80-\xbf]", b"?")


class _Beyond(_Decoder):
    mend = (rb"(?:\xf4[\x90-\xbf]|[\xf5-\xf7][\x80-\xbf])[\x80-\xbf]{2}", b"?")


class _Cut(_Decoder):
    mend = (rb"(?:[\xc2-\xdf]|[\xe1-\xec\xee\xef][\x80-\xbf]?|[\xf1-\xf3][\x80-\xbf]{0,2})\Z", b"?")


class _Alone(codecs.IncrementalDecoder):
    """Each piece by itself."""

    def decode(self, data: bytes, final: bool = False) -> str:  # type: ignore[override]
        return data.decode()


@broken("8.1", "payload", caught_by="bad_utf8")
class utf8_overlong_accepted(Honest):
    """Characters in more octets than they need are let through."""

    def new_decoder(self) -> codecs.IncrementalDecoder:
        return _Overlong()


@broken("8.1", "payload", caught_by="bad_utf8")
class utf8_surrogates_accepted(Honest):
    """Surrogates are let through."""

    def new_decoder(self) -> codecs.IncrementalDecoder:
        return _Surrogates()


@broken("8.1", "payload", caught_by="bad_utf8")
class utf8_beyond_unicode_accepted(Honest):
    """Numbers above U+10FFFF are let through."""

    def new_decoder(self) -> codecs.IncrementalDecoder:
        return _Beyond()


@broken("8.1", "payload", caught_by="bad_utf8")
class utf8_cut_accepted(Honest):
    """Text may end in the middle of a character."""

    def new_decoder(self) -> codecs.IncrementalDecoder:
        return _Cut()


@broken("5.6", "close code", caught_by="utf8_split_across_frames")
class utf8_split_refused(Honest):
    """A character that is split over two fragments is taken for an error."""

    def new_decoder(self) -> codecs.IncrementalDecoder:
        return _Alone()


# ---- failing the connection (§7.1.7) ------------------------------------------------------------------------


@broken("7.1.7", "opcode", "payload", caught_by="bad_nothing_behind")
class goes_on_behind_bad_frame(Honest):
    """What comes behind a bad frame in the same segment is served before the connection is failed."""

    _pending: Fault | None = None
    _unread: Header | None = None

    async def header(self) -> Header:
        self._unread = await super().header()
        return self._unread

    async def payload(self, header: Header) -> bytes:
        self._unread = None
        return await super().payload(header)

    async def fail(self, fault: Fault) -> None:
        self._pending = self._pending or fault
        if self._unread is not None and self._unread.length <= len(self.buffer):
            del self.buffer[: self._unread.length]
        if not self.buffer:
            await super().fail(self._pending)

    async def more(self) -> None:
        if self._pending is not None:
            await super().fail(self._pending)
        await super().more()


@broken("7.1.7", "opcode", caught_by="bad_utf8 bad_nothing_behind")
class bad_text_delivered(Honest):
    """Text that is not UTF-8 is sent back before the connection is failed."""

    def insist(self, fault: Fault) -> None:
        if fault.name == "utf-8":
            self.writer.write(wire.encode(Frame(BINARY, b"".join(self.parts))))
        super().insist(fault)


class _Code(Honest):
    """A fault closes with another code."""

    fault = 0
    code = 0

    async def fail(self, fault: Fault) -> None:
        await super().fail(Fault(fault.name, self.code, fault.why) if fault.code == self.fault else fault)


@broken("7.4.1", "close code", caught_by="bad_unmasked")
class protocol_error_closes_with_1000(_Code):
    """A protocol error is called a normal closure."""

    fault, code = 1002, 1000


@broken("7.4.1", "close code", caught_by="bad_unmasked")
class protocol_error_closes_with_1006(_Code):
    """A protocol error closes with 1006, which is never sent."""

    fault, code = 1002, 1006


@broken("7.4.1", "close code", caught_by="bad_utf8")
class bad_text_closes_with_1000(_Code):
    """Text that is not UTF-8 is called a normal closure."""

    fault, code = 1007, 1000


@broken("7.4.1", "close code", caught_by="bad_utf8")
class bad_text_closes_with_1009(_Code):
    """Text that is not UTF-8 is called too big."""

    fault, code = 1007, 1009


@broken("7.4.1", "code", caught_by="bad_huge_length")
class too_big_closes_with_1000(_Code):
    """A message that is too big is called a normal closure."""

    fault, code = 1009, 1000


@broken("7.1.7", "silence", caught_by="bad_unmasked")
class failure_without_tcp_close(Honest):
    """After a bad frame the server says Close and leaves TCP open until the client closes it."""

    async def fail(self, fault: Fault) -> None:
        await self.send(Frame(CLOSE, fault.code.to_bytes(2, "big")))
        self.over = True
        while await self.reader.read(65536):
            pass
