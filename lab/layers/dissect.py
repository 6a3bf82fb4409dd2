"""Frames taken apart by layers: every octet of a frame belongs to exactly one layer.

`dissect` takes the frames of a capture in their order, since some can be read only in their context: a fragment with
the others of its packet, application data with what their connection has carried before. It takes any octets whatever
and never raises; octets of which nothing can be told are a layer too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lab.layers.application import read_stream
from lab.layers.flows import Carried, Flow, Flows
from lab.layers.fragments import Fragments, Whole
from lab.layers.icmp import icmp, icmpv6
from lab.layers.internet import PROTOCOL_NAMES, Packet, fragment_piece, ipv4, ipv6
from lab.layers.link import arp, ethernet, padding
from lab.layers.parts import Layer, make, piece, unknown
from lab.layers.transport import peek, tcp, udp
from lab.tcp.segment import ACK, SYN, Flags
from lab.wire.codec import ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, pseudo_header, text


@dataclass(frozen=True, slots=True)
class Dissection:
    """One frame, layer by layer."""

    frame: bytes
    layers: tuple[Layer, ...]
    """In the order of their octets, without a gap: the first begins at 0, the last ends with the frame."""
    source: str = ""
    """Who sent it, "192.0.2.1:80" for TCP, an address for other packets, "" where that is not told."""
    destination: str = ""
    connection: int | None = None
    """Which TCP connection of the capture it belongs to, from 1; None for none."""
    client: str = ""
    """Of a TCP connection, the end that asks,"""
    server: str = ""
    """and the one that is asked."""
    about: str = ""
    """What it is, in a line: "SYN+ACK seq 0 ack 1"."""
    says: tuple[str, ...] = ()
    """The heads and frames that it carries, whole or in part: "TEXT fin masked len 5 "Hello""."""


@dataclass(slots=True)
class _Inside:
    """The inside of an IP packet, from its transport header on; it may have come in several frames."""

    data: bytes
    layers: list[Layer] = field(default_factory=list)
    source: str = ""
    destination: str = ""
    told: str = ""
    """What its transport header says."""
    says: list[str] = field(default_factory=list)
    """The heads and frames that it carries."""
    flow: Flow | None = None


@dataclass(slots=True)
class _Place:
    """Which octets of an inside stand where in a frame."""

    inside: _Inside
    start: int
    end: int
    at: int
    """Where they begin in the frame."""
    others: str = ""
    """The other frames that have a part of it."""


@dataclass(slots=True)
class _Frame:
    """A frame half taken apart."""

    octets: bytes
    before: list[Layer] = field(default_factory=list)
    place: _Place | None = None
    after: list[Layer] = field(default_factory=list)
    about: str = ""
    ends: tuple[str, str] = ("", "")


def dissect_run(frames: Sequence[bytes]) -> list[list[Layer]]:
    """The layers of each frame, in the order of their octets and without a gap; see `dissect`."""
    return [list(one.layers) for one in dissect(frames)]


def dissect(frames: Sequence[bytes]) -> list[Dissection]:
    """Each frame taken apart. `frames` are Ethernet frames in the order in which they were captured. Never raises."""
    work = _Work()
    halves = [work.take(i, frame) for i, frame in enumerate(frames)]
    work.read_streams()
    return [_finished(half) for half in halves]


class _Work:
    """What one run of `dissect` knows."""

    def __init__(self) -> None:
        self.flows = Flows()
        self.fragments = Fragments()
        self.frames: list[_Frame] = []
        self.payloads: dict[int, tuple[_Inside, int]] = {}
        """For each segment that carries data, by its number, its inside and where the data begin in it."""

    def take(self, index: int, octets: bytes) -> _Frame:
        """A frame's headers up to TCP's; what is behind waits for `read_streams`."""
        frame = _Frame(octets)
        self.frames.append(frame)
        linked = ethernet(octets)
        frame.before += linked.layers
        at, end = linked.at, linked.end
        if at == end:
            frame.about = "cut short" if linked.ethertype is None else "nothing inside"
        elif linked.ethertype == ETHERTYPE_ARP:
            layer = arp(octets, at, end)
            frame.before.append(layer)
            frame.about = f"ARP: {layer.about or layer.note}"
            at = layer.end
        elif linked.ethertype in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
            at = self._packet(index, frame, linked.ethertype, at, end)
        else:
            lowest = 2 if linked.ethertype is None else 3
            frame.before.append(unknown(at, end, lowest, f"{linked.why}: not taken apart"))
            frame.about = linked.why
            at = end
        if at < len(octets):
            frame.after.append(padding(octets, at, len(octets)))
        return frame

    def _packet(self, index: int, frame: _Frame, ethertype: int, at: int, end: int) -> int:
        """An IP packet; where it ends."""
        packet = (ipv4 if ethertype == ETHERTYPE_IPV4 else ipv6)(frame.octets, at, end)
        frame.before += packet.layers
        version = 4 if ethertype == ETHERTYPE_IPV4 else 6
        first = packet.layers[0]
        if not first.about:  # its header is broken
            frame.about = f"IPv{version}: {first.note}"
            if packet.at < packet.end:
                frame.before.append(unknown(packet.at, packet.end, 4, "behind a header that cannot be read"))
            return packet.end
        frame.ends = text(packet.source), text(packet.destination)
        if packet.at >= packet.end:
            frame.about = f"IPv{version}, nothing inside"
            return packet.end
        if packet.fragment is not None:
            frame.about = f"IPv{version} fragment, octets {packet.fragment.offset} and on"
            # Until the others have come it is what it is; `_finished` does not look at this layer once they have.
            frame.after.append(fragment_piece(version, packet.at, packet.end, packet.fragment))
            whole = self.fragments.take(index, frame.octets, packet, packet.fragment)
            if whole is not None:
                self._whole(index, whole)
            return packet.end
        if packet.protocol is None:
            frame.about = f"IPv{version}: {packet.layers[-1].note}"
            frame.before.append(unknown(packet.at, packet.end, 4, "behind a header that cannot be read"))
            return packet.end
        inside = _Inside(frame.octets)
        frame.place = _Place(inside, packet.at, packet.end, packet.at)
        self._upper(index, inside, packet.protocol, packet, whole=not packet.missing)
        return packet.end

    def _whole(self, index: int, whole: Whole) -> None:
        """A packet put together: each frame that had a piece of it is told where it stands."""
        inside = _Inside(whole.data)
        numbers = [held.frame + 1 for held in whole.pieces]
        for held in whole.pieces:
            frame = self.frames[held.frame]
            others = sorted({n for n in numbers if n != held.frame + 1})
            told = f"the rest in packet{'s' if len(others) > 1 else ''} {', '.join(map(str, others))}" if others else ""
            frame.after = [layer for layer in frame.after if not layer.name.endswith("fragment")]
            frame.place = _Place(inside, held.offset, held.offset + held.end - held.at, held.at, told)
        packet = Packet([], whole.source, whole.destination, whole.protocol, 0, len(whole.data))
        self._upper(index, inside, whole.protocol, packet, whole=True)

    def _upper(self, index: int, inside: _Inside, protocol: int, packet: Packet, *, whole: bool) -> None:
        """What an IP packet carries."""
        data, at, end = inside.data, packet.at, packet.end
        inside.source, inside.destination = text(packet.source), text(packet.destination)
        if at >= end:
            return
        if protocol == 6:
            self._segment(index, inside, packet, whole)
            return
        if protocol == 17:
            layer = udp(data, at, end)
            inside.layers.append(layer)
            inside.told = f"UDP {layer.about or layer.note}"
            if layer.end < end:
                inside.layers.append(make("Payload", layer.end, end))
        elif protocol == 1 and len(packet.source) == 4:
            inside.layers.append(icmp(data, at, end))
        elif protocol == 58 and len(packet.source) == 16:
            inside.layers.append(icmpv6(data, at, end, packet.source, packet.destination))
        else:
            name = PROTOCOL_NAMES.get(protocol, f"protocol {protocol}")
            inside.layers.append(unknown(at, end, 4, f"{name}: not taken apart"))
            inside.told = name
        inside.told = inside.told or f"{inside.layers[0].name}: {inside.layers[0].about}"

    def _segment(self, index: int, inside: _Inside, packet: Packet, whole: bool) -> None:
        data, at, end = inside.data, packet.at, packet.end
        pseudo = None
        if whole and not packet.on_the_way:
            pseudo = pseudo_header(packet.source, packet.destination, end - at)
        part = peek(data, at, end)
        if part is None:
            inside.layers.append(tcp(data, at, end, pseudo, (None, None))[0])
            inside.told = f"TCP, {inside.layers[0].note}"
            return
        source, destination = (packet.source, part.sport), (packet.destination, part.dport)
        flow = self.flows.of(source, destination, part)
        relative = self.flows.relative(flow, source, destination, part)
        layer, right = tcp(data, at, end, pseudo, relative)
        inside.layers.append(layer)
        inside.source, inside.destination = _end(*source), _end(*destination)
        inside.flow = flow
        seq, ack = relative
        inside.told = _flag_words(part.flags) + (f" seq {part.seq}*" if seq is None else f" seq {seq}")
        if ACK in part.flags:
            inside.told += f" ack {part.ack}*" if ack is None else f" ack {ack}"
        if part.at < end:
            inside.layers.append(make("Payload", part.at, end))
            inside.told += f" len {end - part.at}"
        if not part.note and (part.at < end or SYN in part.flags):
            key = len(self.payloads)
            self.payloads[key] = inside, part.at
            carried = Carried(
                key,
                index + 1,
                source,
                flow.relative(source, part.seq),
                data[part.at : end],
                SYN in part.flags,
                right,
            )
            flow.carried.append(carried)

    def read_streams(self) -> None:
        """Now that everything has been seen: what of each segment's payload is HTTP, what WebSocket."""
        for flow in self.flows.all:
            self._stream(flow)

    def _stream(self, flow: Flow) -> None:
        carried = list(flow.readable())
        for one, (layers, says) in zip(carried, read_stream(carried, flow.client), strict=True):
            if not layers:
                continue
            inside, at = self.payloads[one.key]
            inside.says = says
            inside.layers[-1:] = [piece(layer, 0, len(one.payload), at, "") or layer for layer in layers]


def _finished(frame: _Frame) -> Dissection:
    layers = list(frame.before)
    about, ends, flow = frame.about, frame.ends, None
    says: tuple[str, ...] = ()
    if frame.place is not None:
        place, inside = frame.place, frame.place.inside
        for layer in inside.layers:
            part = piece(layer, place.start, place.end, place.at - place.start, place.others)
            if part is not None:
                layers.append(part)
        ends = inside.source, inside.destination
        about = inside.told if place.others == "" else f"fragment of: {inside.told}"
        says, flow = tuple(inside.says), inside.flow
    layers += frame.after
    layers.sort(key=lambda layer: layer.start)
    if flow is None:
        return Dissection(frame.octets, tuple(layers), *ends, about=about)
    client, server = ends if _end(*flow.client) == ends[0] else ends[::-1]
    return Dissection(frame.octets, tuple(layers), *ends, flow.number, client, server, about, says)


def _end(address: bytes, port: int) -> str:
    return f"[{text(address)}]:{port}" if len(address) == 16 else f"{text(address)}:{port}"


_ORDER = (Flags.SYN, Flags.FIN, Flags.RST, Flags.PSH, Flags.URG, Flags.ECE, Flags.CWR, Flags.NS, Flags.ACK)


def _flag_words(flags: Flags) -> str:
    """As the ladder has them: "SYN+ACK"."""
    return "+".join(flag.name or "?" for flag in _ORDER if flag in flags) or "no flags"
