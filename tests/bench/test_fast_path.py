"""The fast path against answers made by hand with Scapy, and against real kernels."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from lab.testbed.sandbox import Sandboxes
from lab.wire.fast import FastPath, WrongReply
from lab.wire.link import Captured

OURS, THEIRS = "02:00:00:00:00:02", "02:00:00:00:00:01"
ADDRESSES = {"ipv4": ("192.0.2.2", "192.0.2.1"), "ipv6": ("2001:db8::2", "2001:db8::1")}
X, Y = 0xFFFFFFFF, 0xFFFFFFFE
"""Both sides' numbers wrap at once: x + 1 = 0, y + 1 = 0xFFFFFFFF, y + 2 = 0."""

Edit = Callable[[Any], Any]


class Wire:
    """A link with a script behind it: the answers to our first, second, third … frame."""

    def __init__(self, family: str = "ipv4") -> None:
        self.family = family
        self.sent: list[Any] = []
        self.answers: list[list[Any]] = []
        self.queue: list[Captured] = []

    def answer(self, *packets: Any) -> None:
        """What comes back for the next frame that nothing was said about yet."""
        self.answers.append(list(packets))

    def send(self, frame: bytes) -> None:
        self.sent.append(Ether(frame))
        number = len(self.sent) - 1
        for packet in self.answers[number] if number < len(self.answers) else []:
            self.queue.append(packet if isinstance(packet, Captured) else Captured(bytes(packet), 0.0))

    def drain(self) -> list[Captured]:
        self.queue, queue = [], self.queue
        return queue

    def wait(self, timeout: float) -> list[Captured]:
        return self.drain()

    def reply(self, flags: str, seq: int, ack: int, *, port: int = 40000, **fields: Any) -> Any:
        """A segment of the server's, checksums by Scapy unless given."""
        ours, theirs = ADDRESSES[self.family]
        ip = (IPv6 if self.family == "ipv6" else IP)(src=theirs, dst=ours)
        return Ether(src=THEIRS, dst=OURS) / ip / TCP(sport=80, dport=port, flags=flags, seq=seq, ack=ack, **fields)

    def path(self, **more: Any) -> FastPath:
        ours, theirs = ADDRESSES[self.family]
        macs = {"source_mac": b"\2\0\0\0\0\2", "destination_mac": b"\2\0\0\0\0\1"}
        more = {"ports": [40000], "iss": X, "patience": 0.01, **more}
        return FastPath(self, source=ours, destination=theirs, port=80, **macs, **more)  # type: ignore[arg-type]

    def whole(self) -> None:
        """The answers of a server that does everything right, in four segments."""
        self.answer(self.reply("SA", Y, 0, options=[("MSS", 1460)]))
        self.answer()
        self.answer(self.reply("A", 0xFFFFFFFF, 1), self.reply("FA", 0xFFFFFFFF, 1))


def wrong_field(do: Callable[[], object]) -> str:
    with pytest.raises(WrongReply) as caught:
        do()
    assert caught.value.expected != caught.value.observed
    assert caught.value.section.startswith("RFC 9293 §3.")
    return caught.value.field


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_what_it_sends_is_right_by_scapys_reckoning(family: str) -> None:
    wire = Wire(family)
    wire.whole()
    path = wire.path()
    path.close(path.open())
    told = [(str(p[TCP].flags), p[TCP].seq, p[TCP].ack) for p in wire.sent]
    assert told == [("S", X, 0), ("A", 0, 0xFFFFFFFF), ("FA", 0, 0xFFFFFFFF), ("A", 1, 0)]
    for packet in wire.sent:
        assert (packet.src, packet.dst) == (OURS, THEIRS)
        assert (packet[TCP].sport, packet[TCP].dport, packet[TCP].window) == (40000, 80, 65535)
        again = packet.copy()
        del again[TCP].chksum
        if family == "ipv4":
            del again[IP].chksum
        assert bytes(again) == bytes(packet)
    assert (path.opened, path.closed) == (1, 1)


def test_every_checksum_it_makes_is_right() -> None:
    """Also where the sum comes out as zero or as its other zero (RFC 1071 §1), which a random number seldom meets."""
    for iss in (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0xFFFFFFFE, *range(0x12340000, 0x12350000, 997)):
        wire = Wire()
        path = wire.path(iss=iss)
        with pytest.raises(WrongReply):
            path.open()
        (packet,) = wire.sent
        octets = bytes(packet[TCP])
        pseudo = bytes([192, 0, 2, 2, 192, 0, 2, 1, 0, 6, 0, 20])
        words = struct.unpack("!16H", pseudo + octets)
        total = sum(words)
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        assert total == 0xFFFF, hex(iss)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_fin_that_carries_the_ack_is_as_good(family: str) -> None:
    wire = Wire(family)
    wire.answer(wire.reply("SA", Y, 0))
    wire.answer()
    wire.answer(wire.reply("FA", 0xFFFFFFFF, 1))
    path = wire.path()
    path.close(path.open())
    assert path.closed == 1


@pytest.mark.parametrize(
    ("field", "flags", "seq", "ack", "fields"),
    [
        ("ack", "SA", Y, X, {}),
        ("ack", "SA", Y, 1, {}),
        ("flags", "S", Y, 0, {}),
        ("flags", "A", Y, 0, {}),
        ("flags", "RA", 0, 0, {}),
        ("flags", "SAE", Y, 0, {}),
        ("checksum", "SA", Y, 0, {"chksum": 0x1234}),
        ("checksum", "SA", Y, 0, {"dataofs": 4}),
        ("checksum", "SA", Y, 0, {"dataofs": 15}),
    ],
)
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_syn_ack_is_refused_for_any_number_that_is_wrong(
    family: str, field: str, flags: str, seq: int, ack: int, fields: dict[str, Any]
) -> None:
    wire = Wire(family)
    wire.answer(wire.reply(flags, seq, ack, **fields))
    path = wire.path()
    assert wrong_field(path.open) == field
    assert path.opened == 0


def test_data_on_a_syn_ack_and_a_wrong_ip_checksum_are_refused() -> None:
    for wanted, make in (
        ("payload", lambda w: w.reply("SA", Y, 0) / Raw(b"x")),
        ("checksum", lambda w: _with_ip_checksum(w.reply("SA", Y, 0), 0x1111)),
    ):
        wire = Wire()
        wire.answer(make(wire))
        assert wrong_field(wire.path().open) == wanted


def _with_ip_checksum(packet: Any, value: int) -> Any:
    packet[IP].chksum = value
    return packet


@pytest.mark.parametrize(
    ("field", "answers"),
    [
        ("ack", [("A", 0xFFFFFFFF, 0)]),  # the FIN not counted
        ("ack", [("A", 0xFFFFFFFF, 2)]),  # counted twice
        ("seq", [("A", 0, 1)]),
        ("seq", [("A", 0xFFFFFFFF, 1), ("FA", 0, 1)]),  # the ACK used up a number
        ("ack", [("A", 0xFFFFFFFF, 1), ("FA", 0xFFFFFFFF, 2)]),
        ("flags", [("A", 0xFFFFFFFF, 1), ("RA", 0xFFFFFFFF, 1)]),
        ("flags", [("A", 0xFFFFFFFF, 1), ("A", 0xFFFFFFFF, 1)]),  # twice the same
        ("flags", [("A", 0xFFFFFFFF, 1), ("FPA", 0xFFFFFFFF, 1)]),
        ("flags", [("R", 0xFFFFFFFF, 1)]),
        ("silence", [("A", 0xFFFFFFFF, 1)]),  # no FIN
        ("silence", []),
        ("silence", [("A", 0xFFFFFFFF, 1), ("FA", 0xFFFFFFFF, 1), ("FA", 0xFFFFFFFF, 1)]),
        ("silence", [("A", 0xFFFFFFFF, 1), ("FA", 0xFFFFFFFF, 1), ("A", 0xFFFFFFFF, 1)]),
        ("silence", [("FA", 0xFFFFFFFF, 1), ("A", 0xFFFFFFFF, 0)]),  # overtaken, but not that ACK
    ],
)
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_close_is_refused_for_any_number_that_is_wrong(
    family: str, field: str, answers: list[tuple[str, int, int]]
) -> None:
    wire = Wire(family)
    wire.answer(wire.reply("SA", Y, 0))
    wire.answer()
    wire.answer(*(wire.reply(*each) for each in answers))
    path = wire.path()
    opened = path.open()
    assert wrong_field(lambda: path.close(opened)) == field
    assert (path.opened, path.closed) == (1, 0)


def test_whoever_speaks_before_our_fin_is_refused() -> None:
    wire = Wire()
    wire.answer(wire.reply("SA", Y, 0))
    wire.answer(wire.reply("A", 0xFFFFFFFF, 0))  # an ACK of the ACK
    path = wire.path()
    opened = path.open()
    assert wrong_field(lambda: path.begin_close(opened)) == "silence"


@pytest.mark.parametrize("late", ["with the FIN", "after the end"])
def test_an_ack_that_the_fin_has_overtaken_is_taken_once(late: str) -> None:
    """Two processors may put the two segments on the wire in the other order, and the network need not keep it."""
    for copies in (1, 2):
        wire = Wire()
        overtaken = [wire.reply("A", 0xFFFFFFFF, 1)] * copies
        wire.answer(wire.reply("SA", Y, 0))
        wire.answer()
        wire.answer(wire.reply("FA", 0xFFFFFFFF, 1), *(overtaken if late == "with the FIN" else []))
        path = wire.path(ports=[40000, 40001])
        opened = path.open()
        if late == "with the FIN":
            finish: Callable[[], object] = lambda path=path, opened=opened: path.close(opened)  # noqa: E731
        else:
            path.close(opened)
            wire.answer()
            wire.answer(*overtaken, wire.reply("SA", 5, (X + 0x9E3779B1 + 1) % 2**32, port=40001))
            finish = path.open
        if copies == 1:
            finish()
        else:
            assert wrong_field(finish) == "silence"


def test_whoever_speaks_after_the_end_is_refused() -> None:
    wire = Wire()
    wire.whole()
    path = wire.path(ports=[40000, 40001])
    path.close(path.open())
    wire.queue.append(Captured(bytes(wire.reply("FA", 0xFFFFFFFF, 1)), 0.0))
    assert wrong_field(path.open) == "silence"


def test_what_is_not_for_it_does_not_disturb_it() -> None:
    wire = Wire()
    others = [
        Ether(src=THEIRS, dst=OURS) / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=80, dport=40000),
        Ether(src=THEIRS, dst=OURS) / IP(src="192.0.2.9", dst="192.0.2.2") / TCP(sport=80, dport=40000, flags="R"),
        Ether(src=THEIRS, dst=OURS) / IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=81, dport=40000, flags="R"),
        Ether(src=THEIRS, dst=OURS) / IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=80, dport=12345, flags="R"),
        Ether(b"\2\0\0\0\0\2" + b"\0" * 8),
        Ether(b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\x00\x45"),
    ]
    kernels_own = Captured(bytes(wire.reply("R", 1, 1)), 0.0, outgoing=True)
    wire.answer(kernels_own, *others, wire.reply("SA", Y, 0))
    wire.answer(*others)
    wire.answer(*others, wire.reply("FA", 0xFFFFFFFF, 1))
    path = wire.path()
    path.close(path.open())
    assert path.closed == 1


def test_it_answers_for_its_address() -> None:
    wire = Wire()
    question = Ether(src=THEIRS, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=THEIRS, psrc="192.0.2.1", pdst="192.0.2.2")
    wire.answer(question)
    wire.answer(wire.reply("SA", Y, 0))  # to the answer
    path = wire.path()
    path.open()
    reply = wire.sent[1][ARP]
    assert (reply.op, reply.psrc, reply.hwsrc, reply.pdst) == (2, "192.0.2.2", OURS, "192.0.2.1")


def test_a_checksum_left_to_hardware_is_not_held_against_the_server() -> None:
    wire = Wire()
    unfinished = wire.reply("SA", Y, 0, chksum=0x1234)
    wire.answer(Captured(bytes(unfinished), 0.0, checksum_ready=False))
    assert wire.path().open().y == Y


def test_no_port_is_used_twice_at_once() -> None:
    wire = Wire()
    wire.answer(wire.reply("SA", Y, 0))
    path = wire.path()
    path.open()
    with pytest.raises(ValueError, match="all 1 ports"):
        path.open()


def test_initial_numbers_move_round_the_whole_circle() -> None:
    wire = Wire()
    path = wire.path(ports=range(20000, 20600))
    for _ in range(600):
        with pytest.raises(WrongReply):
            path.open()
    numbers = [packet[TCP].seq for packet in wire.sent]
    assert len(set(numbers)) == 600
    assert {number >> 28 for number in numbers} == set(range(16))


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_kernel_passes(family: str, sandbox_works: None) -> None:
    with Sandboxes() as sandboxes, sandboxes.make() as sandbox:
        assert sandbox.agent is not None
        source, destination = sandbox.peer_address(family), sandbox.server_address(family)
        assert source is not None
        assert destination is not None
        path = FastPath(
            sandbox.link,
            source=source,
            destination=destination,
            port=sandbox.agent.services()["discard"],
            source_mac=sandbox.peer_mac,
            destination_mac=sandbox.server_mac,
            ports=range(30000, 30040),
            iss=X,
        )
        for _ in range(100):
            path.close(path.open())
        # Many at once, closed in another order, on ports that were used before.
        several = [path.open() for _ in range(40)]
        assert len({each.y for each in several}) == 40
        for each in reversed(several):
            path.close(each)
        assert (path.opened, path.closed) == (140, 140)
        where = (destination, path.port)
        assert {str(sandbox.agent.state(family, where, (source, each.port))) for each in several} == {"CLOSED"}
