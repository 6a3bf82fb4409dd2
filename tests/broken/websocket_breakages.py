"""All the ways in which the WebSocket servers of this folder are broken, and those in which they are honest."""

from __future__ import annotations

import websocket_bad_input
import websocket_broken_closing
import websocket_broken_framing
import websocket_broken_opening
import websocket_broken_refusing
import websocket_honest
from websocket_registry import BREAKAGES, HONEST, Breakage, Habit

MODULES = (
    websocket_honest,
    websocket_broken_opening,
    websocket_broken_framing,
    websocket_broken_refusing,
    websocket_broken_closing,
    websocket_bad_input,
)
"""Where they are."""

__all__ = ["BREAKAGES", "HONEST", "MODULES", "Breakage", "Habit"]
