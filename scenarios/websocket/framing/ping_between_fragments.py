from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import continuation, ping, pong, text


@scenario(
    "Control frames come between fragments",
    documents=["RFC 6455 §5.4", "RFC 6455 §5.5"],
    evidence_for=[
        "6455-5.4-ctl-between",
        "6455-5.4-ctl-handle",
        "6455-5.5.2-pong",
        "6455-5.5.2-soon",
        "6455-5.4-order",
        "6455-5.5.1-respond",
        "6455-6.2-control",
    ],
    needs="echo",
)
def ping_between_fragments(peer: Peer, server: Server) -> None:
    """A long message must not hold up a Ping: its Pong comes before the message has ended, and the message is whole.

    A Pong that nobody asked for changes nothing there, and a Close ends the connection in the middle of a message.
    """
    ws = peer.websocket(server.websocket())
    ws.open()

    ws.send(text("one, ", fin=False))
    ws.ping(b"in between")
    ws.expect(pong(b"in between"))
    ws.send(continuation("two, ", fin=False), ping(b"again"), pong(b"unasked"), continuation("thr", fin=False))
    ws.expect(pong(b"again"))
    ws.send(continuation("ee"))
    ws.expect_message("one, two, three")
    ws.expect_nothing()

    ws.send(text("this has no end", fin=False))
    ws.leave()
