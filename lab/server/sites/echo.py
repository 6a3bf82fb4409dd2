"""`/echo`: each message back, of the same type. A client that does not read is not read from."""

from __future__ import annotations

from lab.server.sites.connection import Connection


async def echo(connection: Connection) -> None:
    """Serve one client until its connection has ended."""
    async for message in connection:
        await connection.send(message)
