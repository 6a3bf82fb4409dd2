"""Sequence numbers: 32 bits, counted on a circle (RFC 9293 §3.4)."""

from __future__ import annotations

from typing import NoReturn, overload

CIRCLE = 2**32
HALF = 2**31

# The integers' own arithmetic: a stream compares and adds numbers a hundred times for every segment.
_new, _plus, _minus = int.__new__, int.__add__, int.__sub__


class Seq(int):
    """A sequence or acknowledgement number, 0 to 2**32 - 1. It wraps; it cannot be sorted.

    Number plus octets is a number; number minus number is a signed distance. `<` is refused, since on a circle
    "less than" is not transitive: say which way round with `ahead_of` or `within`.

    It is an `int` so that Scapy takes it wherever it takes a number: `TCP(seq=x + 1)`.
    """

    __slots__ = ()

    def __new__(cls, value: int) -> Seq:
        """The number `value` modulo 2**32."""
        return _new(cls, value % CIRCLE)

    def __add__(self, octets: int) -> Seq:
        if isinstance(octets, Seq):
            raise TypeError("two sequence numbers cannot be added: add a count of octets")
        return _new(Seq, _plus(self, octets) % CIRCLE)

    __radd__ = __add__

    @overload
    def __sub__(self, other: Seq) -> int: ...  # type: ignore[overload-overlap]
    @overload
    def __sub__(self, other: int) -> Seq: ...
    def __sub__(self, other: int) -> int:
        if isinstance(other, Seq):
            return self.ahead_of(other)
        return _new(Seq, _minus(self, other) % CIRCLE)

    def ahead_of(self, other: Seq) -> int:
        """Octets from `other` to self, -2**31 to 2**31 - 1; negative when self is behind (RFC 9293 §3.4)."""
        return (_minus(self, other) + HALF) % CIRCLE - HALF

    def within(self, start: Seq, size: int) -> bool:
        """Whether self is one of the `size` numbers from `start` on (RFC 9293 §3.4: start =< self < start + size)."""
        return _minus(self, start) % CIRCLE < size

    def _refuse(self, other: object) -> NoReturn:
        raise TypeError("sequence numbers lie on a circle: use ahead_of() or within(), not < or >")

    __lt__ = __le__ = __gt__ = __ge__ = _refuse

    def __repr__(self) -> str:
        return f"Seq({int(self)})"

    def __str__(self) -> str:
        return str(int(self))


def later(a: Seq, b: Seq) -> Seq:
    """Of two numbers less than half the circle apart, the one ahead."""
    return a if a.ahead_of(b) >= 0 else b
