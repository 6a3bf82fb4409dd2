"""A queue of octets as a value: what is written and not yet acknowledged, what has come and was not yet read."""

from __future__ import annotations

_WORTHWHILE = 65536
"""Octets dropped from the front before what is left moves to a store of its own."""


class Octets:
    """Octets in a row that never change. `+` and `without` cost what is added, not what is already there.

    Values that grew out of one another share one store, of which each shows a part. A store only grows; where two
    values would grow differently, the later one gets its own.
    """

    __slots__ = ("_start", "_stop", "_store")

    def __init__(self, data: bytes = b"") -> None:
        """A queue with `data` in it."""
        self._store = bytearray(data)
        self._start = 0
        self._stop = len(data)

    @classmethod
    def _of(cls, store: bytearray, start: int, stop: int) -> Octets:
        made = cls.__new__(cls)
        made._store, made._start, made._stop = store, start, stop
        return made

    def __add__(self, data: bytes) -> Octets:
        """With `data` behind what is there."""
        if not data:
            return self
        store, start, stop = self._store, self._start, self._stop
        if start == stop:
            return Octets(data)
        if stop == len(store):
            store += data
        elif not store.startswith(data, stop):
            store, start, stop = store[start:stop] + data, 0, stop - start
        return self._of(store, start, stop + len(data))

    def without(self, count: int) -> Octets:
        """Without the first `count` octets, 0 or more; empty where there are no more than that."""
        start = self._start + max(0, count)
        if start >= self._stop:
            return EMPTY
        if start >= _WORTHWHILE and start > self._stop - start:
            return Octets(self._bytes(start, self._stop))
        return self._of(self._store, start, self._stop)

    def _bytes(self, start: int, stop: int) -> bytes:
        with memoryview(self._store) as view:
            return bytes(view[start:stop])

    def __getitem__(self, part: slice) -> bytes:
        """The octets of a slice without step."""
        start, stop, _ = part.indices(self._stop - self._start)
        return self._bytes(self._start + start, self._start + max(start, stop))

    def __len__(self) -> int:
        return self._stop - self._start

    def __bytes__(self) -> bytes:
        return self._bytes(self._start, self._stop)

    def __eq__(self, other: object) -> bool:
        """Queues are equal, to one another and to `bytes`, where their octets are."""
        return bytes(self) == bytes(other) if isinstance(other, (Octets, bytes)) else NotImplemented

    def __hash__(self) -> int:
        return hash(bytes(self))

    def __repr__(self) -> str:
        return f"Octets({bytes(self)!r})"


EMPTY = Octets()
"""The queue with nothing in it."""
