import json

from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import text


@scenario(
    "All hear the same, in the same order",
    documents=["RFC 6455 §5.1", "RFC 6455 §6.1", "RFC 9293 §3.8"],
    evidence_for=["6455-5.1-data-any-time", "6455-6.1-transmit", "6455-6.2-next", "6455-6.2-parse"],
    needs="services",
)
def broadcast_in_one_order(peer: Peer, server: Server) -> None:
    """Three speak at once, a fourth only listens. On each connection TCP keeps the order; the server makes it one for
    all of them. What one has said comes in the order in which it was said.
    """
    room = server.websocket(f"/chat/order-{peer.port}")
    crowd = [one.websocket(room) for one in (peer, peer.another(), peer.another(), peer.another())]
    for ws in crowd:
        ws.open()
        ws.hear(type="welcome")

    for first in (0, 4):
        for writer, ws in enumerate(crowd[:3]):
            said = [{"type": "say", "text": f"{writer}: {number}"} for number in range(first, first + 4)]
            ws.send(*(text(json.dumps(one)) for one in said))

    heard = []
    for ws in crowd:
        heard.append([ws.hear(type="say", number=one, passing=("joined",)) for one in range(1, 25)])
        ws.expect_nothing()
    for other in heard[1:]:
        peer.check(other == heard[0], "payload", "the same 24 messages", "others", "all hear the same in one order")
    for writer in range(3):
        own = [one["text"] for one in heard[0] if one["text"].startswith(f"{writer}: ")]
        meant = [f"{writer}: {number}" for number in range(8)]
        peer.check(own == meant, "payload", str(meant), str(own), "each writer is heard in the order in which it spoke")
    for ws in crowd:
        ws.leave(pushed=True)
