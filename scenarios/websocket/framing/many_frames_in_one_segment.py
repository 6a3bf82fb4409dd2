from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, continuation, ping, pong, text


@scenario(
    "One segment, nine frames",
    documents=["RFC 6455 §6.2", "RFC 9293 §3.8"],
    evidence_for=["6455-6.2-parse", "6455-6.2-next", "6455-6.2-control", "6455-5.4-ctl-handle"],
    needs="echo",
)
def many_frames_in_one_segment(peer: Peer, server: Server) -> None:
    """Text, data, nothing, a message in fragments with a Ping inside, a Pong and a Ping: each is taken for itself.

    The messages come back in their order; where the Pongs come among them is not laid down.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.send(
        text("first"),
        binary(b"\x02"),
        text(""),
        text("th", fin=False),
        ping(b"inside"),
        continuation("ird"),
        pong(b"unasked"),
        text("fourth"),
        ping(b"at the end"),
    )
    for message in ("first", b"\x02", "", "third", "fourth"):
        ws.expect_message(message)
    ws.expect_nothing()
    ws.leave()
