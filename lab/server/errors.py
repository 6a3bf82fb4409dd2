"""What keeps the test server from serving."""

from __future__ import annotations


class ServeError(Exception):
    """The server cannot serve: one sentence, with what the reader can do."""
