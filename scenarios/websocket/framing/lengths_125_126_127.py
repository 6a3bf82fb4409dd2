from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import unmask

KEY = bytes.fromhex("37fa213d")


@scenario(
    "Up to 125 octets in 7 bits, from 126 on in 16",
    documents=["RFC 6455 §5.2"],
    evidence_for=["6455-5.2-len-min", "6455-5.2-len-order", "6455-6.1-frame", "6455-6.2-parse"],
    needs="echo",
)
def lengths_125_126_127(peer: Peer, server: Server) -> None:
    """125 is the last length that fits into the second octet: 126 and 127 there say how many octets of length follow.

    The headers are written out here; those of the server must be in the shortest form as well.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    for length, header in (
        (124, "82 fc"),
        (125, "82 fd"),
        (126, "82 fe 007e"),
        (127, "82 fe 007f"),
        (128, "82 fe 0080"),
    ):
        message = bytes(range(length))
        ws.send_bytes(bytes.fromhex(header) + KEY + unmask(KEY, message))
        ws.expect_message(message)
    ws.expect_nothing()
    ws.leave()
