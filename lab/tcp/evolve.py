"""A value with some fields changed, fast: a stream makes some ten such values for every segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["evolve"]

T = TypeVar("T")

if TYPE_CHECKING:
    # The checker knows what `replace` may be given; the function below takes the same.
    from dataclasses import replace as evolve
else:
    _new = object.__new__

    def evolve(value: T, /, **changes: Any) -> T:
        """What `dataclasses.replace` gives, for a dataclass without slots, `__post_init__` and fields that are not set.

        It copies the instance's dictionary and runs no `__init__`: some twenty times faster where there are 40 fields.
        A name that is no field is not refused here: the type checker does that.
        """
        made = _new(value.__class__)
        fields = made.__dict__
        fields.update(value.__dict__)
        fields.update(changes)
        return made
