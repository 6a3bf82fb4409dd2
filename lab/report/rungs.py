"""What the rungs of a ladder are, whatever it is drawn with: which entries of a run, in which words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab.report.carried import Carried
from lab.report.text import Glyphs, flag_words, said
from lab.scenario.record import DELAYED, LOST, Call, Packet, Problem, Result
from lab.tcp.options import Kind, Option
from lab.tcp.segment import ACK, SYN, Segment
from lab.tcp.world import RETRANSMISSION

ALIKE = 3
"""Of packets that repeat each other, so many are drawn before the rest is counted."""
MOST = 240
"""Of a longer run only the first and the last half of so many entries are drawn, and those that failed."""
REPEATED = (RETRANSMISSION, "repeated", "opens again")
"""Notes on a segment that was sent before, with the same numbers."""
NEVER_CAME = (LOST, DELAYED)
"""Notes on a segment that its receiver did not see then: the script had the network lose it, or hold it back."""


@dataclass(slots=True)
class Repeats:
    """Stands for packets that repeat the one before them."""

    count: int
    packet: Packet


def beside_the_point(entry: Packet | Call, result: Result) -> bool:
    """Whether it is a frame that is not TCP and that nobody meant, or a fence of the lab's, in order."""
    if not isinstance(entry, Packet) or entry.sender in ("kernel", "other"):
        return False
    if entry.meant or (entry.segment is not None and not entry.note.startswith("fence")):
        return False
    return not failures_of(entry, result)


def folded(entries: list[Packet | Call], result: Result) -> Iterator[Packet | Call | Repeats]:
    """The entries, of those that repeat each other only the first ALIKE, and how many more there were."""
    alike: list[Packet] = []
    for entry in [*entries, None]:
        failed = isinstance(entry, Packet) and bool(failures_of(entry, result))
        if isinstance(entry, Packet) and alike and not failed and _look(entry) == _look(alike[0]):
            alike.append(entry)
            continue
        yield from alike[:ALIKE]
        if len(alike) == ALIKE + 1:
            yield alike[ALIKE]
        elif len(alike) > ALIKE:
            yield Repeats(len(alike) - ALIKE, alike[-1])
        alike = []
        if isinstance(entry, Packet) and not failed:
            alike = [entry]
        elif entry is not None:
            yield entry


def _look(packet: Packet) -> object:
    s = packet.segment
    shown = (s.flags, len(s.payload)) if s else packet.summary
    states = packet.peer_state, packet.server_state
    return packet.sender, shown, packet.seq, packet.ack, packet.connection, states, packet.note


def shortened(
    entries: Iterable[Packet | Call | Repeats], result: Result, most: int = MOST
) -> Iterator[Packet | Call | Repeats | int]:
    """The entries, or of more than `most` the first and the last, those that failed, and how many are left out."""
    everything = list(entries)
    half = most // 2
    out = 0
    for i, entry in enumerate(everything):
        failed = isinstance(entry, Packet) and bool(failures_of(entry, result))
        if half <= i < len(everything) - half and not failed:
            out += 1
            continue
        if out:
            yield out
            out = 0
        yield entry


def never_came(packet: Packet) -> bool:
    """Whether its receiver did not see it when it was sent."""
    return any(note in packet.note for note in NEVER_CAME)


def flags_of(packet: Packet) -> str:
    """Its control bits in words, "" for a frame that is not TCP."""
    return flag_words(packet.segment.flags) if packet.segment else ""


def seq_of(packet: Packet) -> str:
    """Its sequence number, relative where it can be; a star marks one as it stands in the segment."""
    assert packet.segment is not None
    return f"seq {packet.seq}" if packet.seq is not None else f"seq {packet.segment.seq}*"


def ack_of(packet: Packet) -> str:
    """Its acknowledgement number, told alike; "" where the ACK bit is not set."""
    assert packet.segment is not None
    if ACK not in packet.segment.flags:
        return ""
    return f"ack {packet.ack}" if packet.ack is not None else f"ack {packet.segment.ack}*"


def details_of(packet: Packet, read: Carried | None, most: int) -> list[str]:
    """What does not stand on its arrow: a SYN's options, the note, the first `most` octets that are no frame."""
    segment = packet.segment
    if segment is None:
        return [packet.note] if packet.note else []
    details = [option_in_short(o) for o in segment.parsed_options if o.kind != Kind.NOP] if SYN in segment.flags else []
    details += [packet.note] if packet.note else []
    if segment.payload and not (read and read.lines()):
        details.append(preview(segment, most))
    return details


def failures_of(packet: Packet, result: Result) -> list[Problem]:
    """The problems that concern a packet."""
    return [p for i, p in enumerate(result.problems) if packet.problem == i or p.frame == packet.number]


def in_short(problem: Problem, glyphs: Glyphs) -> str:
    """What was wrong, in a line."""
    if problem.field and problem.expected:
        expected, observed = said(problem.expected, glyphs), said(problem.observed, glyphs) or "nothing"
        return f"{problem.field}: expected {expected}, observed {observed}"
    return problem.message


def option_in_short(option: Option) -> str:
    """An option in a word, as an expert would say it and a newcomer may look it up."""
    if not option.sound:
        return f"option {option.kind} malformed"
    number = int.from_bytes(option.data)
    match option.kind:
        case Kind.MSS if len(option.data) == 2:
            return f"mss {number}"
        case Kind.WINDOW_SCALE if len(option.data) == 1:
            return f"ws {number}"
        case Kind.SACK_PERMITTED if not option.data:
            return "sack"
        case Kind.TIMESTAMPS if len(option.data) == 8:
            return "ts"
    return f"option {option.kind}"


def preview(segment: Segment, most: int) -> str:
    """The first octets of the payload in quotes, for the eye."""
    shown = "".join(chr(b) if 32 <= b < 127 else "." for b in segment.payload[:most])
    return f'"{shown}"' + ("..." if len(segment.payload) > most else "")
