from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import unmask

KEY = bytes.fromhex("37fa213d")


@scenario(
    "Up to 65535 octets in 16 bits, from 65536 on in 64",
    documents=["RFC 6455 §5.2", "RFC 9293 §3.8.6"],
    evidence_for=["6455-5.2-len-min", "6455-5.2-len-order", "6455-6.1-frame", "6455-6.2-parse"],
    needs="echo",
)
def lengths_65535_65536(peer: Peer, server: Server) -> None:
    """The 64 bits are in network order with the first one 0. Each way a message takes 45 segments and more.

    One octet more than 16 bits can say, and a frame's header is 14 octets long: 2, 8 of length, 4 of the key.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    for length, header in ((65535, "82 fe ffff"), (65536, "82 ff 0000000000010000")):
        message = bytes(at % 251 for at in range(length))
        ws.send_bytes(bytes.fromhex(header) + KEY + unmask(KEY, message))
        ws.expect_message(message)
    ws.expect_nothing()
    ws.leave()
