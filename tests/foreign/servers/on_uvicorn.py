"""An echo server on uvicorn: `on_uvicorn.py PORT BACKEND`, the back end one that uvicorn's --ws knows."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from both import listen

Message = MutableMapping[str, Any]


async def echo(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Any]) -> None:
    """The application, as ASGI has it. It knows one subprotocol."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})
        return
    await receive()
    if scope["path"] != "/echo":
        await send({"type": "websocket.close"})
        return
    chosen = "chat.lab" if "chat.lab" in scope["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": chosen})
    while (message := await receive())["type"] == "websocket.receive":
        said = {key: message[key] for key in ("text", "bytes") if message.get(key) is not None}
        await send({"type": "websocket.send", **said})


async def main(port: int, backend: str) -> None:
    config = uvicorn.Config(echo, ws=backend, ws_max_size=2**20, lifespan="off", log_level="warning")  # type: ignore[arg-type]
    await uvicorn.Server(config).serve(sockets=listen(port))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
