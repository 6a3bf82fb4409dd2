"""The stack on a desk: no sockets, no namespace, no waiting. A test plays the peer, the program and the clock."""

from __future__ import annotations

import base64
import json
from typing import Any

import raw_frames as wire
from raw_control import Control
from raw_frames import ACK, FIN, PSH, RST, SYN, Seg
from raw_tcp import CIRCLE, Honest, Stack

SERVER = {"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"}
PEER = {"ipv4": "198.51.100.2", "ipv6": "2001:db8::2"}
SERVER_MAC, PEER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")

X = 0xFFFFFFFF
"""The peer's first number: its SYN wraps, and so does everything behind it."""

LETTERS = {"S": SYN, "A": ACK, "F": FIN, "R": RST, "P": PSH}


class Desk:
    """One server, one peer, one clock. Numbers in `says` and in what it returns count from each side's SYN."""

    def __init__(self, hooks: Honest | None = None, family: str = "ipv4") -> None:
        self.family = family
        self.clock = 1000.0
        self.out: list[Seg | None] = []
        self.lines: list[dict[str, Any]] = []
        addresses = [SERVER[family]]
        self.stack = Stack(hooks or Honest(), SERVER_MAC, addresses, self._transmit, lambda: self.clock)
        self.control = Control(self, self.stack, "desk", {"addresses": SERVER})  # type: ignore[arg-type]
        self.stack.neighbours[PEER[family]] = PEER_MAC
        self.y: dict[int, int] = {}
        """For each port of the peer, the server's ISN once it was seen."""
        self.x: dict[int, int] = {}
        self.port = 0
        self("hello", version=1)

    # What the control connection is to the stack

    def sendall(self, octets: bytes) -> None:
        """The server's answers come here."""
        self.lines += [json.loads(line) for line in octets.splitlines()]

    def _transmit(self, frame: bytes) -> None:
        content = wire.read(frame)
        assert not isinstance(content, wire.Question | wire.Introduction)
        self.out.append(content)

    # What the program does

    def __call__(self, call: str, **arguments: Any) -> Any:
        """The result of a call; an error as its errno or kind."""
        self.lines.clear()
        self.control.line(json.dumps({"id": 7, "call": call, **arguments}).encode())
        self.control.settle()
        (answer,) = self.lines
        return answer["ok"] if "ok" in answer else answer["error"]["errno"] or answer["error"]["kind"]

    def listen(self, **options: int) -> int:
        """A listener, to which the peer will talk."""
        made = self("listen", family=self.family, options=options)
        self.port = made["port"]
        return int(made["socket"])

    def accept(self, listener: int) -> Any:
        """The accepted socket, or "timeout"."""
        got = self("accept", socket=listener, timeout=0)
        return got["socket"] if isinstance(got, dict) else got

    def writes(self, handle: int, data: bytes) -> list[str]:
        """The program sends; what goes out."""
        self("send", socket=handle, data=base64.b64encode(data).decode(), timeout=0)
        return self.sent()

    def reads(self, handle: int) -> bytes | str:
        """What receive() gives now: data, "end", or the error."""
        got = self("receive", socket=handle, size=65536, timeout=0)
        if isinstance(got, dict):
            return "end" if got["end"] else base64.b64decode(got["data"])
        return str(got)

    def does(self, call: str, handle: int) -> list[str]:
        """close, abort or shutdown; what goes out."""
        self(call, socket=handle)
        return self.sent()

    def state(self, sport: int = 40000) -> str:
        """The state that the server reports."""
        local, remote = [SERVER[self.family], self.port], [PEER[self.family], sport]
        return str(self("state", family=self.family, local=local, remote=remote)["state"])

    # What the peer does

    def says(
        self,
        flags: str,
        seq: int = 0,
        ack: int = 0,
        payload: bytes = b"",
        *,
        window: int = 65535,
        options: tuple[tuple[int, bytes], ...] = (),
        sport: int = 40000,
        x: int = X,
        checksum: int | None = None,
    ) -> list[str]:
        """The peer sends a segment; what goes out for it at once."""
        self.x[sport] = x
        bits = sum(LETTERS[letter] for letter in flags)
        number = (ack + self.y.get(sport, 0)) % CIRCLE if bits & ACK else 0
        source, destination = PEER[self.family], SERVER[self.family]
        seg = Seg(
            source, destination, sport, self.port, (x + seq) % CIRCLE, number, bits, window, list(options), payload
        )
        right = wire.right_checksum(seg)
        self.stack.frame_arrives(wire.tcp_frame(seg, PEER_MAC, SERVER_MAC, right if checksum is None else checksum))
        self.control.settle()
        return self.sent()

    def opens(self, **more: Any) -> int:
        """Listen, three segments, accept: the accepted socket, 0 where there is none."""
        listener = self.listen()
        self.says("S", **more)
        self.says("A", 1, 1, sport=more.get("sport", 40000), x=more.get("x", X))
        accepted = self.accept(listener)
        return accepted if isinstance(accepted, int) else 0

    # What goes by

    def passes(self, seconds: float) -> list[str]:
        """Time passes; what goes out meanwhile, each with the time since."""
        start, end, seen = self.clock, self.clock + seconds, []
        while (due := self.stack.next_timer()) is not None and due <= end:
            self.clock = max(due, self.clock)
            self.stack.run_timers()
            seen += [f"+{self.clock - start:.1f} {line}" for line in self.sent()]
        self.clock = end
        self.control.settle()
        return seen

    def sent(self) -> list[str]:
        """What went out since the last look, as lines like `SA seq 0 ack 1 win 65535`."""
        out, self.out = self.out, []
        return [self._line(seg) for seg in out]

    def _line(self, seg: Seg | None) -> str:
        if seg is None:
            return "a frame that no receiver takes"
        sport = seg.dport
        letters = "".join(letter for letter in "SFRPA" if seg.flags & LETTERS[letter])
        if seg.has(SYN):
            self.y.setdefault(sport, seg.seq)
        base = self.y.get(sport, 0)
        line = f"{letters} seq {(seg.seq - base) % CIRCLE}"
        if seg.has(ACK):
            line += f" ack {(seg.ack - self.x.get(sport, X)) % CIRCLE}"
        if not seg.has(RST):
            line += f" win {seg.window}"
        if seg.payload:
            line += f" {seg.payload!r}"
        names = {2: "mss", 3: "ws", 4: "sack-ok", 5: "sack", 8: "ts"}
        if kinds := [names[kind] for kind, _ in seg.options if kind in names]:
            line += " " + ",".join(kinds)
        return line
