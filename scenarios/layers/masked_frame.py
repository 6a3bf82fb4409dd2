from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import ping, text


@scenario(
    "A masked frame by its layers, whole, in three segments, and two in one",
    documents=["RFC 1122 §1.1.3", "RFC 6455 §5.2", "RFC 6455 §5.3", "RFC 6455 §5.7"],
    evidence_for=["layer-7-ws-head", "layer-7-ws-payload", "layer-6-presentation", "layer-encap"],
    needs="echo",
)
def masked_frame(peer: Peer, server: Server) -> None:
    """Two octets of header, four of masking key, five of payload: "Hello", as RFC 6455 §5.7 has it.

    Up to TCP a unit of one layer is inside one unit of the next. Not so above: a frame cut into segments of four
    octets has its key in two of them, and two frames fit into one segment. Still each octet belongs to one layer.
    """
    ws = peer.websocket(server.websocket())
    ip = ("IPv6", 40) if ":" in peer.address else ("IPv4", 20)
    below = ("Ethernet", 14), ip, ("TCP", 20)
    hello = text("Hello", mask=bytes.fromhex("37fa213d"))

    def numbers() -> list[int]:
        return [p.number for p in peer.segments() if p.sender == "peer" and p.segment and p.segment.payload]

    ws.open()
    ws.send(hello)
    peer.sees_layers(*below, ("WebSocket", 2 + 4), ("Payload", 5), frame=numbers()[-1])
    ws.expect_message("Hello")

    ws.send(hello, cut=4)
    one, two, three = numbers()[-3:]
    peer.sees_layers(*below, ("WebSocket", 4), frame=one)
    peer.sees_layers(*below, ("WebSocket", 2), ("Payload", 2), frame=two)
    peer.sees_layers(*below, ("Payload", 3), frame=three)
    ws.expect_message("Hello")

    ws.send(ping(b"1"), ping(b"22"))
    peer.sees_layers(
        *below, ("WebSocket", 6), ("Payload", 1), ("WebSocket", 6), ("Payload", 2), frame=numbers()[-1]
    )  # fmt: skip
    ws.expect_pongs(b"1", b"22")
    ws.leave()
