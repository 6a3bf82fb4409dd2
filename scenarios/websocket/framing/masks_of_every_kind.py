from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary

KEYS = ("00000000", "ffffffff", "37fa213d", "37fa213d", "00000001", "01000000")


@scenario(
    "Any key unmasks, octet by octet",
    documents=["RFC 6455 §5.3"],
    evidence_for=["6455-5.3-algorithm", "6455-5.3-flag", "6455-5.3-fresh", "6455-6.2-unmask"],
    needs="echo",
)
def masks_of_every_kind(peer: Peer, server: Server) -> None:
    """Octet i is XORed with octet i mod 4 of the key: shown with 0 to 9 octets, and with keys of every kind.

    A key of zeros changes nothing and is a key; one that was used before is a key as well. At last a segment ends
    inside the key, at each of its octets.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    for key in KEYS:
        messages = [bytes(range(1, length + 1)) for length in range(10)]
        ws.send(*(binary(message).masked(bytes.fromhex(key)) for message in messages))
        for message in messages:
            ws.expect_message(message)

    for inside in range(2, 7):
        frame = bytes.fromhex("82 85 37fa213d 7f9f4d5158")
        ws.send_bytes(frame[:inside])
        ws.send_bytes(frame[inside:])
        ws.expect_message(b"Hello")
    ws.expect_nothing()
    ws.leave()
