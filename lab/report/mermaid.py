"""The ladder of a run as a Mermaid sequence diagram, which GitHub and others draw where they find it in Markdown."""

from __future__ import annotations

import re
from typing import Final

from lab.report.carried import Carried, carried
from lab.report.rungs import (
    MOST,
    Repeats,
    ack_of,
    beside_the_point,
    details_of,
    failures_of,
    flags_of,
    folded,
    in_short,
    never_came,
    seq_of,
    shortened,
)
from lab.report.text import FAMILIES, UNICODE, count, printable, seconds
from lab.scenario.record import Call, Packet, Result, Verdict
from lab.tcp.state import State

MOST_CHARACTERS: Final = 49_000
"""Mermaid refuses a text of more than 50,000 characters."""
PAUSE: Final = 0.5
"""Seconds of silence that are told."""
_LONGEST: Final = 120
"""Characters of one line on an arrow."""
_PLAIN = re.compile(r"[A-Za-z0-9 .,()/+*=_'!?§✓✗…·→←►◄-]")
_END = re.compile(r"\bend\b", re.IGNORECASE)


def mermaid(result: Result, *, frames: bool = False) -> str:
    """The run as a `sequenceDiagram`, without a fence around it; the same result gives the same text.

    `frames`: with the frames that are not TCP too. Of a run too long for Mermaid the middle is left out.
    """
    most = MOST
    while len(text := _diagram(result, frames, most)) > MOST_CHARACTERS and most > 8:
        most //= 2
    return text


def fenced(diagram: str) -> str:
    """A diagram as it stands in Markdown."""
    return f"```mermaid\n{diagram}```\n"


def escaped(text: str, most: int = _LONGEST) -> str:
    """`text` so that Mermaid reads it as text: each character that might mean something as its entity."""
    text = printable(" ".join(text.split()))
    text = text if len(text) <= most else text[: most - 1] + "…"
    split = _END.sub(lambda found: f"{found[0][0]}\0{found[0][1:]}", text)  # the word ends a block, wherever it stands
    letters = []
    for i, letter in enumerate(split):
        if letter == "\0":
            continue
        hidden = i and split[i - 1] == "\0"
        letters.append(letter if _PLAIN.fullmatch(letter) and not hidden else f"#{ord(letter)};")
    return "".join(letters)


class _Lines:
    """A diagram, line by line."""

    def __init__(self, result: Result) -> None:
        self.result = result
        left, right = result.names
        self.both = f"{left},{right}"
        name = f"{result.name} over {FAMILIES[result.family]}" if result.judged else result.name
        verdict = f": {result.verdict}" if result.judged else ""
        self.lines = ["sequenceDiagram", f"    title {escaped(f'{name}{verdict}')}"]
        for who, address in ((left, result.peer_address), (right, result.server_address)):
            self.lines.append(f"    participant {who} as {escaped(f'{who} {address}'.strip())}")

    def add(self, line: str) -> None:
        self.lines.append(f"    {line}")

    def note(self, text: str, over: str = "") -> None:
        """A note over both lifelines, or where `over` says."""
        self.add(f"Note {over or f'over {self.both}'}: {text}")


def _diagram(result: Result, frames: bool, most: int) -> str:
    out = _Lines(result)
    right = result.names[1]
    entries = [e for e in result.timeline if frames or not beside_the_point(e, result)]
    packets = [e for e in entries if isinstance(e, Packet)]
    tags = len({p.connection for p in packets if p.connection}) > 1
    read = carried(result)
    states: dict[str, tuple[State | None, State | None]] = {}
    last: float | None = None
    for entry in shortened(folded(entries, result), result, most):
        if isinstance(entry, int):
            out.note(f"… {count(entry, 'entry', 'entries')} left out")
            continue
        if isinstance(entry, Repeats):
            out.note(f"… {entry.count} more like it, the last after {seconds(entry.packet.time)}")
            last = entry.packet.time
            continue
        if isinstance(entry, Call) and entry.kind == "check":
            continue
        if last is not None and entry.time - last >= PAUSE:
            out.note(f"{seconds(entry.time - last)} later")
        last = entry.time
        tag = f"{entry.connection}#58; " if tags and entry.connection else ""
        if isinstance(entry, Call):
            out.note(tag + escaped(entry.text), f"right of {right}" if entry.kind == "call" else "")
            continue
        _arrow(out, entry, tag, read.get(entry.number))
        was = states.get(entry.connection, (None, None))
        now = states[entry.connection] = entry.peer_state, entry.server_state
        changed = [
            (who, state.value)
            for who, state, before in zip(result.names, now, was, strict=True)
            if state is not None and state is not before
        ]
        if len(changed) == 2:
            out.note(tag + ", ".join(f"{who} {state}" for who, state in changed))
        for who, state in changed if len(changed) == 1 else ():
            out.note(tag + state, f"over {who}")
    shown = [problem for packet in packets for problem in failures_of(packet, result)]
    for problem in result.problems:
        if problem not in shown:
            sign = "✗" if problem.verdict is Verdict.VIOLATES else "!"
            out.note(escaped(f"{sign} {in_short(problem, UNICODE)}", 2 * _LONGEST))
    if not packets:
        out.note("no packet was seen")
    return "\n".join(out.lines) + "\n"


def _arrow(out: _Lines, packet: Packet, tag: str, read: Carried | None) -> None:
    """A packet: an arrow with what it is and what it carries."""
    left, right = out.result.names
    one, other = (right, left) if packet.sender == "server" else (left, right)
    if packet.segment is None:
        out.add(f"{one}-->>{other}: {tag}{escaped(packet.summary or 'not TCP')}")
        return
    words = [flags_of(packet), seq_of(packet), ack_of(packet)]
    words.append(f"len {len(packet.segment.payload)}" if packet.segment.payload else "")
    label = [tag + escaped(" ".join(word for word in words if word))]
    label += [escaped(line) for line in (read.lines() if read else [])]
    details = " · ".join(details_of(packet, read, 24))
    label += [f"({escaped(details)})"] if details else []
    way = "-x" if never_came(packet) else "->>"
    if packet.sender in ("kernel", "other"):
        way = "-->>"
        who = "the lab's own kernel, not by the lab" if packet.sender == "kernel" else "somebody else"
        label.append(f"! sent by {who}")
    out.add(f"{one}{way}{other}: {'<br/>'.join(label)}")
    for problem in failures_of(packet, out.result):
        out.note(escaped(f"✗ {in_short(problem, UNICODE)}", 2 * _LONGEST))
