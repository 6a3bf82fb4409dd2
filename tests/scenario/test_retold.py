"""A capture told again: connections, numbers, states and what is odd, against what was put into it by hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.layers.capture import read
from lab.report.captures import write_capture
from lab.scenario.catalogue import load
from lab.scenario.record import Call, Packet, Problem, Result, Verdict
from lab.scenario.retold import alone, retold
from lab.scenario.runner import Plan, run
from lab.tcp.segment import Segment, flags_from
from lab.tcp.sequence import Seq
from lab.tcp.state import State
from lab.wire.codec import encode, ones_sum, packed, pseudo_header
from lab.wire.fragments import fragments

CLIENT, SERVER = ("192.0.2.1", 40000), ("192.0.2.2", 80)
X, Y = 2**32 - 1, 1000
"""The client's first number wraps."""
S = State


@dataclass
class Wire:
    """A capture made by hand: each line is who sends what, in numbers counted from the SYNs."""

    frames: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def say(
        self,
        ours: bool,
        flags: str,
        seq: int,
        ack: int = 0,
        payload: bytes = b"",
        *,
        at: float | None = None,
        ends: tuple[tuple[str, int], tuple[str, int]] = (CLIENT, SERVER),
        first: tuple[int, int] = (X, Y),
        window: int = 65535,
        checksum: int | None = None,
    ) -> bytes:
        """One segment; its frame."""
        (a, b), (x, y) = ends, first
        if not ours:
            a, b, x, y = b, a, y, x
        segment = Segment(flags_from(flags), Seq(x + seq), Seq(y + ack), window=window, payload=payload)
        frame = encode(
            segment, source=a[0], destination=b[0], sport=a[1], dport=b[1], checksum=checksum,
            source_mac=b"\2\0\0\0\0" + bytes([1 + ours]), destination_mac=b"\2\0\0\0\0" + bytes([2 - ours]),
        )  # fmt: skip
        self.put(frame, at)
        return frame

    def put(self, frame: bytes, at: float | None = None) -> None:
        """Any frame."""
        self.frames.append(frame)
        self.times.append((self.times[-1] + 0.001 if self.times else 0.0) if at is None else at)

    def open(self, **more: object) -> None:
        """The three segments."""
        self.say(True, "S", 0, **more)  # type: ignore[arg-type]
        self.say(False, "SA", 0, 1, **more)  # type: ignore[arg-type]
        self.say(True, "A", 1, 1, **more)  # type: ignore[arg-type]

    def told(self, **more: object) -> Result:
        """What becomes of it."""
        return retold(self.frames, self.times, name="a.pcap", **more)  # type: ignore[arg-type]


def stand(result: Result) -> list[tuple[State | None, State | None]]:
    """Both ends after each packet."""
    return [(p.peer_state, p.server_state) for p in result.packets]


def notes(result: Result) -> list[str]:
    """The word for each packet."""
    return [p.note for p in result.packets]


@pytest.fixture
def wire() -> Wire:
    """An empty capture."""
    return Wire()


def test_from_open_to_close(wire: Wire) -> None:
    wire.open()
    wire.say(True, "PA", 1, 1, b"hello")
    wire.say(False, "A", 1, 6)
    wire.say(True, "FA", 6, 1)
    wire.say(False, "A", 1, 7)
    wire.say(False, "FA", 1, 7)
    wire.say(True, "A", 7, 2)
    result = wire.told()
    assert stand(result) == [
        (S.SYN_SENT, S.SYN_RECEIVED),
        (S.ESTABLISHED, S.SYN_RECEIVED),
        *[(S.ESTABLISHED, S.ESTABLISHED)] * 3,
        (S.FIN_WAIT_1, S.CLOSE_WAIT),
        (S.FIN_WAIT_2, S.CLOSE_WAIT),
        (S.TIME_WAIT, S.LAST_ACK),
        (S.TIME_WAIT, S.CLOSED),
    ]
    assert [(p.seq, p.ack) for p in result.packets] == [
        (0, None), (0, 1), (1, 1), (1, 1), (1, 6), (6, 1), (1, 7), (1, 7), (7, 2),
    ]  # fmt: skip
    assert notes(result) == [""] * 9
    assert [p.sender for p in result.packets[:2]] == ["peer", "server"]
    assert (result.names, result.peer_address, result.server_address) == (
        ("client", "server"), "192.0.2.1:40000", "192.0.2.2:80",
    )  # fmt: skip
    assert (result.isns, result.ends, result.judged) == ({"A": (X, Y)}, {}, False)
    assert result.title == "9 segments of 1 connection"


def test_a_refused_call(wire: Wire) -> None:
    wire.say(True, "S", 0)
    wire.say(False, "RA", 0, 1)
    assert stand(wire.told()) == [(S.SYN_SENT, S.CLOSED), (S.CLOSED, S.CLOSED)]


def test_an_end_that_never_speaks_has_no_state(wire: Wire) -> None:
    wire.say(True, "S", 0)
    wire.say(True, "S", 0)
    assert stand(wire.told()) == [(S.SYN_SENT, None)] * 2
    assert notes(wire.told()) == ["", "retransmission"]


def test_crossing_syns(wire: Wire) -> None:
    wire.say(True, "S", 0)
    wire.say(False, "S", 0)
    wire.say(True, "SA", 0, 1)
    wire.say(False, "SA", 0, 1)
    assert stand(wire.told())[:3] == [
        (S.SYN_SENT, S.CLOSED),
        (S.SYN_RECEIVED, S.SYN_RECEIVED),
        (S.SYN_RECEIVED, S.SYN_RECEIVED),
    ]
    assert notes(wire.told()) == [""] * 4
    assert {p.connection for p in wire.told().packets} == {"A"}


def test_a_challenge_ack_tells_that_the_end_still_stands(wire: Wire) -> None:
    """RFC 5961 §3: a RST in the window that is not exact ends nothing."""
    wire.open()
    wire.say(True, "R", 100)
    wire.say(False, "A", 1, 1)
    assert stand(wire.told())[-1][1] is S.ESTABLISHED


def test_a_capture_that_begins_in_the_middle(wire: Wire) -> None:
    wire.say(False, "PA", 5, 6, b"data")
    wire.say(True, "A", 6, 9)
    result = wire.told()
    assert stand(result) == [(None, None)] * 2
    assert [(p.seq, p.ack) for p in result.packets] == [(None, None)] * 2
    assert [p.sender for p in result.packets] == ["peer", "server"]  # the first packet's sender is left
    assert result.isns == {"A": (None, None)}
    wire.open(first=(5, 6))
    again = wire.told()
    assert [p.connection for p in again.packets] == ["A", "A", "B", "B", "B"]
    assert [p.sender for p in again.packets[2:]] == ["peer", "server", "peer"]
    assert stand(again)[-1] == (S.ESTABLISHED, S.ESTABLISHED)


def test_a_syn_ack_comes_from_the_server(wire: Wire) -> None:
    wire.say(False, "SA", 0, 1)
    wire.say(True, "A", 1, 1)
    assert [p.sender for p in wire.told().packets] == ["server", "peer"]


def test_the_same_ports_again_are_another_connection(wire: Wire) -> None:
    wire.open()
    wire.say(True, "S", -10)  # an old duplicate: the connection stands
    wire.say(True, "R", 1)
    wire.open(first=(70000, 80000))
    assert "".join(p.connection for p in wire.told().packets) == "AAAAABBB"
    assert wire.told().isns["B"] == (70000, 80000)


def test_many_connections_and_one_of_them(wire: Wire) -> None:
    other = (("2001:db8::1", 5), ("2001:db8::2", 6))
    wire.open()
    wire.open(ends=other)
    result = wire.told()
    assert result.ends == {"A": ("192.0.2.1:40000", "192.0.2.2:80"), "B": ("[2001:db8::1]:5", "[2001:db8::2]:6")}
    assert result.peer_address == ""
    only = alone(result, "B")
    assert [p.number for p in only.packets] == [4, 5, 6]
    assert (only.peer_address, only.server_address, only.ends) == ("[2001:db8::1]:5", "[2001:db8::2]:6", {})
    with pytest.raises(LookupError):
        alone(result, "C")


def test_one_connection_of_a_run_keeps_its_problems() -> None:
    packets: list[Packet | Call] = [
        Packet(n, 0.0, 0.0, "peer", b"", connection=c, problem=p) for n, c, p in ((1, "A", 0), (2, "B", 1))
    ]
    problems = [Problem(Verdict.VIOLATES, text, frame=n) for n, text in ((1, "one"), (2, "two"))]
    result = Result(
        "a", "b", "ipv4", Verdict.VIOLATES, timeline=[*packets, Call(0.1, 2, "call", "close()", "A")],
        problems=problems, isns={"A": (1, 2), "B": (3, 4)},
    )  # fmt: skip
    only = alone(result, "B")
    assert [p.message for p in only.problems] == ["two"]
    assert [p.problem for p in only.packets] == [0]
    assert len(only.timeline) == 1
    assert result.packets[1].problem == 1  # the whole is as it was


def test_what_is_odd_gets_a_word(wire: Wire) -> None:
    wire.open()
    said = [(True, 1, b"abc"), (True, 1, b"abc"), (True, 1, b"abcdef"), (True, 10, b"j"), (True, 7, b"ghi")]
    for ours, seq, data in said:
        wire.say(ours, "PA", seq, 1, data)
    wire.say(False, "A", 1, 11)
    wire.say(True, "A", 10, 1)
    wire.say(True, "A", 10, 1, b"j")
    wire.say(False, "A", 1, 11, window=0)
    wire.say(True, "A", 10, 1)
    assert notes(wire.told())[3:] == [
        "",
        "retransmission",
        "retransmission in part",
        "3 octets before it not seen",
        "out of order",
        "",
        "keep-alive probe",
        "keep-alive probe",
        "",
        "zero-window probe",
    ]


def test_a_wrong_checksum_is_not_received(wire: Wire) -> None:
    wire.open()
    wire.say(False, "FA", 1, 1, checksum=1)
    wire.say(False, "PA", 1, 1, b"a")
    result = wire.told()
    assert notes(result)[3:] == ["bad checksum", ""]
    assert stand(result)[3] == (S.ESTABLISHED, S.ESTABLISHED)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_checksum_left_to_the_network_card_is_none(wire: Wire, family: str) -> None:
    ends = (CLIENT, SERVER) if family == "ipv4" else (("2001:db8::1", 5), ("2001:db8::2", 6))
    wire.open(ends=ends)
    addresses = packed(ends[0][0]), packed(ends[1][0])
    wire.say(True, "FA", 1, 1, ends=ends, checksum=ones_sum(pseudo_header(*addresses, 20)))
    assert stand(wire.told())[-1] == (S.FIN_WAIT_1, S.CLOSE_WAIT)


def test_checksums_that_are_all_wrong_count_for_nothing(wire: Wire) -> None:
    wire.say(True, "S", 0, checksum=7)
    wire.say(False, "SA", 0, 1)
    wire.say(True, "A", 1, 1, checksum=7)
    assert stand(wire.told())[-1] == (S.ESTABLISHED, S.ESTABLISHED)
    assert notes(wire.told()) == ["", "", ""]


def test_fragments_tags_and_what_the_capture_cut_off(wire: Wire) -> None:
    wire.open()
    whole = wire.say(True, "PA", 1, 1, b"0123456789" * 10)
    wire.frames.pop(), wire.times.pop()
    for piece in fragments(whole, 64, identification=5):
        wire.put(piece)
    tagged = wire.say(False, "PA", 1, 101, b"abc")
    wire.frames[-1] = tagged[:12] + b"\x81\0\0\7" + tagged[12:]
    wire.frames.append(wire.say(True, "PA", 101, 4, b"x" * 1000)[:80])
    wire.frames.pop(-2)
    wire.say(False, "A", 4, 1101)
    result = wire.told()
    assert [(p.seq, len(p.segment.payload)) if p.segment else None for p in result.packets[3:]] == [
        None, (1, 100), (1, 3), (101, 1000), (4, 0),
    ]  # fmt: skip
    assert result.packets[3].summary == "a fragment: 64 octets from 0 on"
    assert result.packets[6].note == "captured without its last 974 octets"
    assert stand(result)[-1] == (S.ESTABLISHED, S.ESTABLISHED)


def test_nothing_of_tcp() -> None:
    result = retold([bytes(60), b""], [0.0, 0.1], name="a")
    assert (result.isns, len(result.packets)) == ({}, 2)


@given(st.lists(st.binary(max_size=120), max_size=8))
def test_any_octets_are_told(frames: list[bytes]) -> None:
    assert len(retold(frames, [0.0] * len(frames), name="a").packets) == len(frames)


_FLAGS = st.sampled_from(["S", "SA", "A", "FA", "R", "RA", "PA", "SF", "F", "", "SFRPAU"])
_SAYS = st.tuples(st.booleans(), _FLAGS, st.integers(-3, 9), st.integers(-3, 9), st.sampled_from([b"", b"a", b"abcd"]))


@given(st.lists(_SAYS, max_size=20))
def test_any_segments_are_told(said: list[tuple[bool, str, int, int, bytes]]) -> None:
    wire = Wire()
    for one in said:
        wire.say(*one)
    result = wire.told()
    began = False
    for packet, (_, flags, *_rest) in zip(result.packets, said, strict=True):
        began = began or "S" in flags
        assert (packet.peer_state is None and packet.server_state is None) or began


STORIES = (
    "handshake/three_segments", "handshake/server_calls", "handshake/closed_port", "teardown/client_first",
    "teardown/server_first", "teardown/simultaneous_close", "teardown/time_wait_gives_way",
    "sequence/rst_outside_window", "layers/fragmented_ipv4", "websocket/closing/server_closes_tcp_first",
    "websocket/uses/edits_of_three_writers", "websocket/framing/one_octet_a_segment",
)  # fmt: skip


@pytest.mark.usefixtures("sandbox_works")
def test_a_run_and_its_own_capture_tell_the_same(tmp_path: Path) -> None:
    """Packets, connections, numbers and states; of the calls a capture knows nothing."""
    for result in run(Plan(scenarios=load(list(STORIES)), families=("ipv4", "ipv6"), seed=5)).results:
        assert result.verdict in (Verdict.CONFORMS, Verdict.PERMITTED), (result.name, result.problems)
        write_capture(result, tmp_path)
        found = read(Path(result.capture))
        again = retold(found.frames, found.times, name="a", comments=found.comments)
        assert (again.names, again.peer_address, again.server_address, again.family) == (
            ("lab", "server"), result.peer_address, result.server_address, result.family,
        )  # fmt: skip
        there = {name: numbers for name, numbers in result.isns.items() if numbers[1] is not None}
        assert {name: again.isns[name] for name in there} == there
        assert len(again.packets) == len(result.packets)
        for ours, theirs in zip(result.packets, again.packets, strict=True):
            where = result.name, result.family, ours.number
            assert (theirs.sender, theirs.frame) == (ours.sender, ours.frame), where
            if ours.segment is None:
                continue
            assert replace(ours, time=0, timestamp=0, rule="", note="", problem=None) == replace(
                theirs, time=0, timestamp=0, note=""
            ), where
