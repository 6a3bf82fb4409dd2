"""Packets by their layers, in the terminal: the table of both models, the fields, the octets, and a list of many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.layers.dissect import Dissection
from lab.layers.model import DATA, NO_TLS, OSI, PADDING, PAYLOAD, PROTOCOLS, tcpip_of
from lab.layers.parts import Field, Layer
from lab.report.text import UNICODE, Glyphs, Line, Span, count, cut, seconds, width_of, wrapped

MOST_PACKETS = 1000
"""Of a longer list only the first and the last half of so many are drawn."""
MOST_OCTETS = 2048
"""Of a layer only so many octets are drawn."""
MOST_LAYERS = 24
"""Of a packet with more layers, such as one with very many frames, only the first and the last half are drawn."""
_SAYS = 8
"""Of what a packet carries, so much is told above its page."""
_CONNECTIONS = 12
"""So many are named above a list."""

_STYLES = {"Link": "warn", "Internet": "good", "Transport": "peer", "Application": "server"}
_WORK = {5: "session", 6: "presentation"}


@dataclass(slots=True)
class Capture:
    """What is to be drawn: packets that belong together."""

    packets: list[Dissection]
    times: list[float]
    """For each packet, seconds since the first, or since whatever else it is counted from."""
    notes: list[str] = field(default_factory=list)
    """Sentences to put below: what could not be read, and why."""
    names: dict[int, str] = field(default_factory=dict)
    """By a packet's number the name of its connection, where connections have names."""


def page(capture: Capture, number: int, *, width: int = 80, glyphs: Glyphs = UNICODE) -> list[Line]:
    """One packet, `number` counted from 1, as a page: both models, what each layer adds, the fields, the octets."""
    packet = capture.packets[number - 1]
    width = min(width, 120)
    facts = [f"packet {number} of {len(capture.packets)}", seconds(capture.times[number - 1])]
    facts.append(count(len(packet.frame), "octet"))
    if packet.connection is not None:
        facts.append(f"connection {capture.names.get(number, packet.connection)}")
    lines = headed([(facts[0], "head"), *((fact, "dim") for fact in facts[1:])], width)
    if packet.source:
        lines += wrapped(f"{packet.source} → {packet.destination}", width)
    says = list(packet.says)
    if len(says) > _SAYS:
        says[_SAYS - 1 :] = [f"{glyphs.ellipsis} {len(says) - _SAYS + 1} more"]
    for text in [packet.about, *says]:
        lines += wrapped(text, width, then="  ")
    lines += [[], *_models(packet, width, glyphs)]
    lines += [[], *_adding(packet, width, glyphs)]
    for one in _few(packet.layers):
        lines += [[], *(_fields(one, width, glyphs) if isinstance(one, Layer) else [_left_out(one, glyphs)])]
    lines += [[], [("octets", "head"), ("  each row is of the layer whose letter it has", "dim")]]
    for one in _few(packet.layers):
        lines += _octets(packet.frame, one, width, glyphs) if isinstance(one, Layer) else [_left_out(one, glyphs)]
    return lines


def headed(facts: Sequence[Span], width: int) -> list[Line]:
    """Facts side by side, two blanks between; what does not fit into `width` columns goes on below."""
    lines: list[Line] = []
    for text, style in facts:
        if lines and width_of(lines[-1]) + 2 + len(text) <= width:
            lines[-1].append((f"  {text}", style))
        else:
            lines += wrapped(text, width, style=style, first="  " if lines else "", then="  ")
    return lines


def _few(layers: Sequence[Layer]) -> list[Layer | int]:
    """The layers, or of very many the first and the last, and how many were left out between."""
    half = MOST_LAYERS // 2
    if len(layers) <= MOST_LAYERS:
        return list(layers)
    return [*layers[:half], len(layers) - MOST_LAYERS, *layers[-half:]]


def _left_out(number: int, glyphs: Glyphs) -> Line:
    return [(f"{glyphs.ellipsis} {count(number, 'layer')} more of this packet: --json tells them", "dim")]


# The two models


def _models(packet: Dissection, width: int, glyphs: Glyphs) -> list[Line]:
    """OSI's seven beside TCP/IP's four, this packet's headers beside them; the highest first, as in every figure."""
    names = _names(width)
    lines: list[Line] = [[("   OSI           TCP/IP       header".ljust(30 + names), "head"), ("octets", "head")]]
    jobs = _jobs(packet.layers)
    said = ""
    for osi in reversed(OSI):
        four = tcpip_of(osi.number)
        beside = four.name if four.name != said else glyphs.life
        said = four.name
        start: Line = [(f"{osi.number}  {osi.name:12}  ", ""), (f"{beside:11}  ", _STYLES[four.name])]
        rows: list[Line] = []
        own = [layer for layer in packet.layers if layer.osi and min(layer.osi) == osi.number]
        for one in reversed(_few(own)):
            row = _headline(one, names, glyphs) if isinstance(one, Layer) else _left_out(one, glyphs)
            rows.append([*start, *row])
            start = [(" " * 17, ""), (f"{glyphs.life:11}  ", _STYLES[four.name])]
        if not rows:
            why = jobs.get(osi.number) or osi.nowhere or _absent(packet, osi.number)
            rows = [
                [*(start if i == 0 else [(" " * 17, ""), (f"{glyphs.life:11}  ", _STYLES[four.name])]), (piece, "dim")]
                for i, [(piece, _)] in enumerate(wrapped(f"no octets: {why}", max(width - 30, 24)))
            ]
        lines += rows
    if any(layer.name in ("HTTP", "WebSocket") for layer in packet.layers):
        lines += wrapped(NO_TLS, width - 3, style="dim", first="   ")
    return lines


_NAME = 27
"""Columns of the longest name, its letter before it."""


def _names(width: int) -> int:
    """Columns for names in the table."""
    return min(_NAME, width - 48)


def _headline(layer: Layer, names: int, glyphs: Glyphs) -> Line:
    """A layer in the table: its letter, name, octets and where they are."""
    where = f"{layer.start} to {layer.end - 1}"
    name = f"{letter(layer)} {cut(layer.name, names - 2, glyphs)}"
    return [(name.ljust(names), style(layer)), (f"{layer.octets:6}", ""), (f"  {where}", "dim")]


def _absent(packet: Dissection, osi: int) -> str:
    """Why no layer of this packet begins at that one of OSI's."""
    for layer in packet.layers:
        if osi in layer.osi and len(layer.osi) > 1:
            return f"with layer {layer.osi[0]}" if layer.name == "ARP" else f"somewhere in {layer.name}"
    if not packet.layers:
        return "the frame is empty"
    top = max(max(layer.osi) for layer in packet.layers if layer.osi)
    return "nothing so high is in this packet" if osi > top else "not told"


def _jobs(layers: Iterable[Layer]) -> dict[int, str]:
    """What does the work of session and presentation here, where something does."""
    found: dict[int, list[str]] = {}
    for layer in layers:
        for number, text in layer.jobs:
            if text not in found.setdefault(number, []):
                found[number].append(text)
    return {number: "; ".join(texts[:6]) + ("; …" if len(texts) > 6 else "") for number, texts in found.items()}


def letter(layer: Layer) -> str:
    """Its one sign."""
    return PROTOCOLS[layer.name].letter


def style(layer: Layer) -> str:
    """The style that its octets are drawn in."""
    if layer.name == PADDING or layer.name == DATA:
        return "dim"
    return "head" if layer.name == PAYLOAD else _STYLES.get(layer.tcpip, "dim")


# What each adds


def _adding(packet: Dissection, width: int, glyphs: Glyphs) -> list[Line]:
    """What each layer adds to what it is given, in the order in which the sender puts them on."""
    lines: list[Line] = [[("what each layer adds", "head"), ("  in the sender's order, with the sum", "dim")]]
    total = 0
    ordered = wrapping(packet.layers)
    drawn = {id(one) for one in _few(ordered)}
    left = len(ordered) > MOST_LAYERS
    for layer in ordered:
        total += layer.octets
        if id(layer) not in drawn:
            lines += [_left_out(len(ordered) - MOST_LAYERS, glyphs)] if left else []
            left = False
            continue
        line: Line = [("   " if total == layer.octets else " + ", "dim")]
        line += [(f"{letter(layer)} {cut(layer.name, _NAME - 7, glyphs):{_NAME - 7}}", style(layer))]
        line += [(f"{layer.octets:6}", ""), (f" {total:6}  ", "dim")]
        before = width_of(line)
        first, *more = wrapped(PROTOCOLS[layer.name].adds, max(width - before, 16), style="dim")
        lines.append([*line, *first])
        lines += [[(" " * before, ""), *piece] for piece in more]
    return lines


def wrapping(layers: Sequence[Layer]) -> list[Layer]:
    """The layers from the inside out, as the sender puts them on: what a program says, its header, TCP, IP, Ethernet.

    Of several frames in a segment the first comes first, each with its payload before its header.
    """
    inner = [layer for layer in layers if layer.tcpip == "Application"]
    ordered: list[Layer] = []
    waiting: Layer | None = None
    for layer in inner:
        if layer.name == PAYLOAD:
            ordered.append(layer)
        if waiting is not None:
            ordered.append(waiting)
            waiting = None
        if layer.name != PAYLOAD:
            waiting = layer
    ordered += [waiting] if waiting is not None else []
    outer = [layer for layer in layers if layer.tcpip != "Application" and layer.name != PADDING]
    return [*ordered, *reversed(outer), *(layer for layer in layers if layer.name == PADDING)]


# Fields


def _fields(layer: Layer, width: int, glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = [[(f"{letter(layer)} {layer.name}", style(layer))]]
    lines[0].append((f"  {count(layer.octets, 'octet')}, {layer.start} to {layer.end - 1}", "dim"))
    if layer.about:
        lines += wrapped(layer.about, width - 3, first="  ")
    if layer.note:
        lines += wrapped(f"{glyphs.warn} {layer.note}", width - 3, style="warn", first="  ")
    wheres = [_where(one) for one in layer.fields]
    column = max((len(where) for where in wheres), default=0)
    names = min(max((len(one.name) for one in layer.fields), default=0), 26)
    for where, one in zip(wheres, layer.fields, strict=True):
        before = f"  {where:{column}}  "
        name = cut(one.name, names, glyphs).ljust(names) + "  "
        room = max(width - len(before) - len(name), 16)
        unset = one.bits is not None and one.value == "0"
        value = wrapped(one.value, room, style="dim" if unset else "")
        if one.meaning and len(value) == 1 and len(one.value) + 2 + len(one.meaning) <= room:
            value[0] = [(one.value, "dim" if unset else ""), (f"  {one.meaning}", "dim")]
        elif one.meaning:
            value += wrapped(one.meaning, room, style="dim")
        lines.append([(before, "dim"), (name, "dim" if unset else style(layer)), *value[0]])
        lines += [[(" " * (len(before) + len(name)), ""), *more] for more in value[1:]]
    return lines


def _where(one: Field) -> str:
    """Which octets a field is in, or which bits of them: "46", "46 bits 0-3", "14-17"."""
    octets = str(one.start) if one.end - one.start == 1 else f"{one.start}-{one.end - 1}"
    if one.bits is None:
        return octets
    first, behind = one.bits
    return f"{octets} bit {first}" if behind - first == 1 else f"{octets} bits {first}-{behind - 1}"


# Octets


def _octets(frame: bytes, layer: Layer, width: int, glyphs: Glyphs) -> list[Line]:
    """A layer's octets as hexadecimal numbers and characters, rows of its own."""
    in_a_row = 16 if width >= 76 else 8
    end = min(layer.end, layer.start + MOST_OCTETS)
    lines: list[Line] = []
    for at in range(layer.start, end, in_a_row):
        row = frame[at : min(at + in_a_row, end)]
        shown = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        half = in_a_row // 2
        halves = row[:half].hex(" "), row[half:].hex(" ")
        numbers = f"{halves[0]:{3 * half - 1}}  {halves[1]:{3 * half - 1}}"
        start: Line = [(f"{letter(layer)} ", style(layer)), (f" {at:04x}  ", "dim")]
        lines.append([*start, (numbers, style(layer)), (f"  {shown}", style(layer))])
    if end < layer.end:
        left = f"{glyphs.ellipsis} {count(layer.end - end, 'octet')} more of {layer.name}, to {layer.end - 1:04x}"
        lines.append([(f"{letter(layer)}  {left}", "dim")])
    return lines


# Many packets


def overview(capture: Capture, *, width: int = 80, glyphs: Glyphs = UNICODE) -> list[Line]:
    """A line for each packet, with the octets of each layer; what the layers took in all; the next step."""
    packets = capture.packets
    if not packets:
        return [[("no packet was captured", "dim")]]
    width = min(width, 120)
    lines = _connections(packets, width, glyphs)
    lines.append([(f"{'#':>{_digits(packets)}}    time    octets  layers", "head")])
    sums = [_sums(packet.layers) for packet in packets]
    half = MOST_PACKETS // 2
    shown = [i for i in range(len(packets)) if i < half or i >= len(packets) - half]
    column = min(max((width_of(_chunks(sums[i])) for i in shown), default=0), max(width // 2 - 8, 24))
    last = -1
    for i in shown:
        if i != last + 1:
            lines.append([(f"{glyphs.ellipsis} {count(i - last - 1, 'packet')} left out: --packet shows one", "dim")])
        last = i
        lines.append(_row(packets[i], capture.times[i], i + 1, sums[i], column, width, glyphs, _digits(packets)))
    lines += [[], *_shares(sums, width, glyphs)]
    return lines


def _digits(packets: Sequence[Dissection]) -> int:
    return max(2, len(str(len(packets))))


def _connections(packets: Sequence[Dissection], width: int, glyphs: Glyphs) -> list[Line]:
    """Who talks to whom, by the connection's number."""
    ends: dict[int, tuple[str, str]] = {}
    for packet in packets:
        if packet.connection is not None:
            ends.setdefault(packet.connection, (packet.client, packet.server))
    lines: list[Line] = []
    for number, (client, server) in list(ends.items())[:_CONNECTIONS]:
        lines += wrapped(f"{client} {glyphs.right} {server}", width, first=f"connection {number}  ")
    if len(ends) > _CONNECTIONS:
        lines.append([(f"{glyphs.ellipsis} and {count(len(ends) - _CONNECTIONS, 'connection')} more", "dim")])
    return [*lines, []] if lines else []


def _row(
    packet: Dissection,
    time: float,
    number: int,
    sums: dict[str, tuple[Layer, int]],
    column: int,
    width: int,
    glyphs: Glyphs,
    digits: int,
) -> Line:
    way = " "
    if packet.connection is not None:
        way = glyphs.right if packet.source == packet.client else glyphs.left
    line: Line = [(f"{number:{digits}} {seconds(time):>7}  ", "dim"), (way, ""), (f"{len(packet.frame):6}  ", "")]
    chunks = _chunks(sums)
    if (over := width_of(chunks) - column) > 0:
        chunks[-1] = (chunks[-1][0][: -over - 1] + glyphs.ellipsis, chunks[-1][1])
    line += [*chunks, (" " * (column - width_of(chunks) + 2), "")]
    told = "; ".join(packet.says) or packet.about
    return [*line, (cut(told, max(width - width_of(line), 8), glyphs), "")]


def _sums(layers: Iterable[Layer]) -> dict[str, tuple[Layer, int]]:
    """Octets by layer, in the order in which they come first."""
    sums: dict[str, tuple[Layer, int]] = {}
    for layer in layers:
        first, octets = sums.get(layer.name, (layer, 0))
        sums[layer.name] = first, octets + layer.octets
    return sums


def _chunks(sums: dict[str, tuple[Layer, int]]) -> Line:
    """ "E14 I20 T20 W6 P5"."""
    line: Line = []
    for layer, octets in sums.values():
        line += [(" ", "")] if line else []
        line.append((f"{letter(layer)}{octets}", style(layer)))
    return line


def _shares(sums: Sequence[dict[str, tuple[Layer, int]]], width: int, glyphs: Glyphs) -> list[Line]:
    """What each layer took of all octets."""
    totals: dict[str, tuple[Layer, int]] = {}
    for one in sums:
        for name, (layer, octets) in one.items():
            totals[name] = layer, totals.get(name, (layer, 0))[1] + octets
    whole = sum(octets for _, octets in totals.values())
    if not whole:
        return [[("no octets", "dim")]]
    lines: list[Line] = [[(f"what each layer took of {count(whole, 'octet')}", "head")]]
    wide = width >= 72
    room = max(width - (64 if wide else 54), 0)
    for layer, octets in sorted(totals.values(), key=lambda one: min(one[0].osi or (8,))):
        names = "/".join(map(str, layer.osi)) if len(layer.osi) < 3 else f"{layer.osi[0]}+"
        line: Line = [(f"{letter(layer)} {layer.name:{_NAME - 2}}", style(layer))]
        line.append((f"OSI {names:4}" + f" {layer.tcpip:12.12}" * wide, "dim"))
        line.append((f"{octets:10,} {octets / whole:5.0%}  ", ""))
        lines.append([*line, (glyphs.bar * round(room * octets / whole), style(layer))])
    return lines


# For programs


def capture_as_json(capture: Capture, numbers: Sequence[int] = ()) -> dict[str, Any]:
    """The packets as a document, all unless `numbers` says which, from 1. Keys may be added, none is taken away."""
    chosen = numbers or range(1, len(capture.packets) + 1)
    return {
        "osi": {str(layer.number): layer.name for layer in OSI},
        "packets": [_packet(capture.packets[n - 1], n, capture.times[n - 1]) for n in chosen],
    }


def _packet(packet: Dissection, number: int, time: float) -> dict[str, Any]:
    return {
        "number": number,
        "time": round(time, 9),
        "octets": len(packet.frame),
        "connection": packet.connection,
        "source": packet.source,
        "destination": packet.destination,
        "about": packet.about,
        "says": list(packet.says),
        "layers": [_layer(layer) for layer in packet.layers],
        "without_octets": {str(number): text for number, text in sorted(_jobs(packet.layers).items())},
        "frame": packet.frame.hex(),
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "osi": list(layer.osi),
        "tcpip": layer.tcpip,
        "start": layer.start,
        "end": layer.end,
        "octets": layer.octets,
        "about": layer.about,
        "note": layer.note,
        "fields": [
            {
                "name": one.name,
                "value": one.value,
                "start": one.start,
                "end": one.end,
                "bits": list(one.bits) if one.bits else None,
                "meaning": one.meaning,
            }
            for one in layer.fields
        ],
    }
