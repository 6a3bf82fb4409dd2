"""ARP and neighbour discovery for addresses of no kernel: by hand, and with a kernel as the other side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from itertools import islice
from typing import Any, cast

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether

from lab.tcp.segment import SYN, Segment
from lab.tcp.sequence import Seq
from lab.wire.codec import (
    ArpReply,
    ArpRequest,
    Decoded,
    NeighbourAdvertisement,
    NeighbourSolicitation,
    OtherFrame,
    decode,
    encode,
)
from lab.wire.errors import LinkError
from lab.wire.link import Captured, Link
from lab.wire.neighbours import answer, candidates, find_free_address, probe, request, resolve

US, THEM = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
OURS = ["198.51.100.2", "2001:db8::2"]


def test_arp_reply_octet_for_octet() -> None:
    reply = answer(ArpRequest(THEM, "198.51.100.1", "198.51.100.2"), OURS, US)
    assert reply == bytes.fromhex(
        "020000000001 020000000002 0806 0001 0800 06 04 0002 020000000002 c6336402 020000000001 c6336401"
    )


def test_advertisement_as_scapy_reads_it() -> None:
    reply = answer(NeighbourSolicitation(THEM, "2001:db8::1", "2001:db8::2"), OURS, US)
    assert reply is not None
    packet = Ether(reply)
    assert (packet.src, packet.dst) == ("02:00:00:00:00:02", "02:00:00:00:00:01")
    assert (packet[IPv6].src, packet[IPv6].dst, packet[IPv6].hlim) == ("2001:db8::2", "2001:db8::1", 255)
    said = packet[ICMPv6ND_NA]
    assert (said.R, said.S, said.O, said.tgt) == (0, 1, 1, "2001:db8::2")
    assert (said.payload.type, said.payload.lladdr) == (2, "02:00:00:00:00:02")
    cksum = said.cksum
    del said.cksum
    assert Ether(bytes(packet))[ICMPv6ND_NA].cksum == cksum


def test_duplicate_address_detection_is_answered_to_all_nodes() -> None:
    """RFC 4861 §7.2.4: not solicited, to ff02::1."""
    reply = answer(NeighbourSolicitation(THEM, "::", "2001:db8::2"), OURS, US)
    assert reply is not None
    packet = Ether(reply)
    assert (packet.dst, packet[IPv6].dst) == ("33:33:00:00:00:01", "ff02::1")
    assert (packet[ICMPv6ND_NA].S, packet[ICMPv6ND_NA].O) == (0, 1)


@pytest.mark.parametrize(
    "decoded",
    [
        ArpRequest(THEM, "198.51.100.1", "198.51.100.3"),
        ArpRequest(THEM, "198.51.100.2", "198.51.100.2"),
        ArpReply(THEM, "198.51.100.1", US, "198.51.100.2"),
        NeighbourSolicitation(THEM, "2001:db8::1", "2001:db8::3"),
        NeighbourAdvertisement(THEM, "2001:db8::1", "2001:db8::2"),
        OtherFrame("IPv4 UDP"),
    ],
)
def test_no_answer_to_anything_else(decoded: Decoded) -> None:
    assert answer(decoded, OURS, US) is None


def test_requests_as_scapy_reads_them() -> None:
    arp = Ether(request("198.51.100.1", source="198.51.100.2", mac=US))
    assert (arp.dst, arp.src) == ("ff:ff:ff:ff:ff:ff", "02:00:00:00:00:02")
    assert (arp[ARP].op, arp[ARP].psrc, arp[ARP].hwsrc, arp[ARP].pdst, arp[ARP].hwdst) == (
        *(1, "198.51.100.2", "02:00:00:00:00:02"),
        *("198.51.100.1", "00:00:00:00:00:00"),
    )
    arp = Ether(probe("198.51.100.1", mac=US))
    assert (arp[ARP].op, arp[ARP].psrc, arp[ARP].pdst) == (1, "0.0.0.0", "198.51.100.1")
    ask = Ether(request("2001:db8::12:3456", source="2001:db8::2", mac=US))
    assert (ask.dst, ask[IPv6].dst, ask[IPv6].src) == ("33:33:ff:12:34:56", "ff02::1:ff12:3456", "2001:db8::2")
    assert (ask[ICMPv6ND_NS].tgt, ask[ICMPv6ND_NS].payload.lladdr) == ("2001:db8::12:3456", "02:00:00:00:00:02")
    ask = Ether(probe("2001:db8::2", mac=US))
    assert (ask[IPv6].src, ask[IPv6].dst, len(ask[ICMPv6ND_NS])) == ("::", "ff02::1:ff00:2", 24)
    with pytest.raises(ValueError, match="two families"):
        request("2001:db8::1", source="198.51.100.2", mac=US)


@pytest.mark.parametrize(
    ("network", "first"),
    [
        ("198.51.100.0/24", ["198.51.100.254", "198.51.100.253"]),
        ("198.51.100.1/24", ["198.51.100.254", "198.51.100.253"]),
        ("198.51.100.0/30", ["198.51.100.2", "198.51.100.1"]),
        ("198.51.100.0/31", ["198.51.100.1", "198.51.100.0"]),
        ("198.51.100.7/32", ["198.51.100.7"]),
        ("2001:db8::/64", ["2001:db8::ffff:ffff:ffff:ff7f", "2001:db8::ffff:ffff:ffff:ff7e"]),
        ("2001:db8::/126", ["2001:db8::3", "2001:db8::2", "2001:db8::1"]),
        ("2001:db8::/127", ["2001:db8::1", "2001:db8::"]),
    ],
)
def test_candidates_highest_first(network: str, first: list[str]) -> None:
    assert list(islice(candidates(network), len(first))) == first
    assert list(islice(candidates(ip_network(network, strict=False)), len(first))) == first


class FakeLink:
    """Answers each frame sent with what `reply` says, at once."""

    interface, mac = "fake0", US

    def __init__(self, reply: Callable[[bytes], list[bytes]]) -> None:
        self.reply, self.sent, self.queue = reply, list[bytes](), list[Captured]()

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)
        self.queue += [Captured(frame, time.time()) for frame in self.reply(frame)]

    def wait(self, timeout: float) -> list[Captured]:
        found, self.queue = self.queue, []
        if not found:
            time.sleep(timeout)
        return found

    def as_link(self) -> Link:
        return cast(Link, self)


def _free(reply: Callable[[bytes], list[bytes]], network: str = "198.51.100.0/29", **more: Any) -> tuple[str, FakeLink]:
    fake = FakeLink(reply)
    return find_free_address(fake.as_link(), network, interval=0.001, **more), fake


def _on_probe_for(target: str, *frames: bytes) -> Callable[[bytes], list[bytes]]:
    def reply(frame: bytes) -> list[bytes]:
        decoded = decode(frame)
        assert isinstance(decoded, ArpRequest | NeighbourSolicitation)
        return list(frames) if decoded.target == target else []

    return reply


def test_nobody_answers_so_the_highest_is_free() -> None:
    found, fake = _free(lambda _: [])
    assert found == "198.51.100.6"
    asked = [decode(frame) for frame in fake.sent]
    assert asked.count(ArpRequest(US, "0.0.0.0", "198.51.100.6")) == 3


HIGHER, LOWER = bytes.fromhex("020000000003"), bytes.fromhex("020000000001")


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (request("198.51.100.1", source="198.51.100.6", mac=LOWER), "198.51.100.5"),
        (answer(ArpRequest(US, "0.0.0.0", "198.51.100.6"), ["198.51.100.6"], LOWER), "198.51.100.5"),
        (probe("198.51.100.6", mac=HIGHER), "198.51.100.5"),
        (probe("198.51.100.6", mac=LOWER), "198.51.100.6"),
        (
            encode(
                Segment(SYN, Seq(1)),
                source="198.51.100.6",
                destination="198.51.100.1",
                sport=1,
                dport=2,
                source_mac=LOWER,
                destination_mac=US,
            ),
            "198.51.100.5",
        ),
    ],
    ids=["its request", "its reply", "a probe of a higher MAC", "a probe of a lower MAC", "its TCP"],
)
def test_an_address_in_use_is_passed_over(frame: bytes, found: str) -> None:
    assert _free(_on_probe_for("198.51.100.6", frame))[0] == found


def test_two_labs_at_once_find_two_addresses() -> None:
    high, low = FakeLink(lambda _: []), FakeLink(lambda _: [])
    high.mac, low.mac = HIGHER, LOWER
    high.reply = lambda frame: [probe(cast(ArpRequest, decode(frame)).target, mac=LOWER)]
    low.reply = lambda frame: (
        [probe("198.51.100.6", mac=HIGHER)] if cast(ArpRequest, decode(frame)).target == "198.51.100.6" else []
    )
    network = "198.51.100.0/29"
    assert find_free_address(high.as_link(), network, interval=0.001) == "198.51.100.6"
    assert find_free_address(low.as_link(), network, interval=0.001) == "198.51.100.5"


def test_taken_and_full_networks() -> None:
    assert _free(lambda _: [], taken=["198.51.100.6", "198.51.100.5"])[0] == "198.51.100.4"

    def all_taken(frame: bytes) -> list[bytes]:
        decoded = decode(frame)
        assert isinstance(decoded, ArpRequest)
        return [request("198.51.100.100", source=decoded.target, mac=LOWER)]

    with pytest.raises(LinkError, match=r"No free address was found in 198\.51\.100\.0/29 on fake0: name one"):
        _free(all_taken)


def test_ipv6_advertisement_takes_the_address() -> None:
    their = answer(NeighbourSolicitation(US, "::", "2001:db8::3"), ["2001:db8::3"], LOWER)
    assert their is not None
    assert _free(_on_probe_for("2001:db8::3", their), "2001:db8::/126")[0] == "2001:db8::2"


def test_our_own_kernels_addresses_are_not_free() -> None:
    fake = FakeLink(lambda _: [])
    with pytest.raises(LinkError, match="No free address"):
        find_free_address(fake.as_link(), "127.0.0.0/30", interval=0.001)
    assert fake.sent == []


def test_a_network_that_is_all_our_own_is_not_searched_to_its_end() -> None:
    fake = FakeLink(lambda _: [])
    began = time.monotonic()
    with pytest.raises(LinkError, match=r"No free address was found in 127\.0\.0\.0/8 on fake0"):
        find_free_address(fake.as_link(), "127.0.0.0/8", interval=0.001)
    assert time.monotonic() - began < 5  # all of it takes a minute
    assert fake.sent == []


def test_nobody_answers_resolve() -> None:
    fake = FakeLink(lambda _: [])
    with pytest.raises(LinkError, match=r"Nobody on fake0 answers for 198\.51\.100\.9: check"):
        resolve(fake.as_link(), "198.51.100.9", source="198.51.100.2", mac=US, timeout=0.003)
    assert [decode(frame) for frame in fake.sent] == [ArpRequest(US, "198.51.100.2", "198.51.100.9")] * 3


def test_resolve_answers_who_asks_meanwhile_and_heeds_no_other() -> None:
    question = request("198.51.100.2", source="198.51.100.1", mac=THEM)
    other = answer(ArpRequest(US, "198.51.100.2", "198.51.100.3"), ["198.51.100.3"], HIGHER)
    right = answer(ArpRequest(US, "198.51.100.2", "198.51.100.1"), ["198.51.100.1"], THEM)
    assert other is not None
    assert right is not None

    def reply(frame: bytes) -> list[bytes]:
        return [question, other, b"nonsense", right] if isinstance(decode(frame), ArpRequest) else []

    fake = FakeLink(reply)
    assert resolve(fake.as_link(), "198.51.100.1", source="198.51.100.2", mac=US) == THEM
    assert decode(fake.sent[-1]) == ArpReply(US, "198.51.100.2", THEM, "198.51.100.1")


# With a kernel at the other end.


@pytest.fixture
def lab_end(shared_namespace: Any) -> Iterator[Link]:
    with shared_namespace.link("va") as link:
        yield link


@pytest.mark.parametrize(
    ("target", "source"),
    [("198.51.100.1", "198.51.100.2"), ("2001:db8::1", "2001:db8::2"), ("2001:DB8:0::1", "2001:db8:0::2")],
)
def test_a_kernel_answers(lab_end: Link, target: str, source: str) -> None:
    assert resolve(lab_end, target, source=source, mac=US, timeout=10) == THEM


@pytest.mark.parametrize("ours", ["198.51.100.77", "2001:db8::77"])
def test_a_kernel_believes_our_answer(lab_end: Link, shared_namespace: Any, ours: str) -> None:
    shared_namespace.tell(do="udp", to=ours, data="hello")
    end = time.monotonic() + 10
    asked = 0
    while time.monotonic() < end:
        for captured in lab_end.wait(1):
            reply = answer(decode(captured.frame), [ours], US)
            if reply is not None:
                asked += 1
                lab_end.send(reply)
            elif captured.frame.endswith(b"hello"):
                assert (captured.frame[:6], asked) == (US, 1)
                return
    raise AssertionError(f"its datagram did not come; it asked {asked} times")


@pytest.mark.parametrize(
    ("network", "used", "found"),
    [
        ("198.51.100.0/24", "198.51.100.254", "198.51.100.253"),
        ("198.51.100.64/26", "198.51.100.126", "198.51.100.125"),
        ("2001:db8::/64", "2001:db8::ffff:ffff:ffff:ff7f", "2001:db8::ffff:ffff:ffff:ff7e"),
        ("2001:db8::/126", "2001:db8::3", "2001:db8::2"),
    ],
)
def test_what_a_kernel_has_is_not_free(
    lab_end: Link, shared_namespace: Any, network: str, used: str, found: str
) -> None:
    shared_namespace.tell(do="address", address=used, prefix=int(network.partition("/")[2]))
    assert find_free_address(lab_end, network, mac=US, interval=0.1) == found


def test_a_network_that_is_full(lab_end: Link) -> None:
    with pytest.raises(LinkError, match="name one that is free"):
        find_free_address(lab_end, "198.51.100.0/30", mac=US, taken=["198.51.100.2"], interval=2)
