"""What a dissection is made of: layers, each a range of a frame's octets, and the fields in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from lab.layers.model import DATA, PROTOCOLS

Say = Callable[[bytes], str]
"""Turns a field's octets into text."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a header."""

    name: str
    """The document's own."""
    value: str
    start: int
    """Its first octet in the frame, counted from 0."""
    end: int
    """The octet behind its last."""
    meaning: str = ""
    bits: tuple[int, int] | None = None
    """Its first bit and the one behind its last, counted from the highest of octet `start`; None: whole octets."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A range of octets that belongs to one header, or to what stands for one."""

    name: str
    """A key of `lab.layers.model.PROTOCOLS`."""
    osi: tuple[int, ...]
    """OSI's layers, 1 to 7: one, save where it stands between two (ARP) or nobody can tell."""
    tcpip: str
    """"Link", "Internet", "Transport" or "Application"; "… and above" where nobody can tell."""
    start: int
    """Its first octet in the frame, counted from 0."""
    end: int
    """The octet behind its last; never `start`: a layer without octets is left out."""
    fields: tuple[Field, ...] = ()
    note: str = ""
    """What is wrong with it, or which piece of it this is."""
    about: str = ""
    """What it says, in a few words."""
    jobs: tuple[tuple[int, str], ...] = ()
    """The work of OSI's session (5) and presentation (6) that these octets do besides."""

    @property
    def octets(self) -> int:
        """How many octets are its own."""
        return self.end - self.start


def make(
    name: str,
    start: int,
    end: int,
    fields: tuple[Field, ...] = (),
    *,
    note: str = "",
    about: str = "",
    jobs: tuple[tuple[int, str], ...] = (),
) -> Layer:
    """A layer that is where the model has it. Raises KeyError for a name that the model has not."""
    protocol = PROTOCOLS[name]
    return Layer(name, protocol.osi, protocol.tcpip, start, end, fields, note, about, jobs)


def unknown(start: int, end: int, lowest: int, note: str) -> Layer:
    """Octets that are not taken apart, of OSI's layer `lowest` (2 to 7) or above, and why."""
    above = {2: "Link", 3: "Internet", 4: "Transport"}.get(lowest)
    tcpip = f"{above} and above" if above else "Application"
    return Layer(DATA, tuple(range(lowest, 8)), tcpip, start, end, note=note)


def piece(layer: Layer, start: int, end: int, shift: int, note: str) -> Layer | None:
    """What of a layer lies within octets `start` to `end`, moved by `shift`; None where nothing does."""
    first, behind = max(layer.start, start), min(layer.end, end)
    if first >= behind:
        return None
    if shift == 0 and (first, behind) == (layer.start, layer.end):
        return layer  # as nearly always
    fields: list[Field] = []
    for one in layer.fields:
        a, b = max(one.start, first), min(one.end, behind)
        if a >= b:
            continue
        whole = (a, b) == (one.start, one.end)
        meaning = (
            one.meaning if whole else f"octets {a - one.start} to {b - one.start - 1} of its {one.end - one.start}"
        )
        fields.append(Field(one.name, one.value, a + shift, b + shift, meaning, one.bits if whole else None))
    if behind - first < layer.octets:
        own = f"octets {first - layer.start} to {behind - layer.start - 1} of its {layer.octets}"
        note = "; ".join(x for x in (layer.note, f"{own}, {note}" if note else own) if x)
    else:
        note = layer.note
    return replace(layer, start=first + shift, end=behind + shift, fields=tuple(fields), note=note)


def number(octets: bytes) -> str:
    """As a decimal number."""
    return str(int.from_bytes(octets))


def hexadecimal(octets: bytes) -> str:
    """As a hexadecimal number: 0x0800."""
    return f"0x{octets.hex()}"


def mac(octets: bytes) -> str:
    """As a hardware address: 02:00:00:00:00:01."""
    return octets.hex(":")


LONGEST_HEX: Final = 16
"""Of longer values only so many octets are written out."""


def octets_of(octets: bytes) -> str:
    """As octets: 37 fa 21 3d."""
    return octets[:LONGEST_HEX].hex(" ") + (" …" if len(octets) > LONGEST_HEX else "")


def quoted(octets: bytes, most: int = 48) -> str:
    """As text in quotes; what is not printable ASCII becomes a dot."""
    shown = "".join(chr(b) if 32 <= b < 127 else "." for b in octets[:most])
    return f'"{shown}"' + ("…" if len(octets) > most else "")


@dataclass(slots=True)
class Header:
    """A header under the pen: its fields are read off `data`; one that is not all there is left out."""

    data: bytes
    start: int
    """Where the header begins in `data`."""
    end: int
    """No field is read beyond this octet."""
    fields: list[Field] = field(default_factory=list)

    def take(self, name: str, at: int, size: int, say: Say = number, meaning: str = "") -> None:
        """A field of whole octets; `at` counts from the header's first octet."""
        a, b = self.start + at, self.start + at + size
        if size > 0 and b <= self.end:
            self.fields.append(Field(name, say(self.data[a:b]), a, b, meaning))

    def bits(self, name: str, at: int, bit: int, size: int, meaning: str = "", *, value: str = "") -> None:
        """A field of `size` bits, from `bit` of octet `at`, 0 being the highest; its number unless `value` says it."""
        a = self.start + at + bit // 8
        b = self.start + at + (bit + size + 7) // 8
        if b > self.end:
            return
        low = (b - self.start - at) * 8 - bit - size
        found = int.from_bytes(self.data[a:b]) >> low & (1 << size) - 1
        self.fields.append(Field(name, value or str(found), a, b, meaning, (bit % 8, bit % 8 + size)))

    def made(self, name: str, end: int, *, note: str = "", about: str = "") -> Layer:
        """The layer, up to octet `end` of the data."""
        return make(name, self.start, end, tuple(self.fields), note=note, about=about)
