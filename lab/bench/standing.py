"""What one way came to in a contest: a figure for each round, and the median of them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Generic, Protocol, TypeVar


class Counted(Protocol):
    """A turn: so many of what is counted in so many seconds."""

    @property
    def count(self) -> int:
        """How many, verified."""
        ...

    @property
    def seconds(self) -> float:
        """How long that took."""
        ...

    @property
    def rate(self) -> float:
        """How many a second."""
        ...


T_co = TypeVar("T_co", bound=Counted, covariant=True)


@dataclass(frozen=True, slots=True)
class Standing(Generic[T_co]):
    """What one contestant came to."""

    name: str
    says: str
    turns: tuple[T_co, ...]

    @property
    def rates(self) -> list[float]:
        """How many a second, a number for each round."""
        return [turn.rate for turn in self.turns]

    @property
    def median(self) -> float:
        """How many a second, the median of the rounds."""
        return median(self.rates)

    @property
    def count(self) -> int:
        """How many in all, verified."""
        return sum(turn.count for turn in self.turns)

    @property
    def seconds(self) -> float:
        """Seconds that they took in all."""
        return sum(turn.seconds for turn in self.turns)
