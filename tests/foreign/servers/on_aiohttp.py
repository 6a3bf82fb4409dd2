"""An echo server on aiohttp: `on_aiohttp.py PORT`."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import WSMsgType, web
from both import listen


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send each message back. It knows one subprotocol."""
    ws = web.WebSocketResponse(max_msg_size=2**20, protocols=("chat.lab",))
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data)
    return ws


async def main(port: int) -> None:
    app = web.Application()
    app.router.add_get("/echo", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    for listening in listen(port):
        await web.SockSite(runner, listening).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
