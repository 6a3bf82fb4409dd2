from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, continuation, ping, pong, text

LIMIT = 2**20
"""Octets of a message that the lab's test server takes."""


@scenario(
    "A message that is too big",
    documents=["RFC 6455 §10.4", "RFC 6455 §7.4.1"],
    evidence_for=[
        "6455-10.4-protect", "6455-10.4-limit", "6455-7.4.1-codes", "6455-7.1.7-server", "6455-7.1.7-close-frame",
    ],
    needs="services",
)  # fmt: skip
def bad_too_big(peer: Peer, server: Server) -> None:
    """The server takes messages of 1 MiB at most. A header that announces one octet more is enough for 1009.

    The limit is the message's, not the frame's: fragments are counted together.
    """
    site = server.websocket("/echo")
    ws = peer.websocket(site)
    ws.open()
    ws.send(binary(b"the first of very many", announced=LIMIT + 1))
    ws.expect_failed(1009)
    server.is_told(peer, messages=0)

    other = peer.another()
    ws = other.websocket(site)
    ws.open()
    ws.send(text("a" * 600, fin=False), continuation("b" * 400, fin=False), ping(b"so far, so good"))
    ws.expect(pong(b"so far, so good"))
    ws.send(continuation(b"the rest", fin=False, announced=LIMIT - 999))
    ws.expect_failed(1009)
    server.is_told(other, messages=0)
