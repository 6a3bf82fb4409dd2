"""An echo server on tornado: `on_tornado.py PORT`."""

from __future__ import annotations

import asyncio
import logging
import sys

from both import listen
from tornado.httpserver import HTTPServer
from tornado.web import Application
from tornado.websocket import WebSocketHandler


class Echo(WebSocketHandler):
    """Send each message back. It knows one subprotocol."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return "chat.lab" if "chat.lab" in subprotocols else None

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, binary=isinstance(message, bytes))


async def main(port: int) -> None:
    logging.getLogger("tornado").setLevel(logging.ERROR)
    app = Application([("/echo", Echo)], websocket_max_message_size=2**20)
    HTTPServer(app).add_sockets(listen(port))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
