"""The Mermaid diagram: in the language that Mermaid reads, whatever a run carried, and true to it."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.report.mermaid import MOST_CHARACTERS, escaped, fenced, mermaid
from lab.scenario.record import Call, Problem, Result, Verdict
from lab.tcp.state import State

THREE_SEGMENTS = """\
sequenceDiagram
    title handshake/three_segments over IPv4#58; conforms
    participant lab as lab 198.51.100.2
    participant server as server 198.51.100.1
    Note right of server: listen()
    lab->>server: SYN seq 0<br/>(mss 1460 · sack · ts · ws 7)
    Note over lab,server: lab SYN-SENT, server SYN-RECEIVED
    server->>lab: SYN+ACK seq 0 ack 1<br/>(mss 1460 · sack · ts · ws 7)
    Note over lab: ESTABLISHED
    lab->>server: ACK seq 1 ack 1
    Note over server: ESTABLISHED
    Note right of server: accept()
"""

# What Mermaid takes for the text of a message, note, title or alias: up to the end of the line, no `#` but as an
# entity, no `;` but at the end of one. Beyond that, nothing that its preprocessor, its HTML sanitiser or its
# mathematics would look at, and no word that ends a block.
_TEXT = r"(?:#\d+;|<br/>|[^#;<>&%{}$\\\"`\n])+"
_END = r"(?:lab|server|client)"
_STATEMENTS = [
    re.compile(rf"title (?P<text>{_TEXT})"),
    re.compile(rf"participant {_END} as (?P<text>{_TEXT})"),
    re.compile(rf"{_END}(?:->>|-->>|-x){_END}: (?P<text>{_TEXT})"),
    re.compile(rf"Note (?:right of {_END}|over {_END}(?:,{_END})?): (?P<text>{_TEXT})"),
]


def read(diagram: str) -> list[str]:
    """The texts of a diagram as a reader sees them. Raises AssertionError for a line that Mermaid might misread."""
    first, *lines = diagram.splitlines()
    assert first == "sequenceDiagram"
    assert diagram.endswith("\n")
    found = []
    for line in lines:
        assert line.startswith("    "), line
        statement = next((m for pattern in _STATEMENTS if (m := pattern.fullmatch(line[4:]))), None)
        assert statement is not None, line
        text = statement["text"]
        assert not re.search(r"\bend\b", text, re.IGNORECASE), line
        assert not re.match(r"\s*(?:no)?wrap:", text), line
        found.append(html.unescape(re.sub(r"#(\d+);", r"&#\1;", text.replace("<br/>", "\n"))))
    return found


@pytest.mark.parametrize(
    "line",
    [
        "lab->server: a",
        "lab->>nobody: a",
        "lab->>server: a; b",
        "lab->>server: a # b",
        "lab->>server: the end of it",
        "lab->>server: <b>a</b>",
        "lab->>server:",
        "Note left of lab: a",
        "%% a",
    ],
)
def test_the_reader_is_strict(line: str) -> None:
    with pytest.raises(AssertionError):
        read(f"sequenceDiagram\n    {line}\n")


def test_three_segments_as_they_are_written(conforming: Result) -> None:
    assert mermaid(conforming) == THREE_SEGMENTS
    assert read(mermaid(conforming))[0] == "handshake/three_segments over IPv4: conforms"
    assert fenced("sequenceDiagram\n") == "```mermaid\nsequenceDiagram\n```\n"


def test_a_failure_stands_below_its_packet(violating: Result) -> None:
    found = read(mermaid(violating))
    at = next(i for i, text in enumerate(found) if text.startswith("SYN+ACK seq 0 ack 2"))
    assert found[at + 1] == "✗ ack: expected 1, observed 2"


def test_a_failure_that_no_packet_shows_stands_last(conforming: Result) -> None:
    conforming.problems = [Problem(Verdict.VIOLATES, "the end; it owes an answer")]
    assert read(mermaid(conforming))[-1] == "✗ the end; it owes an answer"


def test_what_the_network_does(make_packet, conforming: Result) -> None:
    conforming.timeline = [
        make_packet(1, 0.0, "server", "PA", 1, 1, payload=b"a", note="lost on the way"),
        make_packet(2, 0.6, "server", "PA", 1, 1, payload=b"a", note="retransmission"),
    ]
    lines = mermaid(conforming).splitlines()[4:]
    assert lines == [
        "    server-xlab: PSH+ACK seq 1 ack 1 len 1<br/>(lost on the way · #34;a#34;)",
        "    Note over lab,server: 600 ms later",
        "    server->>lab: PSH+ACK seq 1 ack 1 len 1<br/>(retransmission · #34;a#34;)",
    ]


def test_heads_and_frames_stand_on_the_arrow(make_packet, conforming: Result) -> None:
    get = b"GET /;x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"
    conforming.timeline = [make_packet(1, 0.0, "peer", "PA", 1, 1, payload=get)]
    assert read(mermaid(conforming))[-1] == f"PSH+ACK seq 1 ack 1 len {len(get)}\nGET /;x HTTP/1.1"


def test_repeats_are_counted_and_connections_named(make_packet, conforming: Result) -> None:
    states = State.ESTABLISHED, State.ESTABLISHED
    conforming.timeline = [make_packet(n, n / 1000, "peer", "A", 1, 1, states, connection="A") for n in range(1, 101)]
    conforming.timeline.append(make_packet(101, 0.2, "peer", "A", 1, 1, states, connection="B"))
    found = read(mermaid(conforming))
    assert found.count("A: ACK seq 1 ack 1") == 3
    assert "… 97 more like it, the last after 100 ms" in found
    assert found[-2:] == ["B: ACK seq 1 ack 1", "B: lab ESTABLISHED, server ESTABLISHED"]


def test_a_run_too_long_for_mermaid_is_cut_in_the_middle(make_packet, conforming: Result) -> None:
    note = "#" * 110
    conforming.timeline = [make_packet(n, n / 1000, "peer", "A", n, 1, note=note) for n in range(1, 400)]
    text = mermaid(conforming)
    assert 1000 < len(text) <= MOST_CHARACTERS
    found = read(text)
    assert any("ACK seq 1 ack" in t for t in found)
    assert any("ACK seq 399 ack" in t for t in found)
    assert [t for t in found if t.endswith("left out")] == ["… 339 entries left out"]


def test_nothing_at_all(conforming: Result) -> None:
    assert read(mermaid(replace(conforming, timeline=[])))[-1] == "no packet was seen"


def test_names_of_a_capture(conforming: Result) -> None:
    foreign = replace(
        conforming, name="a.pcapng", names=("client", "server"), judged=False, peer_address="[2001:db8::1]:80"
    )
    found = read(mermaid(foreign))
    assert found[:2] == ["a.pcapng", "client [2001:db8::1]:80"]


@given(st.text(max_size=200) | st.lists(st.sampled_from(["end", "END;", "#35;", "%%{init: {}}%%", "wrap:", "\n", "a"])))
def test_whatever_text_is_read_as_it_is(words: str | list[str]) -> None:
    text = words if isinstance(words, str) else " ".join(words)
    result = Result("a", "b", "ipv4", Verdict.CONFORMS, timeline=[Call(0.0, 0, "call", f"x{text}", "A")])
    got = read(mermaid(result))[3]
    assert got.startswith("x")
    if text.isascii() and text.isprintable() and len(text) < 100:
        assert got == " ".join(f"x{text}".split())


def test_escapes() -> None:
    assert escaped('a;b #1 "end" END bend') == "a#59;b #35;1 #34;e#110;d#34; E#78;D bend"
    assert escaped("a\nb") == "a b"
    assert escaped("x" * 130) == "x" * 119 + "…"
