"""The honest stack's rules, by hand-made numbers; and each breakage does what it says, or it would prove nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import broken_servers
import pytest
import raw_frames as wire
from breakages import BREAKAGES
from raw_desk import PEER, PEER_MAC, SERVER, SERVER_MAC, Desk, X
from raw_tcp import Honest, ahead

OFFERS = (
    (wire.MSS, b"\x05\xb4"),
    (wire.SACK_PERMITTED, b""),
    (wire.TIMESTAMPS, b"\0\0\0\1\0\0\0\0"),
    (wire.WINDOW_SCALE, b"\7"),
)
W = "win 65535"


@pytest.fixture(params=["ipv4", "ipv6"])
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(family=request.param)


# ---- frames, against octets written down by hand ------------------------------------------------------------


def test_ipv4_segment_to_the_octet() -> None:
    """A SYN whose checksums were added up on paper."""
    seg = wire.Seg("198.51.100.1", "198.51.100.2", 80, 1025, 1, 0, wire.SYN, 512)
    # 0050 0401 0000 0001 0000 0000 5002 0200 + c633 6401 c633 6402 + 0006 0014 = 2abcd -> abcf -> 5430
    total = 0x0050 + 0x0401 + 0x0001 + 0x5002 + 0x0200 + 0xC633 + 0x6401 + 0xC633 + 0x6402 + 6 + 20
    total = (total & 0xFFFF) + (total >> 16)
    assert wire.right_checksum(seg) == 0xFFFF - total
    frame = wire.tcp_frame(seg, b"\2" * 6, b"\4" * 6, wire.right_checksum(seg))
    assert frame[:14] == b"\4" * 6 + b"\2" * 6 + b"\x08\0"
    assert frame[34:50] == bytes.fromhex("0050 0401 00000001 00000000 5002 0200")
    assert wire.read(frame) == seg
    assert wire.read(frame[:-1] + b"\1") is None


def test_ipv6_pseudo_header_counts_next_header_six() -> None:
    seg = wire.Seg("2001:db8::1", "2001:db8::2", 80, 1025, 1, 0, wire.SYN, 512)
    total = 0x0050 + 0x0401 + 0x0001 + 0x5002 + 0x0200 + 2 * (0x2001 + 0x0DB8) + 1 + 2 + 20 + 6
    assert wire.right_checksum(seg) == 0xFFFF - total


def test_arp_and_neighbour_discovery() -> None:
    desk = Desk()
    answered: list[bytes] = []
    desk.stack.transmit = answered.append
    peer = bytes.fromhex("020000000002")
    desk.stack.frame_arrives(
        b"\xff" * 6 + peer + bytes.fromhex("0806 0001 0800 06 04 0001 020000000002 c6336402 000000000000 c6336401")
    )
    assert answered == [
        bytes.fromhex("020000000002 020000000001 0806 0001 0800 06 04 0002 020000000001 c6336401 020000000002 c6336402")
    ]
    desk = Desk(family="ipv6")
    desk.stack.transmit = answered.append
    desk.stack.frame_arrives(wire.question_frame(peer, PEER["ipv6"], SERVER["ipv6"]))
    advertisement = answered[1]
    assert advertisement[:14] == bytes.fromhex("020000000002 020000000001 86dd")
    assert advertisement[54:56] == b"\x88\0"
    assert advertisement[58] == 0x60  # solicited, override
    assert advertisement[62:] == bytes.fromhex("20010db8000000000000000000000001 0201 020000000001")


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_it_asks_for_the_peer_before_it_calls(family: str) -> None:
    desk = Desk(family=family)
    desk.stack.neighbours.clear()
    asked: list[bytes] = []
    desk.stack.transmit = asked.append
    desk("connect", family=family, address=PEER[family], port=40000)
    question = wire.read(asked[0])
    assert question == wire.Question(SERVER[family], SERVER_MAC, PEER[family])
    desk.stack.frame_arrives(wire.answer_frame(question, PEER_MAC))
    syn = wire.read(asked[1])
    assert isinstance(syn, wire.Seg)
    assert (syn.flags, asked[1][:6], len(asked)) == (wire.SYN, PEER_MAC, 2)


# ---- opening ------------------------------------------------------------------------------------------------


def test_three_segments(desk: Desk) -> None:
    listener = desk.listen()
    assert desk.says("S") == [f"SA seq 0 ack 1 {W} mss"]
    assert desk.state() == "SYN-RECEIVED"
    assert desk.accept(listener) == "timeout"
    assert desk.says("A", 1, 1) == []
    assert desk.state() == "ESTABLISHED"
    handle = desk.accept(listener)
    assert desk.says("PA", 1, 1, b"hello") == ["A seq 1 ack 6 win 65530"]
    assert desk.reads(handle) == b"hello"
    assert desk.writes(handle, b"world") == [f"PA seq 1 ack 6 {W} b'world'"]


def test_old_duplicate_is_refused_and_forgotten(desk: Desk) -> None:
    listener = desk.listen()
    desk.says("S")
    assert desk.says("R", 1) == []
    assert desk.state() == "CLOSED"
    assert desk.accept(listener) == "timeout"


def test_repeated_syn_gets_an_ack_or_the_same_syn_ack() -> None:
    desk = Desk()
    desk.listen()
    desk.says("S")
    assert desk.says("S") == [f"A seq 1 ack 1 {W}"]

    class LikeLinux(Honest):
        repeats_syn_ack = True

    desk = Desk(LikeLinux())
    desk.listen()
    assert desk.says("S") == desk.says("S") == [f"SA seq 0 ack 1 {W} mss"]


def test_syn_ack_is_repeated_with_growing_intervals_then_given_up(desk: Desk) -> None:
    desk.listen(TCP_SYNCNT=3)
    desk.says("S")
    line = f"SA seq 0 ack 1 {W} mss"
    assert desk.passes(14.9) == [f"+1.0 {line}", f"+3.0 {line}", f"+7.0 {line}"]
    assert desk.state() == "SYN-RECEIVED"
    assert desk.passes(0.2) == []
    assert desk.state() == "CLOSED"


def test_wrong_ack_in_third_segment(desk: Desk) -> None:
    desk.listen()
    desk.says("S")
    assert desk.says("A", 1, 2) == ["R seq 2"]
    assert desk.says("A", 1, 0) == ["R seq 0"]
    assert desk.state() == "SYN-RECEIVED"
    assert desk.says("A", 1, 1) == []
    assert desk.state() == "ESTABLISHED"


def test_closed_port(desk: Desk) -> None:
    desk.port = 9
    assert desk.says("S") == ["RA seq 0 ack 1"]
    assert desk.says("S", 0, 0, b"data") == ["RA seq 0 ack 5"]
    assert desk.says("A", 1, 77) == ["R seq 77"]
    assert desk.says("R", 1) == []
    assert desk.says("RA", 1, 77) == []


def test_options_are_given_back_only_when_offered(desk: Desk) -> None:
    desk.listen()
    assert desk.says("S", options=OFFERS) == [f"SA seq 0 ack 1 {W} mss,sack-ok,ts,ws"]
    assert desk.says("S", options=OFFERS[:2], sport=40001) == [f"SA seq 0 ack 1 {W} mss,sack-ok"]
    assert desk.says("S", sport=40002) == [f"SA seq 0 ack 1 {W} mss"]
    assert desk.says("S", options=((wire.MSS, b""), (99, b"\0" * 9)), sport=40003) == [f"SA seq 0 ack 1 {W} mss"]


def test_simultaneous_open(desk: Desk) -> None:
    called = desk("connect", family=desk.family, address=PEER[desk.family], port=40000)
    desk.port = called["port"]
    assert desk.sent() == ["S seq 0 win 65535 mss,sack-ok,ts,ws"]
    assert desk.says("S") == [f"SA seq 0 ack 1 {W} mss"]
    assert desk.state() == "SYN-RECEIVED"
    assert desk.says("SA", 0, 1) == []
    assert desk.state() == "ESTABLISHED"
    assert desk("connected", socket=called["socket"], timeout=0) == {}


def test_syn_sent_refuses_nonsense(desk: Desk) -> None:
    called = desk("connect", family=desk.family, address=PEER[desk.family], port=40000)
    desk.port = called["port"]
    desk.sent()
    assert desk.says("A", 1, 300) == ["R seq 300"]
    assert desk.says("RA", 1, 300) == []
    assert desk.state() == "SYN-SENT"
    assert desk.says("RA", 0, 1) == []
    assert desk("connected", socket=called["socket"], timeout=0) == "ECONNREFUSED"
    assert desk.state() == "CLOSED"


def test_isns_differ_and_move(desk: Desk) -> None:
    desk.listen()
    desk.says("S")
    desk.says("S", sport=40001)
    first = desk.y.pop(40000)
    assert first != desk.y[40001]
    desk.says("R", 1)
    desk.clock += 1
    desk.says("S")
    assert (desk.y[40000] - first) % 2**32 == 250_000  # one step in 4 µs


# ---- standing -----------------------------------------------------------------------------------------------


def test_syn_on_a_standing_connection_is_challenged(desk: Desk) -> None:
    handle = desk.opens()
    assert desk.says("S", 400_000_000) == [f"A seq 1 ack 1 {W}"]
    assert desk.says("S", 1) == [f"A seq 1 ack 1 {W}"]
    assert desk.state() == "ESTABLISHED"
    assert desk.says("R", 1) == []
    assert desk.state() == "CLOSED"
    assert desk.reads(handle) == "ECONNRESET"


def test_rst_counts_only_where_it_is_expected(desk: Desk) -> None:
    desk.opens()
    assert desk.says("R", 2) == [f"A seq 1 ack 1 {W}"]
    assert desk.says("R", 70_000) == []
    assert desk.says("R", 0) == []
    assert desk.state() == "ESTABLISHED"
    assert desk.says("R", 1) == []
    assert desk.state() == "CLOSED"


def test_segments_out_of_window_draw_an_ack(desk: Desk) -> None:
    desk.opens()
    assert desk.says("PA", 1 + 65535, 1, b"far") == [f"A seq 1 ack 1 {W}"]
    assert desk.says("A", 1, 1000) == [f"A seq 1 ack 1 {W}"]  # of what was never sent
    assert desk.says("P", 1, 0, b"no ack") == []
    assert desk.says("PA", 1, 1, b"bad", checksum=0x1234) == []
    assert desk.says("A", 1, 1) == []


def test_gaps_are_filled_in_order_and_told_by_sack() -> None:
    desk = Desk()
    handle = desk.opens(options=OFFERS[:2])
    assert desk.says("PA", 4, 1, b"def") == [f"A seq 1 ack 1 {W} sack"]
    assert desk.reads(handle) == "timeout"
    assert desk.says("PA", 1, 1, b"abcd") == ["A seq 1 ack 7 win 65529"]
    assert desk.reads(handle) == b"abcdef"


def test_data_is_repeated_until_it_is_acknowledged(desk: Desk) -> None:
    handle = desk.opens()
    line = f"PA seq 1 ack 1 {W} b'news'"
    assert desk.writes(handle, b"news") == [line]
    assert desk.passes(1.5) == [f"+0.2 {line}", f"+0.6 {line}", f"+1.4 {line}"]
    desk.says("A", 1, 5)
    assert desk.passes(30) == []


def test_small_window_is_respected_and_probed(desk: Desk) -> None:
    handle = desk.opens(window=10)
    desk.says("A", 1, 1, window=4)
    assert desk.writes(handle, b"abcdefgh") == [f"A seq 1 ack 1 {W} b'abcd'"]
    assert desk.says("A", 1, 5, window=0) == []
    assert desk.passes(0.3) == [f"+0.2 A seq 5 ack 1 {W} b'e'"]
    assert desk.says("A", 1, 5, window=0) == []
    assert desk.says("A", 1, 5, window=100) == [f"PA seq 5 ack 1 {W} b'efgh'"]


def test_right_edge_never_moves_back(desk: Desk) -> None:
    """Also where a scaled window cannot say the exact number (RFC 7323 §2.4)."""
    desk.opens(options=OFFERS[3:])
    at, edges = 1, []
    for size in (1, 7, 100, 1000, 3):
        (line,) = desk.says("PA", at, 1, b"z" * size)
        at += size
        assert f"ack {at} " in line
        edges.append(at + (int(line.split()[6]) << 3))
    assert edges == sorted(edges)


# ---- closing ------------------------------------------------------------------------------------------------


def test_client_first(desk: Desk) -> None:
    handle = desk.opens()
    assert desk.says("FA", 1, 1) == [f"A seq 1 ack 2 {W}"]
    assert desk.state() == "CLOSE-WAIT"
    assert desk.reads(handle) == "end"
    assert desk.writes(handle, b"more") == [f"PA seq 1 ack 2 {W} b'more'"]
    desk.says("A", 2, 5)
    line = f"FA seq 5 ack 2 {W}"
    assert desk.does("close", handle) == [line]
    assert desk.state() == "LAST-ACK"
    assert desk.passes(0.7) == [f"+0.2 {line}", f"+0.6 {line}"]
    assert desk.says("A", 2, 6) == []
    assert desk.state() == "CLOSED"


def test_server_first_and_time_wait(desk: Desk) -> None:
    handle = desk.opens()
    assert desk.does("close", handle) == [f"FA seq 1 ack 1 {W}"]
    assert desk.state() == "FIN-WAIT-1"
    assert desk.says("A", 1, 2) == []
    assert desk.state() == "FIN-WAIT-2"
    assert desk.says("FA", 1, 2) == [f"A seq 2 ack 2 {W}"]
    assert desk.state() == "TIME-WAIT"
    desk.passes(59)
    assert desk.says("FA", 1, 2) == [f"A seq 2 ack 2 {W}"]
    desk.passes(59)
    assert desk.state() == "TIME-WAIT"
    desk.passes(1.1)
    assert desk.state() == "CLOSED"
    assert desk.says("FA", 1, 2) == ["R seq 2"]


def test_time_wait_gives_way(desk: Desk) -> None:
    handle = desk.opens()
    desk.does("close", handle)
    desk.says("FA", 1, 2)
    assert desk.state() == "TIME-WAIT"
    assert desk.says("S", 1) == [f"A seq 2 ack 2 {W}"]
    old = desk.y.pop(40000)
    assert desk.says("S", 1000) == [f"SA seq 0 ack 1001 {W} mss"]
    assert 2 < (desk.y[40000] - old) % 2**32 < 2**31
    assert desk.state() == "SYN-RECEIVED"


def test_simultaneous_close(desk: Desk) -> None:
    handle = desk.opens()
    desk.does("close", handle)
    assert desk.says("FA", 1, 1) == [f"A seq 2 ack 2 {W}"]
    assert desk.state() == "CLOSING"
    assert desk.says("A", 2, 2) == []
    assert desk.state() == "TIME-WAIT"


def test_fin_waits_for_the_gap(desk: Desk) -> None:
    handle = desk.opens()
    assert desk.says("FA", 5, 1) == [f"A seq 1 ack 1 {W}"]
    assert desk.state() == "ESTABLISHED"
    assert desk.says("PA", 1, 1, b"late") == ["A seq 1 ack 6 win 65531"]
    assert desk.state() == "CLOSE-WAIT"
    assert (desk.reads(handle), desk.reads(handle)) == (b"late", "end")


def test_close_with_unread_data_resets(desk: Desk) -> None:
    handle = desk.opens()
    desk.says("PA", 1, 1, b"unread")
    assert desk.does("close", handle) == ["R seq 1"]
    assert desk.state() == "CLOSED"


def test_data_for_a_closed_program_resets(desk: Desk) -> None:
    handle = desk.opens()
    desk.does("close", handle)
    desk.says("A", 1, 2)
    assert desk.says("PA", 1, 2, b"anybody?") == ["R seq 2"]
    assert desk.state() == "CLOSED"


def test_half_close_by_server(desk: Desk) -> None:
    handle = desk.opens()
    desk("shutdown", socket=handle, how="write")
    assert desk.sent() == [f"FA seq 1 ack 1 {W}"]
    desk.says("A", 1, 2)
    assert desk.says("PA", 1, 2, b"go on") == ["A seq 2 ack 6 win 65530"]
    assert desk.reads(handle) == b"go on"
    assert desk.says("FA", 6, 2) == [f"A seq 2 ack 7 {W}"]
    assert desk.reads(handle) == "end"


# ---- the control connection ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"garbage", "malformed"),
        (b'{"id": 1, "call": "nonsense"}', "unknown"),
        (b'{"id": 1, "call": "accept", "socket": 99, "timeout": 0}', "argument"),
        (b'{"id": 1, "call": "listen"}', "argument"),
    ],
)
def test_malformed_requests_get_an_error(line: bytes, kind: str) -> None:
    desk = Desk()
    desk.control.line(line)
    assert desk.lines[-1]["error"]["kind"] == kind


# ---- nonsense --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["honest", *BREAKAGES])
def test_no_segment_and_no_call_makes_it_fall(name: str) -> None:
    """Whatever comes, in whatever order: no exception, and the numbers stay in order."""
    chance = random.Random(f"nonsense for {name}")
    hooks = BREAKAGES[name].hooks if name in BREAKAGES else Honest
    for _ in range(60 if name == "honest" else 6):
        desk = Desk(hooks(), chance.choice(["ipv4", "ipv6"]))
        listener = desk.listen(TCP_SYNCNT=1)
        handles = [listener]
        for _ in range(60):
            match chance.randrange(12):
                case 0:
                    call = chance.choice(["close", "abort", "shutdown", "get", "accept", "nonsense"])
                    desk(call, socket=chance.choice(handles), **({"timeout": 0} if call == "accept" else {}))
                case 1:
                    desk.passes(chance.choice([0.01, 0.3, 5.0, 70.0]))
                case 2:
                    desk.writes(chance.choice(handles), bytes(chance.randrange(3000)))
                case 3:
                    desk.reads(chance.choice(handles))
                case 4:
                    if isinstance(accepted := desk.accept(listener), int):
                        handles.append(accepted)
                case 5:
                    connected = desk("connect", family=desk.family, address=PEER[desk.family], port=40000)
                    if isinstance(connected, dict):
                        handles.append(connected["socket"])
                case 6:
                    desk.stack.frame_arrives(chance.randbytes(chance.randrange(120)))
                case _:
                    flags = "".join(chance.sample("SAFRP", chance.randrange(4)))
                    seq, ack = (chance.choice([0, 1, 1, 2, 5, 100, 70_000, 2**31]) for _ in "xy")
                    options = tuple((chance.randrange(9), chance.randbytes(chance.randrange(11))) for _ in "ab")
                    desk.says(flags, seq, ack, chance.randbytes(chance.choice([0, 0, 1, 600])), options=options)
            for one in desk.stack.connections.values():
                assert ahead(one.snd_nxt, one.snd_una) >= 0
                assert ahead(one.rcv_adv, one.rcv_nxt) >= -1  # a FIN may stand right behind the window


# ---- each breakage does what it says ------------------------------------------------------------------------


def tour(hooks: Honest, family: str) -> list[object]:
    """A walk through all that a peer can see of a server; always the same, so that two walks can be compared."""
    seen: list[object] = []

    def note(*things: object) -> None:
        seen.extend(things)

    desk = Desk(hooks, family)  # the client first
    listener = desk.listen()
    note(desk.says("S"), desk.state(), desk.accept(listener), desk.says("A", 1, 1), desk.state())
    handle = desk.accept(listener)
    if not isinstance(handle, int):
        handle = next(iter(h for h in desk.control.sockets if h != listener), 0)
    note(desk.says("A", 1, 1), desk.says("PA", 1, 1, b"hello"), desk.reads(handle), desk.writes(handle, b"world"))
    note(desk.passes(0.1), desk.says("A", 6, 6), desk.says("FA", 6, 6), desk.state(), desk.passes(1))
    note(desk.writes(handle, b"more"), desk.says("A", 7, 10), desk.does("close", handle), desk.passes(2))
    note(desk.says("A", 7, 11), desk.state())

    desk = Desk(hooks, family)  # SYNs again, wrong acks, resets, closed ports, numbers
    desk.listen()
    note(desk.says("S"), desk.says("S"), desk.passes(8), desk.says("A", 1, 5), desk.state(), desk.says("R", 1))
    first = desk.y.pop(40000, 0)
    desk.says("S", 1_000_000)
    desk.says("S", sport=40001)
    moved = (desk.y.get(40000, 0) - first) % 2**32
    note(moved > 0, desk.y.get(40000) == desk.y.get(40001), desk.says("R", 1), desk.state())
    desk.port += 1
    note(desk.says("S", sport=40002), desk.says("A", 1, 77, sport=40002), desk.says("R", 1, sport=40002))

    desk = Desk(hooks, family)  # the server first, at once behind its data; both at once; TIME-WAIT
    handle = desk.opens()
    note(desk.writes(handle, b"bye"), desk.does("close", handle), desk.passes(0.1), desk.says("FA", 1, 4), desk.state())
    note(desk.says("A", 2, 5), desk.passes(0), desk.state(), desk.says("FA", 1, 5), desk.state())

    desk = Desk(hooks, family)  # everything offered, data on the SYN, resets in the window
    listener = desk.listen()
    note(desk.says("S", 0, 0, b"early", options=OFFERS), desk.accept(listener))
    note(desk.says("A", 1, 1), desk.says("S", 5000), desk.state(), desk.says("R", 100), desk.state())
    note(desk.says("R", 1), desk.state())

    desk = Desk(hooks, family)  # gaps, small windows, unread data
    handle = desk.opens()
    note(desk.says("A", 1, 1, window=10), desk.writes(handle, b"x" * 30), desk.says("FA", 5, 1), desk.state())
    note(desk.says("PA", 1, 1, b"gap!"), desk.does("close", handle), desk.state())

    desk = Desk(hooks, family)  # more to say than the window takes, then close
    handle = desk.opens()
    note(desk.says("A", 1, 1, window=4), desk.writes(handle, b"abcdefgh"), desk.does("close", handle))

    _walk_of_what_is_not_meant(note, hooks, family)
    return seen


def _walk_of_what_is_not_meant(note: Callable[..., None], hooks: Honest, family: str) -> None:
    """The same for what is old, foreign or damaged, and for what a server does of itself."""
    desk = Desk(hooks, family)  # a call, and answers to another
    called = desk("connect", family=family, address=PEER[family], port=40000)
    desk.port = called["port"]
    note(desk.sent(), desk.says("SA", 0, 7), desk.state(), desk.says("R", 1), desk.state())

    desk = Desk(hooks, family)  # neither SYN nor connection
    desk.listen()
    note(desk.says("SA", 0, 7), desk.says("SA", 0, 7, sport=40009))
    desk.port += 1
    note(desk.says("F", 5), desk.says("F", 5, sport=40009))

    for x in (X, 2**31 - 3):  # numbers that go round; repetitions; acks and resets out of place; a quiet while
        desk = Desk(hooks, family)
        handle = desk.opens(x=x)
        note(desk.says("PA", 1, 1, b"hello", x=x), desk.says("PA", 1, 1, b"hello", x=x), desk.reads(handle))
        note(desk.says("PA", 6, 99, b"!", x=x), desk.says("PA", 6, 1, b"damaged", checksum=1, x=x), desk.reads(handle))
        note(desk.passes(2), desk.says("R", 2**31 - 1, x=x), desk.state(), desk.says("R", 6, x=x), desk.state())

    desk = Desk(hooks, family)  # acks of what came before a FIN; data behind the peer's
    handle = desk.opens()
    note(desk.does("close", handle), desk.says("A", 1, 1), desk.state(), desk.says("FA", 1, 1), desk.says("A", 2, 1))
    note(
        desk.state(),
        desk.says("A", 2, 2),
        desk.says("S", -50),
        desk.says("PA", -9, 1, b"old"),
        desk.passes(40),
        desk.says("FA", 1, 2),
    )
    note(desk.passes(40), desk.state())
    desk = Desk(hooks, family)
    handle = desk.opens()
    note(desk.says("FA", 1, 1), desk.says("PA", 2, 1, b"more"), desk.reads(handle), desk.does("close", handle))
    note(desk.says("A", 2, 1), desk.state())

    desk = Desk(hooks, family)  # one clock for the numbers of one four-tuple
    desk.listen()
    for _ in range(4):
        before = desk.y.pop(40000, None)
        desk.says("S")
        moved = 0 if before is None else (desk.y.get(40000, 0) - before) % 2**32
        note(moved < 2**24, desk.says("R", 1), desk.passes(1))


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_the_tour_is_the_same_every_time(family: str) -> None:
    assert tour(Honest(), family) == tour(Honest(), family)


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_breakage_can_be_seen(name: str) -> None:
    """In the families it names, and only there."""
    breakage = BREAKAGES[name]
    for family in ("ipv4", "ipv6"):
        differs = tour(breakage.hooks(), family) != tour(Honest(), family)
        assert differs == (family in breakage.families)


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_breakage_can_be_served(name: str) -> None:
    module, _, function = broken_servers.entry_point(name).partition(":")
    assert module == broken_servers.__name__
    assert callable(getattr(broken_servers, function))
    assert BREAKAGES[name].description.endswith(".")
    scenarios = {path.stem for path in (Path(__file__).parents[2] / "scenarios").rglob("*.py")}
    assert set(BREAKAGES[name].caught_by) <= scenarios
