"""What happened in one step of a session, as a lesson looks at it: segments, calls, frames, states; never the words
that were typed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from lab.explore.lessons.lesson import Condition, FrameShape, Shape
from lab.explore.play import Play
from lab.explore.session import Session, Step
from lab.report.text import flag_words
from lab.scenario.record import DELAYED, LOST, Call, Packet
from lab.tcp.segment import ACK, FIN, PSH, RST, SYN, URG, Flags, flags_from
from lab.tcp.world import RETRANSMISSION
from lab.websocket.frames import opcode_name

OLD = "old duplicate"
_OF_INTEREST = SYN | FIN | RST | ACK | URG
_FAR = 2**20
"""A number so far from where its sender began is counted from elsewhere: that of a RST to an unknown connection."""
_HEADER = 20
"""Octets of TCP's header without options (RFC 9293 §3.1)."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What our end would have sent before the step, counted from the SYNs; None where that is not known."""

    snd_nxt: int | None = None
    rcv_nxt: int | None = None


@dataclass(slots=True)
class Occasion:
    """One thing that happened on the connection of a lesson."""

    play: Play
    entries: list[Packet | Call] = field(default_factory=list)
    before: Numbers = Numbers()
    frames: list[tuple[str, str, bool]] = field(default_factory=list)
    """Whole WebSocket frames: by whom, the opcode's name, whether masked."""
    looked: str = ""
    of: Packet | None = None
    refused: str = ""
    answer: str | None = None

    @property
    def ours(self) -> list[Packet]:
        """What went out on the connection."""
        return [e for e in self.entries if isinstance(e, Packet) and e.sender == "peer" and e.segment is not None]

    @property
    def theirs(self) -> list[Packet]:
        """What came."""
        return [e for e in self.entries if isinstance(e, Packet) and e.sender == "server" and e.segment is not None]

    @property
    def arrived(self) -> list[Packet]:
        """What of ours was not lost on the way."""
        return [packet for packet in self.ours if packet.note not in (LOST, DELAYED)]

    @property
    def lost(self) -> bool:
        """Whether something went out, and nothing of it arrived."""
        return bool(self.ours) and not self.arrived

    @property
    def calls(self) -> list[Call]:
        """What the server's program called."""
        return [e for e in self.entries if isinstance(e, Call) and e.kind in ("call", "check")]


def occasion(session: Session, play: Play, step: Step, before: Numbers) -> Occasion:
    """What a step was for the connection of a lesson."""
    from lab.report.carried import carried

    entries = [e for e in step.entries if e.connection in (play.name, "")]
    frames: list[tuple[str, str, bool]] = []
    if play.web is not None:
        by_number = carried(session.result())
        for packet in entries:
            if isinstance(packet, Packet) and packet.number in by_number:
                for told in by_number[packet.number].told():
                    if told["kind"] == "frame" and told["whole"]:
                        by = "lab" if packet.sender == "peer" else "server"
                        frames.append((by, opcode_name(told["opcode"]), bool(told["masked"])))
    return Occasion(play, entries, before, frames)


def holds(condition: Condition, seen: Occasion, said: dict[str, str], words: tuple[str, ...] = ()) -> bool:
    """Whether what happened is what the condition asks for. `words` are the answers of the language's texts."""
    c, connection = condition, seen.play.connection
    return (
        (c.sends is None or any(_looks(c.sends, packet, seen.before) for packet in seen.arrived))
        and (c.gets is None or any(_looks(c.gets, packet, Numbers()) for packet in seen.theirs))
        and (not c.lab or connection.peer_state in c.lab)
        and (not c.server or connection.server_state in c.server)
        and (not c.record or any(call.text.startswith(c.record) for call in seen.calls))
        and (not c.web or (seen.play.web is not None and seen.play.web.state == c.web))
        and (not c.paths or (seen.play.web is not None and seen.play.web.site.resource.partition("?")[0] in c.paths))
        and all(any(_is_frame(shape, frame) for frame in seen.frames) for shape in c.frames)
        and (not c.looks or c.looks == seen.looked)
        and (c.of is None or (seen.of is not None and _looks(c.of, seen.of, Numbers())))
        and (not c.refused or c.refused == seen.refused)
        and (not c.answer or _answers(seen.answer, [*(a.format(**said) for a in c.answer), *words]))
    )


def _looks(shape: Shape, packet: Packet, before: Numbers) -> bool:
    segment = packet.segment
    if segment is None or (shape.by and (shape.by == "server") != (packet.sender == "server")):
        return False
    if shape.flags is not None and segment.flags & _OF_INTEREST != flags_from(shape.flags) & ~PSH:
        return False
    if shape.text is not None and bool(segment.payload) != shape.text:
        return False
    if shape.by is None and shape.old != (packet.note == OLD):
        return False
    return _number(shape.seq, packet.seq, before.snd_nxt) and _number(shape.ack, packet.ack, before.rcv_nxt)


def _number(wanted: int | str | None, is_: int | None, right: int | None) -> bool:
    if wanted is None or isinstance(wanted, int):
        return wanted is None or is_ == wanted
    if is_ is None or right is None:
        return False
    return wanted == ("low" if is_ < right else "high" if is_ > right else "right")


def _is_frame(shape: FrameShape, frame: tuple[str, str, bool]) -> bool:
    by, opcode, masked = frame
    return (shape.by, shape.opcode) == (by, opcode) and (shape.masked is None or shape.masked == masked)


# Answers

_COUNTED = (
    ("零", "zero", "none", "〇", "没有", "不占", "不消耗", "不占用"),
    ("一", "one", "first"),
    ("二", "two", "second", "两", "兩"),
    ("三", "three", "third"),
    ("四", "four", "fourth"),
    ("五", "five", "fifth"),
    ("六", "six", "sixth"),
    ("七", "seven", "seventh"),
    ("八", "eight"),
    ("九", "nine"),
    ("十", "ten"),
    ("十一", "eleven"),
    ("十二", "twelve"),
)
_NUMBERS = {word: number for number, words in enumerate(_COUNTED) for word in words} | {
    "twenty": 20,
    "twentyfour": 24,
    "twenty-four": 24,
    "twenty four": 24,
}
_AROUND = re.compile(
    r"^(((the|an?|is|it is|it's|osi('s)?|layer|number)\s+)|no\.?\s*(?=\d)|l(?=\d)|layer(?=\d)|第|是|在|它)"
    r"|\s*(octets?|bytes?|words?|numbers?|layers?|segments?|connections?"
    r"|个?字节|个?八位组|个?序列号|个?序号|个?报文段|个?连接|个|层|層|条|次|号)$",
    re.IGNORECASE,
)
_TENS = re.compile(r"([一二两三四五六七八九]?)十([一二三四五六七八九]?)")


def normal(word: str) -> str:
    """An answer without what does not matter: "the 2nd layer", "Layer two", "第二层" and "２" are all "2"."""
    text = unicodedata.normalize("NFKC", word).casefold().strip(" \t.,;!?。！？\"'`“”")
    while (shorter := _AROUND.sub("", text).strip()) != text and shorter:
        text = shorter
    text = re.sub(r"^(\d+)\s*\+\s*([a-z._]+)$", r"\2+\1", re.sub(r"\s+plus\s+", "+", text))
    if re.fullmatch(r"0x[0-9a-f]{1,8}", text):
        return str(int(text, 16))
    if text in _NUMBERS:
        return str(_NUMBERS[text])
    if found := _TENS.fullmatch(text):
        return str(_NUMBERS.get(found[1], 1) * 10 + _NUMBERS.get(found[2], 0))
    text = re.sub(r"(?<=\d)(st|nd|rd|th)$", "", text)
    return re.sub(r"[\s_-]+|(?<=\d),(?=\d{3})", "", text)


def _answers(given: str | None, right: list[str]) -> bool:
    return given is not None and normal(given) in {normal(word) for word in right}


# What texts may name


def values(session: Session, play: Play) -> dict[str, str]:
    """What stands for the words in braces, "?" for what is not known (yet)."""
    connection = play.connection
    x, y = connection.peer_isn, connection.conversation.server_isn
    packets = [
        e for e in session.bench.timeline if isinstance(e, Packet) and e.connection == play.name and e.segment
    ]  # fmt: skip
    sent = next((p for p in reversed(packets) if p.sender == "peer"), None)
    got = next((p for p in reversed(packets) if p.sender == "server" and p.note != RETRANSMISSION), None)
    names = session.names() if session.hand is play else {}
    mine, theirs = names.get("snd_nxt"), names.get("rcv_nxt")
    return {
        "x": str(int(x)),
        "y": "?" if y is None else str(int(y)),
        "lab": str(connection.peer_state),
        "server": str(connection.server_state),
        "sent": in_words(sent),
        "got": in_words(got),
        "seq": counted("x", sent.seq if sent else None),
        "ack": counted("y", sent.ack if sent else None),
        "got_seq": counted("y", got.seq if got else None),
        "got_ack": counted("x", got.ack if got else None),
        "got_text": str(len(got.segment.payload)) if got and got.segment else "?",
        "snd_nxt": counted("x", None if mine is None else (mine - int(x) + 2**31) % 2**32 - 2**31),
        "rcv_nxt": counted("y", None if theirs is None or y is None else (theirs - int(y)) % 2**32),
        "snd_nxt_absolute": "?" if mine is None else str(mine),
        "rcv_nxt_absolute": "?" if theirs is None else str(theirs),
        "tcp_header": str(_HEADER + len(got.segment.options)) if got and got.segment else "?",
        "frame_length": str(len(got.frame)) if got else "?",
        "number": str(got.number) if got else "?",
        "connection": play.name,
    }


def counted(base: str, relative: int | None) -> str:
    """A number as the figures write it: "x", "y+1", "x-10"; "?" where its start is not known."""
    if relative is None:
        return "?"
    return base if relative == 0 else f"{base}{relative:+d}"


def in_words(packet: Packet | None) -> str:
    """A segment as the figures write it: "SYN+ACK seq=y ack=x+1"."""
    if packet is None or packet.segment is None:
        return "?"
    segment = packet.segment
    mine, other = ("x", "y") if packet.sender == "peer" else ("y", "x")
    shown = segment.flags & ~(PSH | Flags.ECE | Flags.CWR)
    said = flag_words(shown)
    if packet.seq is not None:
        known = abs(packet.seq) < _FAR
        said += f" seq={counted(mine, packet.seq) if known else int(segment.seq)}"
    if ACK in segment.flags and packet.ack is not None:
        said += f" ack={counted(other, packet.ack)}"
    return said + (f" len {len(segment.payload)}" if segment.payload else "")
