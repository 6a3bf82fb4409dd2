from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, text


@scenario(
    "A length whose highest bit is set",
    documents=["RFC 6455 §5.2"],
    evidence_for=["6455-5.2-len-msb", "6455-10.4-protect", "6455-7.1.7-server", "6455-10.7-validate"],
    needs="websocket",
)
def bad_length_top_bit(peer: Peer, server: Server) -> None:
    """The highest bit of a 64-bit length must be 0, so that it fits into a signed number everywhere.

    A frame of 2^63 octets, and one of 2^64 - 1, fail the connection as soon as the header is there; that they are too
    big (1009) is true as well. Nobody keeps memory ready for them: the server is alive, and serves the next client.
    """
    site = server.websocket()
    for frame in (text("", announced=2**63), binary(b"a beginning", announced=2**64 - 1)):
        ws = peer.another().websocket(site)
        ws.open()
        ws.send(frame)
        ws.expect_failed(1002, 1009)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
