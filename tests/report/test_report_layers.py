"""Packets by layers, as a person sees them."""

from __future__ import annotations

import struct

import pytest

from lab.layers import dissect
from lab.report.layers import MOST_OCTETS, Capture, capture_as_json, headed, overview, page, wrapping
from lab.report.terminal import STYLES
from lab.report.text import ASCII, Line, plain, width_of

ETHERNET = bytes.fromhex("0200000000010200000000020800")
REQUEST = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
ANSWER = b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n"
HELLO = bytes.fromhex("818537fa213d7f9f4d5158")


def frame(seq: int, payload: bytes = b"", *, flags: int = 0x18, back: bool = False) -> bytes:
    """A frame of the client's, or the server's, with checksums of zero: nobody has filled them in."""
    ports = (7080, 40000) if back else (40000, 7080)
    ends = bytes([192, 0, 2, 1, 192, 0, 2, 2]) if back else bytes([192, 0, 2, 2, 192, 0, 2, 1])
    segment = struct.pack("!HHIIBBHHH", *ports, seq, 1, 0x50, flags, 1024, 0, 0) + payload
    return ETHERNET + struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, 6, 0) + ends + segment


def capture(*more: bytes) -> Capture:
    """The opening of a WebSocket in four packets, and more."""
    frames = [frame(0, flags=2), frame(0, flags=0x12, back=True), frame(1, REQUEST), frame(1, ANSWER, back=True), *more]
    return Capture(dissect(frames), [i / 1000 for i in range(len(frames))])


def masked() -> Capture:
    """A masked frame as the fifth packet."""
    return capture(frame(1 + len(REQUEST), HELLO))


MASKED = """\
packet 5 of 5  4.00 ms  65 octets  connection 1
192.0.2.2:40000 → 192.0.2.1:7080
PSH+ACK seq 39 ack 1 len 11
TEXT fin masked len 5 "Hello"

   OSI           TCP/IP       header                     octets
7  Application   Application  P Payload                       5  60 to 64
                 │            W WebSocket                     6  54 to 59
6  Presentation  │            no octets: UTF-8: how the text is written in
                 │            octets; masked: XORed with 37 fa 21 3d
5  Session       │            no octets: TCP/IP has no header for it: the
                 │            application does it
4  Transport     Transport    T TCP                          20  34 to 53
3  Network       Internet     I IPv4                         20  14 to 33
2  Data link     Link         E Ethernet                     14  0 to 13
1  Physical      │            no octets: the network hardware keeps its bits to
                 │            itself: none is in a capture
   no TLS here: with wss or https its records, header and encrypted octets,
   would stand between TCP and HTTP or WebSocket (OSI 5 and 6 by custom)

what each layer adds  in the sender's order, with the sum
   P Payload                  5      5  what the programs have to say
 + W WebSocket                6     11  end and kind of a message, length, mask
 + T TCP                     20     31  two programs, numbers, bits, window
 + I IPv4                    20     51  two hosts, length, life, what is inside
 + E Ethernet                14     65  two stations on a link, what is inside
"""

WEBSOCKET_FIELDS = """\
W WebSocket  6 octets, 54 to 59
  TEXT fin masked len 5 "Hello"
  54 bit 0     FIN             1  the last fragment of its message
  54 bit 1     RSV1            0
  54 bit 2     RSV2            0
  54 bit 3     RSV3            0
  54 bits 4-7  opcode          1  TEXT: a message of text
  55 bit 0     MASK            1  a masking key follows
  55 bits 1-7  payload length  5  octets
  56-59        masking key     37 fa 21 3d
                               octet i of the payload is XORed with octet i mod
                               4
"""

OCTETS = """\
octets  each row is of the layer whose letter it has
E  0000  02 00 00 00 00 01 02 00  00 00 00 02 08 00        ..............
I  000e  45 00 00 33 00 00 40 00  40 06 00 00 c0 00 02 02  E..3..@.@.......
I  001e  c0 00 02 01                                       ....
T  0022  9c 40 1b a8 00 00 00 27  00 00 00 01 50 18 04 00  .@.....'....P...
T  0032  00 00 00 00                                       ....
W  0036  81 85 37 fa 21 3d                                 ..7.!=
P  003c  7f 9f 4d 51 58                                    ..MQX"""

OVERVIEW = """\
connection 1  192.0.2.2:40000 ► 192.0.2.1:7080

 #    time    octets  layers
 1 0.00 ms  ►    54  E14 I20 T20        SYN seq 0
 2 1.00 ms  ◄    54  E14 I20 T20        SYN+ACK seq 0 ack 1
 3 2.00 ms  ►    92  E14 I20 T20 H38    GET / HTTP/1.1
 4 3.00 ms  ◄    94  E14 I20 T20 H40    101 Yes
 5 4.00 ms  ►    65  E14 I20 T20 W6 P5  TEXT fin masked len 5 "Hello"

what each layer took of 359 octets
E Ethernet                 OSI 2    Link                70   19%  ━━━
I IPv4                     OSI 3    Internet           100   28%  ━━━━
T TCP                      OSI 4    Transport          100   28%  ━━━━
H HTTP                     OSI 7    Application         78   22%  ━━━
W WebSocket                OSI 7    Application          6    2%
P Payload                  OSI 7    Application          5    1%"""


def test_a_masked_frame_as_a_page() -> None:
    drawn = plain(page(masked(), 5))
    assert drawn.startswith(MASKED)
    assert WEBSOCKET_FIELDS in drawn
    assert drawn.endswith(OCTETS)


def test_all_packets_in_a_list() -> None:
    assert plain(overview(masked())) == OVERVIEW


@pytest.mark.parametrize("width", [60, 66, 75, 76, 80, 100, 120, 300])
def test_no_line_is_wider_than_asked(width: int) -> None:
    one = capture(frame(39, HELLO * 9), frame(138, bytes.fromhex("82fe1000") + bytes(600)), frame(9, b"x", flags=4))
    for lines in (overview(one, width=width), *(page(one, n, width=width) for n in range(1, 8))):
        assert max(width_of(line) for line in lines) <= width


def test_facts_that_do_not_fit_go_on_below() -> None:
    facts = [("websocket/closing/handshake over IPv6", "head"), ("20 packets", "dim"), ("seed 4294967295", "dim")]
    one = "websocket/closing/handshake over IPv6  20 packets  seed 4294967295"
    assert plain(headed(facts, 66)) == one
    assert plain(headed(facts, 65)) == "websocket/closing/handshake over IPv6  20 packets\n  seed 4294967295"
    assert plain(headed(facts, 30)) == "websocket/closing/handshake\n  over IPv6  20 packets\n  seed 4294967295"


def test_every_octet_is_drawn_once_in_the_row_of_its_layer() -> None:
    one = capture(frame(39, HELLO * 3))
    packet = one.packets[4]
    for width in (60, 80):
        drawn = plain(page(one, 5, width=width)).partition("octets  each row")[2].splitlines()[1:]
        octets, letters = b"", ""
        for row in drawn:
            letter, _, rest = row.partition("  ")
            at, _, rest = rest.partition("  ")
            assert int(at, 16) == len(octets)
            numbers = bytes.fromhex(rest[: 48 if width == 80 else 24])
            octets += numbers
            letters += letter * len(numbers)
        assert octets == packet.frame
        assert letters == "E" * 14 + "I" * 20 + "T" * 20 + ("W" * 6 + "P" * 5) * 3


def test_styles_are_those_of_the_terminal() -> None:
    lines: list[Line] = [*overview(masked()), *page(masked(), 5)]
    used = {style for line in lines for _, style in line}
    assert used <= set(STYLES)
    # Neighbours in a frame do not look alike.
    rows = [line[0] for line in page(masked(), 5)[-7:]]
    assert [style for _, style in rows] == ["warn", "good", "good", "peer", "peer", "server", "head"]


def test_in_ascii() -> None:
    for lines in (overview(masked(), glyphs=ASCII), page(masked(), 3, glyphs=ASCII)):
        # What is no glyph is told by the screen, which has a likeness for each of these.
        assert set(plain(lines)) - set(map(chr, range(128))) <= {"→", "…", "\n"}


def test_several_frames_are_put_on_one_after_the_other() -> None:
    one = capture(frame(39, HELLO + bytes.fromhex("898000000000") + HELLO))
    names = [(layer.name, layer.start) for layer in wrapping(one.packets[4].layers)]
    assert names == [
        ("Payload", 60), ("WebSocket", 54), ("WebSocket", 65), ("Payload", 77), ("WebSocket", 71),
        ("TCP", 34), ("IPv4", 14), ("Ethernet", 0),
    ]  # fmt: skip


def test_a_long_payload_is_not_drawn_to_its_end() -> None:
    one = capture(frame(39, bytes.fromhex("82fe2000 00000000") + bytes(8192)))
    drawn = plain(page(one, 5))
    assert len(drawn.splitlines()) < 250
    assert f"… {8192 - MOST_OCTETS:,} octets more of Payload" in drawn


def test_very_many_frames_in_a_packet() -> None:
    one = capture(frame(39, bytes.fromhex("898000000000") * 200))
    drawn = plain(page(one, 5))
    assert len(drawn.splitlines()) < 450
    assert drawn.count("… 176 layers more of this packet: --json tells them") == 1  # of 200 at layer 7
    assert drawn.count("… 179 layers more of this packet: --json tells them") == 3  # of 203 in all
    assert " 1254  two stations" in drawn


def test_a_list_of_many_shows_both_ends() -> None:
    one = Capture(dissect([frame(i, flags=0x10) for i in range(3000)]), [0.0] * 3000)
    drawn = plain(overview(one))
    assert "… 2,000 packets left out: --packet shows one" in drawn
    assert "\n 500 " in drawn
    assert "\n 501 " not in drawn
    assert "\n3000 " in drawn


def test_other_packets() -> None:
    arp = ETHERNET[:12] + bytes.fromhex("08060001080006040001020000000002c0000202000000000000c0000201") + bytes(18)
    one = Capture(dissect([arp, b"", ETHERNET, ETHERNET[:12] + b"\x88\xcc\1\2\3"]), [0.0] * 4)
    assert "ARP: who has 192.0.2.1? tell 192.0.2.2" in plain(overview(one))
    drawn = plain(page(one, 1))
    assert "3  Network       Internet     no octets: with layer 2" in drawn
    assert "2  Data link     Link         _ Padding                      18  42 to 59" in drawn
    assert "no octets: the frame is empty" in plain(page(one, 2))
    assert "no octets: somewhere in Data" in plain(page(one, 4))
    for number in range(1, 5):
        page(one, number)
    assert plain(overview(Capture([], []))) == "no packet was captured"


def test_what_is_wrong_is_told_with_the_layer() -> None:
    short = Capture(dissect([frame(1, b"hello")[:40]]), [0.0])
    drawn = plain(page(short, 1))
    assert "  ! its total length is 45 octets, and the capture has 19 fewer" in drawn
    assert "  ! cut short: 6 of 20 octets" in drawn


def test_for_programs() -> None:
    told = capture_as_json(masked(), [5])
    assert told["osi"]["6"] == "Presentation"
    (packet,) = told["packets"]
    assert packet["number"] == 5
    assert [(x["name"], x["osi"], x["octets"]) for x in packet["layers"]] == [
        ("Ethernet", [2], 14), ("IPv4", [3], 20), ("TCP", [4], 20), ("WebSocket", [7], 6), ("Payload", [7], 5),
    ]  # fmt: skip
    assert sum(x["octets"] for x in packet["layers"]) == packet["octets"] == len(packet["frame"]) // 2
    assert "masked" in packet["without_octets"]["6"]
    assert packet["layers"][3]["fields"][7]["value"] == "37 fa 21 3d"
    assert len(capture_as_json(masked())["packets"]) == 5
