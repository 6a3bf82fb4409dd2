from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import ping


@scenario(
    "Of ten Pings the last is answered",
    documents=["RFC 6455 §5.5.2", "RFC 6455 §5.5.3"],
    evidence_for=["6455-5.5.3-latest", "6455-5.5.2-pong", "6455-5.5.3-same"],
    needs="websocket",
)
def ten_pings(peer: Peer, server: Server) -> None:
    """Ten Pings in one segment. A server may answer them all, in their order, or some: the last one in any case."""
    ws = peer.websocket(server.websocket())
    ws.open()
    payloads = [f"ping {number}".encode() for number in range(10)]
    ws.send(*(ping(payload) for payload in payloads))
    ws.expect_pongs(*payloads)
    ws.expect_nothing()
    ws.leave()
