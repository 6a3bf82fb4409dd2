"""The link in a veth pair: what is seen, what is counted, what is said when it cannot be."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from lab.tcp.segment import ACK, RST, SYN, Segment
from lab.tcp.sequence import Seq
from lab.wire.codec import ArpRequest, Decoded, OtherFrame, TcpFrame, decode, encode
from lab.wire.errors import LinkError
from lab.wire.link import Captured, Link, packet_socket
from lab.wire.neighbours import answer, resolve

US, KERNEL = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
VA = bytes.fromhex("02000000000a")
WAYS: dict[str, Any] = {
    "ipv4": {"source": "198.51.100.2", "destination": "198.51.100.1"},
    "ipv6": {"source": "2001:db8::2", "destination": "2001:db8::1"},
}


def _syn(family: str, seq: int = 5) -> bytes:
    return encode(Segment(SYN, Seq(seq)), sport=40000, dport=9, source_mac=US, destination_mac=KERNEL, **WAYS[family])


def _until(link: Link, wanted: Callable[[Captured], bool], seconds: float = 10.0) -> list[Captured]:
    """All that comes until one is as wanted; that one is the last of those that are."""
    found: list[Captured] = []
    end = time.monotonic() + seconds
    while not any(wanted(captured) for captured in found):
        left = end - time.monotonic()
        assert left > 0, f"it did not come, but {[decode(c.frame) for c in found]}"
        found += link.wait(left)
    return found


def _is(kind: type[Decoded]) -> Callable[[Captured], bool]:
    return lambda captured: isinstance(decode(captured.frame), kind)


def test_knows_its_interface(lab_end: Link) -> None:
    assert (lab_end.interface, lab_end.mac) == ("va", VA)
    assert lab_end.fileno() >= 0


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_closed_port_answers_and_the_time_is_the_kernels(lab_end: Link, family: str) -> None:
    way = WAYS[family]
    resolve(lab_end, way["destination"], source=way["source"], mac=US)
    lab_end.drain()
    before = time.time()
    lab_end.send(_syn(family, 0xFFFFFFFF))
    found: list[Captured] = []
    while not any(isinstance(decode(c.frame), TcpFrame) for c in found):
        more = lab_end.wait(10)
        assert more, "no answer"
        found += more
        for captured in more:
            reply = answer(decode(captured.frame), [way["source"]], US)
            if reply:
                lab_end.send(reply)
    after = time.time()
    captured = next(c for c in found if isinstance(decode(c.frame), TcpFrame))
    frame = decode(captured.frame)
    assert isinstance(frame, TcpFrame)
    # RFC 9293 §3.10.7.1: no ACK in the SYN, so seq 0 and ack seq + 1, which wraps.
    assert (frame.segment.flags, frame.segment.seq, frame.segment.ack) == (RST | ACK, Seq(0), Seq(0))
    assert (frame.source, frame.family) == (way["destination"], family)
    assert frame.checksum_correct == captured.checksum_ready  # for IPv6 Linux leaves it to hardware that veth has not
    assert (captured.outgoing, captured.length) == (False, len(captured.frame))
    assert before - 0.01 <= captured.timestamp <= after + 0.01


def test_ours_is_not_seen_and_the_kernels_is_marked(lab_end: Link, kernel_end: Link) -> None:
    lab_end.send(_syn("ipv4"))
    # The kernel asks for us before it can answer. Nothing that we sent is among what we see.
    ours = _until(lab_end, _is(ArpRequest))
    theirs = _until(kernel_end, _is(ArpRequest))
    assert all(captured.frame != _syn("ipv4") and not captured.outgoing for captured in ours)
    arrived = next(captured for captured in theirs if _is(TcpFrame)(captured))
    assert (arrived.frame, arrived.outgoing, arrived.checksum_ready) == (_syn("ipv4"), False, True)
    asked = next(captured for captured in theirs if _is(ArpRequest)(captured))
    assert decode(asked.frame) == ArpRequest(KERNEL, "198.51.100.1", "198.51.100.2")
    assert asked.outgoing
    assert asked.frame in [captured.frame for captured in ours]


def test_checksum_left_to_hardware_is_told(lab_end: Link, namespace: Any) -> None:
    resolve(lab_end, "198.51.100.1", source="198.51.100.2", mac=US)
    namespace.tell(do="udp", to="198.51.100.2", data="hello")
    end = time.monotonic() + 10
    udp = None
    while udp is None and time.monotonic() < end:
        for captured in lab_end.wait(1):
            decoded = decode(captured.frame)
            if reply := answer(decoded, ["198.51.100.2"], US):
                lab_end.send(reply)
            if isinstance(decoded, OtherFrame) and "UDP" in decoded.summary:
                udp = captured
    assert udp is not None
    assert udp.frame.endswith(b"hello")
    assert not udp.checksum_ready  # veth leaves UDP checksums undone unless it is told otherwise


def test_vlan_tag_is_put_back(quiet_pair: tuple[Link, Link]) -> None:
    one, other = quiet_pair
    tagged = _syn("ipv4")[:12] + bytes.fromhex("8100 6007") + _syn("ipv4")[12:]
    one.send(tagged)
    (seen,) = other.wait(10)
    assert (seen.frame, seen.length) == (tagged, len(tagged))


def test_wait_returns_at_once_or_at_the_timeout(quiet_pair: tuple[Link, Link]) -> None:
    one, other = quiet_pair
    began = time.monotonic()
    one.send(_syn("ipv4"))
    assert [c.frame for c in other.wait(60)] == [_syn("ipv4")]
    assert time.monotonic() - began < 30
    assert other.drain() == []
    began = time.monotonic()
    assert other.wait(0) == []
    assert other.wait(0.05) == []
    assert 0.05 <= time.monotonic() - began < 30


def test_the_time_is_that_of_arrival(quiet_pair: tuple[Link, Link]) -> None:
    one, other = quiet_pair
    before = time.time()
    one.send(_syn("ipv4"))
    after = time.time()
    assert other.drain()[0].timestamp == pytest.approx((before + after) / 2, abs=after - before + 0.001)
    one.send(_syn("ipv4"))
    sent = time.time()
    while time.time() < sent + 0.05:
        pass
    assert other.drain()[0].timestamp < sent + 0.01


def test_every_mac_is_listened_to(shared_namespace: Any) -> None:
    assert shared_namespace.tell(do="promiscuity", interface="vc") == {"promiscuity": 0}
    with shared_namespace.link("vc"):
        assert shared_namespace.tell(do="promiscuity", interface="vc") == {"promiscuity": 1}
    assert shared_namespace.tell(do="promiscuity", interface="vc") == {"promiscuity": 0}


def test_wait_wakes_for_a_frame_that_comes_later(quiet_pair: tuple[Link, Link]) -> None:
    one, other = quiet_pair
    timer = threading.Timer(0.05, one.send, [_syn("ipv4")])
    timer.start()
    assert [c.frame for c in other.wait(60)] == [_syn("ipv4")]
    timer.join()


def test_drain_keeps_the_order(quiet_pair: tuple[Link, Link]) -> None:
    one, other = quiet_pair
    frames = [_syn("ipv6", seq) for seq in range(500)]
    for frame in frames:
        one.send(frame)
    assert [c.frame for c in other.drain()] == frames
    assert one.drain() == []


def test_long_frames_arrive_whole(quiet_pair: tuple[Link, Link]) -> None:
    one, other = quiet_pair
    segment = Segment(ACK, Seq(1), payload=bytes(range(256)) * 5)
    frame = encode(segment, sport=1, dport=2, source_mac=KERNEL, destination_mac=VA, **WAYS["ipv4"])
    one.send(frame)
    (captured,) = other.wait(10)
    assert (captured.frame, captured.length) == (frame, 54 + 1280)


def test_statistics_add_up(quiet_pair: tuple[Link, Link]) -> None:
    one, other = quiet_pair
    assert other.statistics() == (0, 0)
    for _ in range(300):
        one.send(_syn("ipv4"))
    assert other.statistics() == (300, 0)
    assert other.statistics() == (300, 0)  # the kernel forgets when asked, the link does not
    assert len(other.drain()) == 300
    with socket.socket(fileno=os.dup(other.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for _ in range(200):
        one.send(_syn("ipv4"))
    captured, dropped = other.statistics()
    assert dropped > 0
    assert captured + dropped == 500
    assert len(other.drain()) == captured - 300
    for _ in range(200):
        one.send(_syn("ipv4"))
    more, more_dropped = other.statistics()
    assert more_dropped > dropped
    assert more + more_dropped == 700
    assert one.statistics() == (0, 0)


def test_too_long_a_frame_is_refused(lab_end: Link) -> None:
    with pytest.raises(LinkError, match="A frame of 1600 octets is longer than va takes"):
        lab_end.send(_syn("ipv4") + bytes(1600 - 54))


def test_link_that_goes_down_says_so(lab_end: Link, namespace: Any) -> None:
    namespace.tell(do="state", interface="va", state="down")
    with pytest.raises(LinkError, match="Interface va is down: bring it up with `ip link set va up`"):
        lab_end.send(_syn("ipv4"))
    with pytest.raises(LinkError, match="Interface va is down"):
        lab_end.wait(5)


def test_link_that_goes_away_says_so(lab_end: Link, namespace: Any) -> None:
    namespace.tell(do="delete", interface="va")
    with pytest.raises(LinkError, match="va"):
        lab_end.send(_syn("ipv4"))


def test_what_cannot_be_opened_is_told(shared_namespace: Any) -> None:
    assert "There is no interface nope" in shared_namespace.tell(do="try", interface="nope")["error"]
    assert "There is no interface" in shared_namespace.tell(do="try", interface="x" * 20)["error"]
    assert "Interface lo is down" in shared_namespace.tell(do="try", interface="lo")["error"]
    assert shared_namespace.tell(do="try", interface="va") == {}


def test_an_interface_without_carrier_is_told(namespace: Any) -> None:
    namespace.tell(do="state", interface="vd", state="down")
    assert namespace.tell(do="try", interface="vc")["error"] == (
        "Interface vc has no carrier: plug it in, or bring its other end up."
    )


def test_an_interface_just_up_can_send_at_once(namespace: Any) -> None:
    for _ in range(5):
        for state in ("down", "up"):
            namespace.tell(do="state", interface="vd", state=state)
        with namespace.link("vc") as one, namespace.link("vd") as other:
            one.send(_syn("ipv4"))
            assert [captured.frame for captured in other.wait(10)] == [_syn("ipv4")]


def test_without_the_right_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(LinkError, match=r"may not open packet sockets here: run it as root, with .* CAP_NET_RAW"):
        packet_socket("eth0")


def test_only_packet_sockets_are_adopted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        fd = os.dup(other.fileno())
    with pytest.raises(LinkError, match="no packet socket"):
        Link.adopt(fd, "lo")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    reading, writing = os.pipe()
    try:
        with pytest.raises(LinkError, match="is no socket"):
            Link.adopt(reading, "lo")
    finally:
        os.close(reading)
        os.close(writing)


def test_closed_link_says_so(shared_namespace: Any) -> None:
    link = shared_namespace.link("va")
    link.close()
    link.close()
    assert link.fileno() == -1
    with pytest.raises(LinkError, match="closed"):
        link.send(_syn("ipv4"))
    with pytest.raises(LinkError, match="closed"):
        link.wait(1)
    with pytest.raises(LinkError, match="closed"):
        link.statistics()
