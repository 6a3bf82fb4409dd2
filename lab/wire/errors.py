"""What can go wrong on the wire, each said in one sentence that names the next step."""

from __future__ import annotations


class LinkError(Exception):
    """The link cannot be opened or used: no right, no such interface, interface down, nobody answers."""


class FrameTooLong(LinkError):
    """A frame is longer than the link takes. The link is as it was: a shorter one goes out."""


class CaptureError(ValueError):
    """A file is no capture that the lab can read: another format, another link type, or cut short."""
