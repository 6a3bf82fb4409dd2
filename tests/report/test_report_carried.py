"""The ladder and the JSON of a WebSocket's run: frames on the segments that carried them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from lab.report.captures import write_capture
from lab.report.json_report import document
from lab.report.ladder import ladder
from lab.report.text import ASCII, columns, plain, width_of
from lab.scenario.record import Packet, Result, Run
from lab.wire.codec import encode
from lab.wire.pcapng import read_pcapng

REQUEST = b"GET /echo HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
"""42 octets."""
ANSWER = b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n"
"""40 octets."""
HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
BIG = bytes.fromhex("827e0bb8") + bytes(3000)


def of(conforming: Result, packets: list[Packet]) -> Result:
    """A run of these packets."""
    return replace(conforming, timeline=list(packets), isns={"A": (0xFFFFFFFF, 1000)})


def a_run(conforming: Result, make_packet) -> Result:
    """A request, a 101, a frame, three in one segment, one in three segments."""
    sizes = {"peer": 1, "server": 1}
    packets = [
        make_packet(1, 0.001, "peer", "S", 0, None),
        make_packet(2, 0.002, "server", "SA", 0, 1),
        make_packet(3, 0.003, "peer", "A", 1, 1),
    ]
    for sender, payload in (
        ("peer", REQUEST),
        ("server", ANSWER),
        ("peer", HELLO),
        ("peer", HELLO + bytes.fromhex("898000000000") + HELLO),
        ("server", BIG[:1460]),
        ("server", BIG[1460:2920]),
        ("server", BIG[2920:]),
    ):
        other = "server" if sender == "peer" else "peer"
        number = len(packets) + 1
        packets.append(
            make_packet(number, number / 1000, sender, "PA", sizes[sender], sizes[other], payload=payload)
        )  # fmt: skip
        sizes[sender] += len(payload)
    return of(conforming, packets)


LADDER = """\
4.00 ms  4              │── PSH+ACK  seq 1     ack 1   len 42 ───►│
                        │   GET /echo HTTP/1.1                    │
5.00 ms  5              │◄─ PSH+ACK  seq 1     ack 43  len 40 ────│
                        │   101 Yes                               │
6.00 ms  6              │── PSH+ACK  seq 43    ack 41  len 11 ───►│
                        │   TEXT fin masked len 5 "Hello"         │
7.00 ms  7              │── PSH+ACK  seq 54    ack 41  len 28 ───►│
                        │   TEXT fin masked len 5 "Hello", seq    │
                        │     54..64                              │
                        │   PING fin masked len 0, seq 65..70     │
                        │   TEXT fin masked len 5 "Hello", seq    │
                        │     71..81                              │
8.00 ms  8              │◄─ PSH+ACK  seq 41    ack 82  len 1460 ──│
                        │   BINARY fin len 3000                   │
                        │     0x00000000000000000000000000000000… │
                        │     : 1460 of 3004 octets, seq 41..1500 │
9.00 ms  9              │◄─ PSH+ACK  seq 1501  ack 82  len 1460 ──│
                        │   … 1460 of 3004 octets of BINARY, seq  │
                        │     1501..2960                          │
10.0 ms 10              │◄─ PSH+ACK  seq 2961  ack 82  len 84 ────│
                        │   … 84 of 3004 octets of BINARY, seq    │
                        │     2961..3044                          │"""


def test_frames_stand_on_the_segments_that_carried_them(conforming: Result, make_packet) -> None:
    lines = ladder(a_run(conforming, make_packet), legend=False)
    assert plain(lines).partition("4.00 ms")[2] == LADDER.removeprefix("4.00 ms")
    assert max(width_of(line) for line in ladder(a_run(conforming, make_packet), width=60)) <= 60
    assert plain(ladder(a_run(conforming, make_packet), glyphs=ASCII)).isascii()


def test_what_is_no_http_is_shown_as_it_always_was(conforming: Result, make_packet) -> None:
    """A text frame's octets, but no opening handshake before them."""
    packets = [make_packet(1, 0.001, "peer", "S", 0, None), make_packet(2, 0.002, "peer", "PA", 1, 1, payload=HELLO)]
    drawn = plain(ladder(of(conforming, packets), legend=False))
    assert '"..7.!=..MQX"' in drawn
    assert "TEXT" not in drawn


def test_a_repeated_frame_is_told_again(conforming: Result, make_packet) -> None:
    run = a_run(conforming, make_packet)
    again = make_packet(11, 0.011, "peer", "PA", 43, 41, payload=HELLO)
    drawn = plain(ladder(replace(run, timeline=[*run.timeline, again])))
    assert drawn.count('TEXT fin masked len 5 "Hello" ') == 2


def test_text_of_wide_signs_leaves_the_lifelines_straight(conforming: Result, make_packet) -> None:
    run = a_run(conforming, make_packet)
    said = "héy 你好 👋".encode()
    frame = b"\x81" + bytes([len(said)]) + said
    more = make_packet(11, 0.011, "server", "PA", 3045, 82, payload=frame)
    drawn = plain(ladder(replace(run, timeline=[*run.timeline, more])))
    assert "héy 你好 👋" in drawn
    assert len({columns(line.partition("│")[2].rpartition("│")[0]) for line in drawn.splitlines() if "│" in line}) == 1


def test_signs_that_join_with_others_are_told_by_their_numbers(conforming: Result, make_packet) -> None:
    run = a_run(conforming, make_packet)
    said = "e\u0301 \u200d".encode()
    more = make_packet(11, 0.011, "server", "PA", 3045, 82, payload=b"\x81" + bytes([len(said)]) + said)
    assert r"e\u0301 \u200d" in plain(ladder(replace(run, timeline=[*run.timeline, more])))
    in_ascii = plain(ladder(replace(run, timeline=[*run.timeline, more]), glyphs=ASCII))
    assert r"e\u0301 \u200d" in in_ascii


def test_a_segment_with_a_wrong_checksum_is_no_part_of_the_stream(conforming: Result, make_packet) -> None:
    """A receiver drops it, and takes the one that comes in its place."""
    bad = make_packet(20, 0.0055, "peer", "PA", 43, 41, payload=b"x" * 11)
    ends = {"source": "198.51.100.2", "destination": "198.51.100.1", "sport": 1, "dport": 2}
    frame = encode(bad.segment, **ends, source_mac=bytes(6), destination_mac=bytes(6), checksum=1)
    run = a_run(conforming, make_packet)
    drawn = plain(ladder(replace(run, timeline=[*run.timeline[:5], replace(bad, frame=frame), *run.timeline[5:]])))
    assert '"xxxxxxxxxxx"' in drawn
    assert 'TEXT fin masked len 5 "Hello" ' in drawn


def test_very_many_frames_in_a_segment(conforming: Result, make_packet) -> None:
    run = a_run(conforming, make_packet)
    more = make_packet(11, 0.011, "server", "PA", 3045, 82, payload=b"\x89\x00" * 100)
    drawn = plain(ladder(replace(run, timeline=[*run.timeline, more]), legend=False))
    assert drawn.rstrip(" │").endswith("… 93 more")
    assert drawn.count("PING fin len 0") == 7


def test_the_comments_of_a_capture_tell_it_too(conforming: Result, make_packet, tmp_path: Path) -> None:
    run = a_run(conforming, make_packet)
    write_capture(run, tmp_path)
    comments = [comment.splitlines() for _, _, comment in read_pcapng(Path(run.capture))]
    assert comments[3][:3] == ["lab → server", "PSH+ACK seq 1 ack 1 len 42", "GET /echo HTTP/1.1"]
    assert comments[4][2] == "101 Yes"
    assert comments[5][1:3] == ["PSH+ACK seq 43 ack 41 len 11", 'TEXT fin masked len 5 "Hello"']
    assert comments[6][2:5] == [
        'TEXT fin masked len 5 "Hello", seq 54..64',
        "PING fin masked len 0, seq 65..70",
        'TEXT fin masked len 5 "Hello", seq 71..81',
    ]
    assert comments[8][2] == "… 1460 of 3004 octets of BINARY, seq 1501..2960"
    assert comments[2] == ["lab → server", "ACK seq 1 ack 1", "rule: RFC 9293 §3.5"]


def test_in_json(conforming: Result, make_packet) -> None:
    run = Run("0.1.0", "sandbox", "6.1.0", 42, [a_run(conforming, make_packet)], 0.1)
    told = json.loads(json.dumps(document(run, timeline=True)))["scenarios"][0]["timeline"]
    assert [len(entry["websocket"]) for entry in told] == [0, 0, 0, 1, 1, 1, 3, 1, 1, 1]
    assert told[5]["websocket"] == [
        {
            "kind": "frame", "says": 'TEXT fin masked len 5 "Hello"', "first_seq": 43, "last_seq": 53, "octets": 11,
            "of": 11, "whole": True, "opcode": 1, "fin": True, "rsv": 0, "masked": True, "length": 5,
        }
    ]  # fmt: skip
    middle = told[8]["websocket"][0]
    assert (middle["first_seq"], middle["last_seq"], middle["octets"], middle["of"]) == (1501, 2960, 1460, 3004)
    assert middle["whole"] is False
    assert told[3]["websocket"][0]["kind"] == "request"
