"""What is said: small text messages, each another, that are to come back as they went and in their order."""

from __future__ import annotations

import time
from collections.abc import Callable


def expected(number: int) -> str:
    """The text of a message, counted from 0: 16 characters."""
    return f"message {number:08d}"


def is_right(text: str | bytes, number: int) -> None:
    """Raises ValueError unless it is the message of that number."""
    if text != expected(number):
        raise ValueError(f"message {number} was to come back, and there came {text!r:.60}")


def talk(send: Callable[[str], None], receive: Callable[[], str], *, ahead: int, seconds: float) -> tuple[int, float]:
    """Send and receive for so long, one message at least, with `ahead` of them on their way at once, and then wait for
    those that are. How many came back, and how long that took. Raises ValueError where another one comes.
    """
    sent = came = 0
    began = time.perf_counter()
    end = began + seconds
    while True:
        while sent - came < ahead and (not sent or time.perf_counter() < end):
            send(expected(sent))
            sent += 1
        if came == sent:
            return came, time.perf_counter() - began
        is_right(receive(), came)
        came += 1
