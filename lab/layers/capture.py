"""A capture file read for its layers, as much of it as can be shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab.wire.errors import CaptureError
from lab.wire.pcapng import read_capture

MOST_PACKETS: Final = 20_000
MOST_OCTETS: Final = 64 * 1024 * 1024
"""Of a longer capture no more is read: all of it is held at once, since packets are read in their context."""


@dataclass(slots=True)
class ReadCapture:
    """The packets of a file."""

    frames: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """For each, seconds since the first."""
    comments: list[str] = field(default_factory=list)
    """For each, what the file says of it: the lab comments its own captures."""
    damage: str = ""
    """Why it could be read only so far."""
    more: bool = False
    """Whether there are more than were read."""


def read(path: Path) -> ReadCapture:
    """The packets of a pcap or pcapng file.

    Raises CaptureError where it is neither or has no packet that can be read, OSError where it cannot be opened.
    """
    found = ReadCapture()
    octets = 0
    first = 0.0
    packets: Iterator[tuple[float, bytes, str]] = read_capture(path)
    try:
        for time, frame, comment in packets:
            octets += len(frame)
            if len(found.frames) == MOST_PACKETS or octets > MOST_OCTETS:
                found.more = True
                break
            first = time if not found.frames else first
            found.frames.append(frame)
            found.comments.append(comment)
            found.times.append(round(time - first, 6))  # a float of seconds since the epoch has no more
    except CaptureError as error:
        if not found.frames:
            raise
        found.damage = str(error)
    return found
