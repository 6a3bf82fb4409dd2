"""Entry points for `--served-by`: `honest…` for each honest WebSocket server, `broken_<name>` for each breakage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from websocket_breakages import BREAKAGES, HONEST
from websocket_raw import Honest

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def entry_point(name: str) -> str:
    """The `module:function` of a breakage, or of an honest server."""
    return f"websocket_servers:{name if name in HONEST else f'broken_{BREAKAGES[name].name}'}"


def _entry(function: str, rules: type[Honest], text: str) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await rules(reader, writer).run()

    serve.__name__ = serve.__qualname__ = function
    serve.__doc__ = text
    return serve


globals().update({habit.name: _entry(habit.name, habit.rules, habit.text) for habit in HONEST.values()})
globals().update({f"broken_{b.name}": _entry(f"broken_{b.name}", b.rules, b.text) for b in BREAKAGES.values()})
