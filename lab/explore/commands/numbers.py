"""Numbers as a person types them behind a command."""

from __future__ import annotations

import re


def whole(word: str) -> int | None:
    """A whole number in decimal, of nine figures at most; None for anything else.

    Python takes "²" for a digit and has no number for it, and refuses to read thousands of figures.
    """
    return int(word) if re.fullmatch(r"-?[0-9]{1,9}", word) else None
