from lab.scenario import Peer, Server, scenario
from lab.scenario.record import Packet

LONG = bytes(range(256)) * 275
"""More than our window holds."""


@scenario(
    "A Close while a long message is on its way",
    documents=["RFC 6455 §5.5.1"],
    evidence_for=["6455-5.5.1-delay", "6455-5.5.1-respond", "6455-5.5.1-nodata-after", "6455-6.1-fin"],
    needs="echo",
)
def behind_a_long_message(peer: Peer, server: Server) -> None:
    """We do not read, and the server's message does not fit into our window: it has begun, and waits. Then we close.

    The server may first send what it had begun, or leave the rest away. But its Close never stands inside a frame, and
    no data come behind it.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    answered = peer.connection.last_seen
    with ws.not_reading():
        ws.binary(LONG)
        peer.sees(_data, "the beginning of the echo", after=answered)
        ws.close(1000)
    ws.expect_close_behind(LONG, 1000)
    ws.expect_end()


def _data(packet: Packet) -> bool:
    return packet.segment is not None and bool(packet.segment.payload)
