"""What a script expects of a WebSocket server: frames, messages, Closes, the end, and silence (RFC 6455)."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Any

from lab.scenario.bench import PATIENCE
from lab.scenario.line import Line, brief, incidental
from lab.tcp.state import State
from lab.websocket.frames import Frame, Opcode, ReadFrame, close_body, opcode_name, ping
from lab.websocket.leeway import FITTING, LEEWAY, fits
from lab.websocket.rules import MOST_MESSAGE


class Hearing(Line):
    """What has come, taken from the line in order; what should have come and did not is a problem."""

    # Expecting

    def expect(self, frame: Frame, *, within: float = PATIENCE) -> ReadFrame:
        """The server's next frame is this one: opcode, FIN, reserved bits and payload.

        Its Pings are passed over unless they are asked for, and Pongs that answer no Ping: they may come at any time.
        """
        passing = None if frame.opcode == Opcode.PONG else frame.opcode
        read, packet = self._next_frame(frame.describe(), within, passing=passing)
        for name, wanted, got in (
            ("opcode", opcode_name(frame.opcode), opcode_name(read.frame.opcode)),
            ("fin", frame.fin, read.frame.fin),
            ("rsv", frame.rsv, read.frame.rsv),
            ("payload", frame.payload, read.frame.payload),
        ):
            if wanted != got:
                self._object(name, brief(wanted), brief(got),
                             f"the server's frame is not the one expected, {frame.describe()}: its {name}",
                             _SECTION.get(frame.opcode, "RFC 6455 §5.2"), packet)  # fmt: skip
        return read

    def next_frame(self, opcode: int, *, within: float = PATIENCE) -> ReadFrame:
        """The server's next frame, which must have this opcode, whatever else it says (RFC 6455 §5.2).

        A Ping, or a Pong that answers none, is one where that is asked for.
        """
        name = opcode_name(opcode)
        read, packet = self._next_frame(name, within, passing=opcode)
        if read.frame.opcode != opcode:
            self._object("opcode", name, read.frame.describe(), f"the server's frame should be a {name}",
                         _SECTION.get(opcode, "RFC 6455 §5.2"), packet)  # fmt: skip
        return read

    def expect_pongs(self, *payloads: bytes, within: float = PATIENCE) -> None:
        """A Pong for each of the Pings that were sent with these payloads, in their order (RFC 6455 §5.5.2).

        Permitted, and named in the report: not all of them, but that for the last (§5.5.3).
        """
        left = list(payloads)
        while left:
            frame = self._next_frame(f"a Pong {brief(left[-1])}", within)[0].frame
            if frame.opcode != Opcode.PONG or frame.payload not in left:
                wanted = " or ".join(brief(payload) for payload in (left[0], left[-1]))
                field = "payload" if frame.opcode == Opcode.PONG else "opcode"
                self._object(field, f"PONG {wanted}", frame.describe(), "the server should answer the Pings here, in "
                             "their order", "RFC 6455 §5.5.3", self._at)  # fmt: skip
            if passed := left.index(frame.payload):
                self.bench.remark(LEEWAY["ws-latest-pong"])
            del left[: passed + 1]
        self.bench.say("check", f"{len(payloads)} Pings are answered", self.connection.name)

    def expect_message(self, data: str | bytes, *, within: float = PATIENCE) -> None:
        """The server's next message is this one, text or binary, in as many frames as it likes (RFC 6455 §5.4)."""
        most = len(data.encode() if isinstance(data, str) else data)
        got = self.next_message(within=within, expected=brief(data), most=most)
        self.bench.checks += 1
        if got != data:
            kinds = "text" if isinstance(data, str) else "binary", "text" if isinstance(got, str) else "binary"
            name = "opcode" if kinds[0] != kinds[1] else "payload"
            self._object(name, f"{kinds[0]} {brief(data)}", f"{kinds[1]} {brief(got)}",
                         "the server's message is not the one expected", "RFC 6455 §6.1", self._at)  # fmt: skip

    def next_message(
        self, *, within: float = PATIENCE, expected: str = "a message", most: int = MOST_MESSAGE
    ) -> str | bytes:
        """The server's next message, whatever it is, of `most` octets: str for text, bytes for binary."""
        parts: list[bytes] = []
        opcode, size = Opcode.CONTINUATION, 0
        end = self.bench.now() + 10 * within  # as `_until` has it
        while True:
            read, packet = self._next_frame(expected, within)
            frame = read.frame
            if frame.opcode == Opcode.PONG:
                continue
            if frame.opcode == Opcode.CLOSE:
                if close_body(frame.payload)[0] == 1009 and self.sent_octets > LIKELY_LIMIT:
                    self.bench.cannot_tell(
                        self.connection,
                        f"the server takes no message of that size: {frame.describe()}",
                        "raise its limit, if you can: a limit is its right (RFC 6455 §10.4)",
                    )
                self._object("opcode", expected, frame.describe(), "the server closes where a message was expected",
                             "RFC 6455 §6.1", packet)  # fmt: skip
            if not parts:
                opcode = Opcode(frame.opcode)
            parts.append(frame.payload)
            size += len(frame.payload)
            if frame.fin:
                break
            if size > most or self.bench.now() > end:
                self._object("fin", f"{expected}, and its end", f"{len(parts)} fragments, {size} octets, and no end",
                             "the server's message does not end where it should", "RFC 6455 §5.4", packet)  # fmt: skip
        whole = b"".join(parts)
        data: str | bytes = whole.decode() if opcode == Opcode.TEXT else whole  # the dialogue has seen to UTF-8
        self._agree(data)
        return data

    def hear(self, *, passing: Container[object] = (), within: float = PATIENCE, **fields: object) -> dict[str, Any]:
        """The server's next message is a JSON object that has these fields, and maybe others: the whole object.

        `from_` stands for "from"; objects whose `type` is in `passing` are passed over.
        """
        wanted = {name.rstrip("_"): value for name, value in fields.items()}
        while True:
            text = self.next_message(within=within, expected=brief(json.dumps(wanted)))
            try:
                said = json.loads(text)
            except ValueError:
                said = None
            if not isinstance(said, dict) or said.get("type") not in passing:
                break
        self.bench.checks += 1
        if not isinstance(said, dict) or any(said.get(name) != value for name, value in wanted.items()):
            self._object("payload", json.dumps(wanted), brief(text), "the server's message is not the one expected",
                         "RFC 6455 §6.1", self._at)  # fmt: skip
        return said

    def _agree(self, data: str | bytes) -> None:
        """wsproto must have read the same: two readers that know nothing of each other."""
        if self._raw:
            return
        other = self._read.popleft() if self._read else None
        if other != data:
            self.bench.cannot_tell(
                self.connection,
                f"the lab reads {brief(data)} where wsproto reads {brief(other)}: one of the two readers is wrong",
                "please report this, with the capture",
            )

    def expect_close(self, *codes: int | None, within: float = PATIENCE) -> int | None:
        """The server's next frame is a Close, with one of these codes (None: without a code); any where none is given.

        Returns the code.
        """
        wanted = " or ".join("no code" if code is None else str(code) for code in dict.fromkeys(codes))
        read, packet = self._next_frame(f"a Close {wanted}".rstrip(), within)
        if read.frame.opcode != Opcode.CLOSE:
            self._object("opcode", f"CLOSE {wanted}".rstrip(), read.frame.describe(),
                         "the server should close here", "RFC 6455 §5.5.1", packet)  # fmt: skip
        code, _ = close_body(read.frame.payload)
        if codes and code not in codes:
            self._object("code", wanted, "no code" if code is None else str(code),
                         "the server's Close has another code", "RFC 6455 §7.4.1", packet)  # fmt: skip
        self.bench.say("check", f"Close {code if code is not None else 'without a code'}", self.connection.name)
        return code

    def expect_close_echoed(self, code: int | None) -> None:
        """The server answers our Close with its code, which is what it typically does (RFC 6455 §5.5.1).

        Permitted, and named in the report: another, but none that tells of a failure which has not happened (§7.4.1).
        """
        got = self.expect_close()
        if got != code and got in FAILURES:
            self._object("code", "no code" if code is None else str(code), str(got),
                         "the server's answer to a Close tells of a failure that was none", "RFC 6455 §7.4.1",
                         self._at)  # fmt: skip
        if got != code:
            self.bench.remark(LEEWAY["ws-close-code-not-echoed"])

    def expect_close_behind(self, data: bytes, code: int) -> None:
        """A Close, behind the message that was on its way or in place of its rest (RFC 6455 §5.5.1)."""
        got, whole = b"", False
        while self._frame_ahead() in (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY):
            read, _ = self._next_frame("the message that was on its way", PATIENCE)
            got, whole = got + read.frame.payload, read.frame.fin
        self.bench.checks += 1
        if got != data if whole else not data.startswith(got):
            self._object("payload", brief(data), brief(got), "the server's message is not the one that was on its "
                         "way", "RFC 6455 §6.1", self._at)  # fmt: skip
        self.bench.say("check", f"{len(got)} of {len(data)} octets before the Close", self.connection.name)
        self.expect_close_echoed(code)

    def expect_failed(self, code: int, *also: int, or_taken: bool = False, within: float = PATIENCE) -> None:
        """The server fails the WebSocket connection: a Close with `code`, then the end of TCP (RFC 6455 §7.1.7).

        Permitted, and named in the report: another code that fits as well, as `also` do here, or no Close frame at all;
        with `or_taken`, where no rule makes it fail, also a Close without a code or with 1000, as if all were well.
        """
        self._until(lambda: bool(self._frames_left()) or bool(self.ended), within,
                    f"a Close {code} and the end of the connection")  # fmt: skip
        if not self._frames_left():
            self.bench.checks += 1
            self.bench.remark(LEEWAY["ws-fails-without-close"])
        else:
            fine = (None, 1000) if or_taken else ()
            got = self.expect_close(within=within)
            if got not in (*also, *fine) and (got is None or not fits(got, code)):
                fitting = " or ".join(str(one) for one in FITTING.get(code, (code,)))
                self._object("code", fitting, "no code" if got is None else str(got),
                             "the server's Close does not say what went wrong", "RFC 6455 §7.4.1",
                             self._at)  # fmt: skip
            if got in fine:
                self.bench.remark(LEEWAY["ws-lenient"])
            elif got != code:
                self.bench.remark(LEEWAY["ws-another-code"])
        self.expect_end(within=within)

    def expect_end(self, *, quiet: bool = False, within: float = PATIENCE) -> None:
        """The server closes the TCP connection, before this end does, and sends no frame more (RFC 6455 §7.1.1).

        `quiet`: not even a Ping or a Pong, which could otherwise have been on its way; for where the server has had our
        Close and has answered it.
        """
        self._until(lambda: self._frames_left() or bool(self.ended), within, "the end of the TCP connection",
                    section="RFC 6455 §5.5.1")  # fmt: skip
        self.bench.checks += 1
        for seen, packet in self._seen:
            if seen.frame is not None and (quiet or not incidental(seen)):
                self._object("opcode", "no frame more", seen.text, "the server sends a frame where it should only "
                             "close TCP", "RFC 6455 §5.5.1", packet)  # fmt: skip
        if self.ended == "reset":
            self.bench.remark(LEEWAY["ws-resets"])
        elif self.answers:
            done = State.CLOSED, State.TIME_WAIT
            self.bench.wait_until(lambda: self.client.driver.state in done, within)
        how = "FIN" if self.ended == "fin" else "RST"
        first = "the server closes TCP" + (" first" if not self._finished else "")
        self.bench.say("check", f"{first} ({how})", self.connection.name)

    def expect_taken_or_failed(self, frame: Frame, code: int, *, within: float = PATIENCE) -> bool:
        """No rule names the server's reaction to what it was sent: it takes it, which `frame` shows, or fails (§7.1.7).

        Whether it took it: that is permitted, and named in the report. Messages before `frame` are passed over.
        """
        while (opcode := self._frame_ahead()) in (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY):
            self._next("a message", within)
        if opcode is None or opcode == Opcode.CLOSE:
            self.expect_failed(code, within=within)
            return False
        self.expect(frame, within=within)
        self.bench.remark(LEEWAY["ws-lenient"])
        return True

    def expect_failed_or_waiting(self, code: int) -> bool:
        """By now the server has failed the connection, or it waits for more, which is permitted and named (§10.4).

        Whether it has failed it.
        """
        self.bench.settle()
        self.attend()
        if self._frames_left() or self.ended:
            self.expect_failed(code)
            return True
        self.bench.checks += 1
        self.bench.remark(LEEWAY["ws-lenient"])
        return False

    def expect_over(self, *codes: int | None, within: float = PATIENCE) -> None:
        """The server lets go: with a Close or without one, and then the end of TCP (RFC 6455 §7.1.4).

        `codes` are those that the Close may have (None: no code); any may that may be sent where none is given.
        """
        if self._frame_ahead() == Opcode.CLOSE:
            self.expect_close(*codes, within=within)
        self.expect_end(within=within)

    def expect_ping(self, *, within: float = PATIENCE) -> bytes:
        """The server asks whether this end is still there, with a Ping of any payload, which is returned (§5.5.2)."""
        read, packet = self._next_frame("a Ping", within, passing=Opcode.PING)
        if read.frame.opcode != Opcode.PING:
            self._object("opcode", "PING", read.frame.describe(), "the server should send a Ping here",
                         "RFC 6455 §5.5.2", packet)  # fmt: skip
        self.bench.say("check", read.frame.describe(), self.connection.name)
        return read.frame.payload

    def expect_silence(self, seconds: float) -> None:
        """The server says nothing for that long: no frame, and no segment (RFC 9293 §3.8.4)."""
        self.attend()  # what has come is acknowledged first, or it would come again
        self.bench.settle()
        since = self.bench.now()
        self.bench.wait(seconds)
        self.bench.checks += 1
        for packet in self.peer.segments():
            if packet.sender == "server" and packet.time > since and packet.segment is not None:
                said = self.connection.notation(packet.segment, from_peer=False)
                self._object("silence", f"nothing for {seconds:g} s", said, "the server speaks on a quiet connection",
                             "RFC 9293 §3.8.4", packet)  # fmt: skip
        self.bench.say("check", f"silence for {seconds:g} s", self.connection.name)

    def expect_nothing(self) -> None:
        """The server has nothing more to say: a Ping behind all else is the first to be answered (RFC 6455 §5.5.2)."""
        probe = f"fence {self.bench.chance.randrange(2**32):08x}".encode()
        self.send(ping(probe))
        while True:
            read, packet = self._next_frame("nothing but the Pong of the lab's Ping", PATIENCE, passing=Opcode.PONG)
            if read.frame.opcode == Opcode.PONG and read.frame.payload == probe:
                break
            if read.frame.opcode != Opcode.PONG:
                self._object("silence", "nothing", read.frame.describe(), "the server speaks where it should be silent",
                             "RFC 6455 §6.1", packet)  # fmt: skip
        self.bench.checks += 1
        self.bench.say("check", "nothing more: a Ping behind all else was answered first", self.connection.name)

    def check(self, holds: bool, field: str, expected: str, observed: str, message: str, section: str) -> None:
        """Make a check of the script's own. `message` says what should hold, `section` where it is written."""
        self.bench.checks += 1
        if not holds:
            self._object(field, expected, observed, f"this does not hold: {message}", f"RFC 6455 {section}", self._at)


LIKELY_LIMIT = 500
"""Octets. A server that refuses a message as too big (1009) after more than these may have such a limit."""
FAILURES = (1002, 1003, 1007, 1008, 1009, 1010, 1011)
"""Codes that say what went wrong (RFC 6455 §7.4.1)."""
_SECTION: dict[int, str] = {
    Opcode.PONG: "RFC 6455 §5.5.3",
    Opcode.PING: "RFC 6455 §5.5.2",
    Opcode.CLOSE: "RFC 6455 §5.5.1",
}
