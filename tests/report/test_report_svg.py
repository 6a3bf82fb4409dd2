"""The SVG picture: well-formed, self-contained, nothing outside, nothing on top of something else, and true."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import pytest

from lab.report.ink import BANDS, PAGE, TEXT
from lab.report.spacing import apart, ticks, to_scale
from lab.report.svg import svg
from lab.scenario.record import Call, Packet, Problem, Result, Verdict
from lab.tcp.state import State

SVG = "{http://www.w3.org/2000/svg}"

# Helvetica's widths in thousandths of an em, from its AFM file.
_HELVETICA = {
    **dict.fromkeys("0123456789abdeghnopqu_$?L", 556),
    **dict.fromkeys("ABEKPSVXY&", 667),
    **dict.fromkeys("CDHNRUw", 722),
    **dict.fromkeys("csvxyzkJ", 500),
    **dict.fromkeys(" .,:;/!fItij|l'[]()\N{NO-BREAK SPACE}\\", 300),
    **dict.fromkeys('-r"', 355),
    **dict.fromkeys("GOQ", 778),
    **dict.fromkeys("FTZ", 611),
    **dict.fromkeys("mM", 833),
    **dict.fromkeys("+=<>~", 584),
}


@dataclass(frozen=True)
class Box:
    """A piece of text where it stands, maybe turned."""

    text: str
    corners: tuple[tuple[float, float], ...]


def boxes(root: ET.Element) -> Iterator[Box]:
    """Every text of the picture as a rectangle."""

    def walk(element: ET.Element, dx: float, dy: float, turn: float) -> Iterator[Box]:
        if found := re.match(r"translate\(([-\d.]+) ([-\d.]+)\) rotate\(([-\d.]+)\)", element.get("transform", "")):
            dx, dy, turn = float(found[1]), float(found[2]), math.radians(float(found[3]))
        if element.tag == f"{SVG}text":
            text, size = "".join(element.itertext()), float(element.get("font-size", "0"))
            wide = sum(_HELVETICA.get(letter, 1000) for letter in text) * size / 1000
            x, y = float(element.get("x", "0")), float(element.get("y", "0"))
            x -= {"middle": wide / 2, "end": wide}.get(element.get("text-anchor", ""), 0)
            rectangle = [
                (x, y - 0.72 * size),
                (x + wide, y - 0.72 * size),
                (x + wide, y + 0.2 * size),
                (x, y + 0.2 * size),
            ]
            cos, sin = math.cos(turn), math.sin(turn)
            yield Box(text, tuple((dx + a * cos - b * sin, dy + a * sin + b * cos) for a, b in rectangle))
        for child in element:
            yield from walk(child, dx, dy, turn)

    yield from walk(root, 0, 0, 0)


def overlap(one: Box, other: Box) -> bool:
    """Whether two rectangles have a point in common: no line separates them."""
    for box in (one, other):
        for (ax, ay), (bx, by) in pairwise((*box.corners, box.corners[0])):
            nx, ny = by - ay, ax - bx
            a = [nx * x + ny * y for x, y in one.corners]
            b = [nx * x + ny * y for x, y in other.corners]
            if max(a) <= min(b) or max(b) <= min(a):
                return False
    return True


def assert_tidy(document: str) -> ET.Element:
    """Nothing lies outside of the picture, and no two texts on each other."""
    root = ET.fromstring(document)
    _, _, wide, tall = map(float, root.get("viewBox", "").split())
    found = list(boxes(root))
    for box in found:
        assert all(0 <= x <= wide and 0 <= y <= tall for x, y in box.corners), box
    for rectangle in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(rectangle.get(name, "")) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= wide, rectangle.attrib
        assert 0 <= y <= y + h <= tall, rectangle.attrib
    for one, other in combinations(found, 2):
        near = abs(one.corners[0][1] - other.corners[0][1]) < 60
        assert not (near and overlap(one, other)), (one, other)
    return root


def texts(root: ET.Element) -> list[str]:
    """What is written in the picture."""
    return [box.text.replace("\N{NO-BREAK SPACE}", " ") for box in boxes(root)]


def long_run(make_packet: Callable[..., Packet], conforming: Result, many: int = 100) -> Result:
    """A run of many packets in bursts, with labels as long as they get, calls and a pause between."""
    s = State
    result = replace(conforming, timeline=[])
    time = 0.0
    for n in range(1, many + 1):
        time += 0.00003 if n % 5 else 0.004 if n % 25 else 2.0
        sender = "peer" if n % 3 else "server"
        states = (s.ESTABLISHED, s.ESTABLISHED) if n % 10 else (s.CLOSE_WAIT, s.FIN_WAIT_1)
        note = "retransmission" if n % 7 == 0 else "lost on the way" if n % 11 == 0 else ""
        packet = make_packet(
            n, time, sender, "PA", 10_000_000 + n, 20_000_000 + n, states, payload=b"x" * 1460, note=note
        )
        result.timeline.append(packet)
        if n % 9 == 0:
            result.timeline.append(Call(time + 0.00001, n, "call", f"send({b'0123456789' * 30!r})", "A"))
    return result


def test_texts_that_lie_on_each_other_are_seen() -> None:
    def drawn(y: int) -> str:
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 99"><text x="9" y="20" font-size="12">one</text>'
            f'<text x="20" y="{y}" font-size="12">two</text></svg>'
        )

    assert_tidy(drawn(32))
    for wrong in (26, 200):
        with pytest.raises(AssertionError):
            assert_tidy(drawn(wrong))


@pytest.mark.parametrize("scaled", [False, True])
def test_every_kind_of_run_is_tidy(make_packet, conforming: Result, violating: Result, *, scaled: bool) -> None:
    empty = replace(conforming, timeline=[], peer_address="", server_address="", isns={})
    for result in (conforming, violating, long_run(make_packet, conforming), empty):
        for frames in (False, True):
            assert_tidy(svg(result, scaled=scaled, frames=frames))


@pytest.mark.parametrize("scaled", [False, True])
def test_addresses_and_names_as_long_as_they_get(conforming: Result, *, scaled: bool) -> None:
    address = "[2001:0db8:8888:8888:8888:8888:8888:8888]:65535"
    long = replace(
        conforming, name="w/" * 80, title="W" * 300, peer_address=address, server_address=address,
        names=("client", "server"), judged=False, isns={"A": (2**32 - 1, None)},
    )  # fmt: skip
    assert_tidy(svg(long, scaled=scaled))


def test_what_is_written(conforming: Result) -> None:
    found = texts(assert_tidy(svg(conforming)))
    assert found[:3] == ["✓ conforms", "handshake/three_segments over IPv4", "A server opens in three segments"]
    assert [t for t in found if "seq" in t] == ["SYN  seq 0", "SYN+ACK  seq 0  ack 1", "ACK  seq 1  ack 1"]
    assert [t for t in found if t in {s.value for s in State}] == [
        "SYN-SENT", "ESTABLISHED", "SYN-RECEIVED", "ESTABLISHED",
    ]  # fmt: skip
    assert [t for t in found if t.endswith("()")] == ["listen()", "accept()"]
    assert "0.34 ms" in found
    assert "first numbers: lab 4294967295, server 1000, both shown as 0" in found
    assert not any("server is in" in t for t in found)  # a check that held says nothing new


def test_what_stands_between_two_pieces_is_preserved(make_packet, conforming: Result) -> None:
    """librsvg drops the blanks at a piece's edge, even those that do not break, unless it is told to preserve them."""
    packets = [make_packet(n, n / 1000, "peer", "A", n, 1, connection="AB"[n % 2]) for n in range(1, 5)]
    root = assert_tidy(svg(replace(conforming, timeline=packets)))
    pieced = [text for text in root.iter(f"{SVG}text") if len(text) > 1]
    assert len(pieced) == len(packets)
    for text in pieced:
        assert text.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
        assert "\n" not in "".join(text.itertext())


def test_an_arrow_leaves_earlier_than_it_arrives(conforming: Result) -> None:
    turns = [float(t) for t in re.findall(r"rotate\(([-\d.]+)\)", svg(conforming))]
    assert [turn > 0 for turn in turns] == [True, False, True]  # y grows downward: the lab's lean to the right


def test_bands_begin_where_the_state_does(conforming: Result) -> None:
    root = ET.fromstring(svg(conforming))
    bands = [(r.get("class"), float(r.get("x", "")), float(r.get("y", "")), float(r.get("height", "")))
             for r in root.iter(f"{SVG}rect") if (r.get("class") or "").startswith("in-")]  # fmt: skip
    assert [b[0] for b in bands] == ["in-syn-sent", "in-established", "in-syn-received", "in-established"]
    lab, server = bands[:2], bands[2:]
    for one, other in (lab, server):
        assert one[1] == other[1]
        assert one[2] + one[3] == pytest.approx(other[2], abs=0.11)
    assert server[0][2] == pytest.approx(lab[0][2] + 16, abs=0.11)  # the SYN arrives lower than it was sent


def test_a_failure_is_red_and_says_why(violating: Result) -> None:
    document = svg(violating)
    root = assert_tidy(document)
    assert "✗ ack: expected 1, observed 2" in texts(root)
    assert document.count('class="line bad"') == 1
    bad = [t for t in root.iter(f"{SVG}text") if t.get("class") == "bad"]
    assert ["".join(t.itertext()) for t in bad] == ["✗ ack: expected 1, observed 2"]


def test_a_failure_that_no_packet_shows(conforming: Result) -> None:
    conforming.problems = [Problem(Verdict.VIOLATES, "the server owes an answer and sent nothing")]
    assert "✗ the server owes an answer and sent nothing" in texts(assert_tidy(svg(conforming)))


def test_a_lost_segment_ends_in_the_middle(make_packet, conforming: Result) -> None:
    there = make_packet(1, 0.0, "server", "PA", 1, 1, payload=b"a")
    ways = []
    for note in ("", "lost on the way"):
        conforming.timeline = [replace(there, note=note)]
        document = svg(conforming)
        ways.append([float(x) for x in re.findall(r'class="line server" d="M([-\d.]+) 0H([-\d.]+)"', document)[0]])
        assert ("l10 10m0 -10l-10 10" in document) is bool(note)
    (start, end), (lost_start, lost_end) = ways
    assert start == lost_start > 200
    assert end < -200 < lost_end < 0


def test_a_repeat_is_dashed(make_packet, conforming: Result) -> None:
    conforming.timeline = [make_packet(n, n / 1000, "peer", "PA", 1, 1, payload=b"a") for n in (1, 2)]
    conforming.timeline[1].note = "retransmission"  # type: ignore[union-attr]
    assert re.findall(r'class="line( again)? peer"', svg(conforming)) == ["", " again"]


def test_to_scale_heights_are_times(make_packet, conforming: Result) -> None:
    times = (0.0, 0.1, 0.2, 0.4)
    conforming.timeline = [make_packet(n, t, "peer", "PA", n, 1, payload=b"a") for n, t in enumerate(times)]
    heights = [float(y) for y in re.findall(r"translate\([-\d.]+ ([-\d.]+)\)", svg(conforming, scaled=True))]
    first, second, third = (b - a for a, b in pairwise(heights))
    assert first == pytest.approx(second, abs=0.3)
    assert third == pytest.approx(2 * first, abs=0.5)
    equal = [float(y) for y in re.findall(r"translate\([-\d.]+ ([-\d.]+)\)", svg(conforming))]
    assert len({round(b - a) for a, b in pairwise(equal)}) == 1


@pytest.mark.parametrize("scaled", [False, True])
def test_a_long_pause_is_broken_and_told(make_packet, conforming: Result, *, scaled: bool) -> None:
    times = (0.0, 0.1, 0.2, 60.2, 60.3)
    conforming.timeline = [make_packet(n, t, "peer", "PA", n, 1, payload=b"a") for n, t in enumerate(times)]
    root = assert_tidy(svg(conforming, scaled=scaled))
    assert [t for t in texts(root) if t.endswith("later")] == ["60.0 s later"]
    assert float(root.get("height", "")) < 700


def test_four_connections_have_lanes_and_five_have_names(make_packet, conforming: Result) -> None:
    for many, banded in ((4, True), (5, False)):
        names = "ABCDE"[:many]
        states = State.SYN_SENT, State.SYN_RECEIVED
        conforming.timeline = [
            make_packet(n, n / 1000, "peer", "S", 0, None, states, connection=c) for n, c in enumerate(names)
        ]
        conforming.isns = dict.fromkeys(names, (1, 2))
        document = svg(conforming)
        found = texts(assert_tidy(document))
        assert [f"{c} SYN-SENT" in found for c in names] == [True] * many
        assert ('"in-syn-sent"' in document) is banded
        assert [t for t in found if "seq 0" in t] == [f"{c}  SYN  seq 0" for c in names]


def test_frames_of_a_websocket_stand_under_the_arrow(make_packet, conforming: Result) -> None:
    get = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"
    conforming.timeline = [
        make_packet(1, 0.0, "peer", "S", 0, None),
        make_packet(2, 0.1, "peer", "PA", 1, 1, payload=get),
    ]
    assert "GET / HTTP/1.1" in texts(assert_tidy(svg(conforming)))


@pytest.mark.parametrize("scaled", [False, True])
def test_many_lines_under_an_arrow_push_the_next_one_down(make_packet, conforming: Result, *, scaled: bool) -> None:
    problem = Problem(Verdict.VIOLATES, "this is a long sentence about what was wrong " * 8, frame=1)
    conforming.problems = [problem]
    conforming.timeline = [
        make_packet(1, 0.0, "peer", "PA", 1, 1, payload=b"a", note="a word " * 40),
        make_packet(2, 0.00001, "server", "A", 1, 2),
        Call(0.00002, 2, "call", "close()", "A"),
        make_packet(3, 0.00003, "server", "FA", 1, 2),
    ]
    found = texts(assert_tidy(svg(conforming, scaled=scaled)))
    assert sum("a word" in t for t in found) >= 3
    assert sum("long sentence" in t for t in found) >= 4


def test_hostile_text_stays_text(make_packet, conforming: Result) -> None:
    evil = "</text><script>alert(1)</script>&amp;\x00\x1b[31m\ufffe\u202e\"'"
    conforming.title = conforming.name = evil
    conforming.timeline = [
        Call(0.0, 0, "call", evil, "A"),
        make_packet(1, 0.1, "peer", "PA", 1, 1, payload=evil.encode("utf-8"), note=evil, rule=evil),
    ]
    root = assert_tidy(svg(conforming))
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {
        "svg", "title", "desc", "style", "rect", "path", "text", "tspan", "circle", "g",
    }  # fmt: skip
    assert any("<script>" in t for t in texts(root))


def test_it_needs_nothing_else_and_says_what_it_is(conforming: Result) -> None:
    document = svg(conforming)
    assert document == svg(conforming)
    assert not re.search(r"href|url\(|@import|@font-face|<script|<image|on\w+=", document)
    root = ET.fromstring(document)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "t d"
    assert root.findtext(f"{SVG}title") == "Ladder of handshake/three_segments"
    assert "lab sends SYN seq 0; server sends SYN+ACK seq 0 ack 1" in (root.findtext(f"{SVG}desc") or "")


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio, 1 to 21."""
    a, b = sorted((luminance(one), luminance(other)))
    return (b + 0.05) / (a + 0.05)


@pytest.mark.parametrize("which", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_the_page(which: int, conforming: Result) -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert {name: contrast(pair[which], PAGE[which]) for name, pair in TEXT.items() if
            contrast(pair[which], PAGE[which]) < 4.5} == {}  # fmt: skip
    assert min(contrast(pair[which], PAGE[which]) for pair in BANDS.values()) > 1.5
    assert len({pair[which] for pair in BANDS.values()}) == 11
    light, dark = svg(conforming).split("@media (prefers-color-scheme:dark)")
    assert all(pair[which] in (light, dark)[which] for pair in (PAGE, *TEXT.values(), *BANDS.values()))


def test_apart_moves_as_little_as_it_can() -> None:
    assert apart([0, 100, 200], [10, 10]) == [0, 100, 200]
    assert apart([50, 50, 50], [10, 10]) == [40, 50, 60]
    assert apart([0, 1, 100], [11, 11]) == [-5, 6, 100]


def test_a_scale_breaks_what_dwarfs_all_else() -> None:
    even = to_scale([0, 1, 2, 4], [40, 40, 40])
    assert even.broken == frozenset()
    assert even.at == (0.0, 45.0, 90.0, 180.0)
    broken = to_scale([0, 1, 2, 100], [40, 40, 40])
    assert broken.broken == {2}
    assert broken.at == (0.0, 60.0, 120.0, 196.0)
    assert to_scale([3, 3, 3], [40, 40]).at == (0.0, 0.0, 0.0)


def test_round_moments() -> None:
    assert [name for _, name in ticks(0.0, 0.0101, 10_000, 40)] == ["0", "5 ms", "10 ms"]
    assert [name for _, name in ticks(1.9, 3.1, 100, 40)] == ["2 s", "2.5 s", "3 s"]
    assert ticks(0.0, 1.0, 0.0, 40) == []
