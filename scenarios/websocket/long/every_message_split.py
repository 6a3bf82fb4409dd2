from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import ping, pong


@scenario(
    "Each octet in a segment of its own",
    documents=["RFC 6455 §6.2", "RFC 6455 §5.2", "RFC 9293 §3.8"],
    evidence_for=["6455-6.2-parse", "6455-6.2-unmask", "6455-6.2-type", "6455-6.2-control", "6455-5.5.2-pong"],
    needs="echo",
)
def every_message_split(peer: Peer, server: Server) -> None:
    """TCP is a stream: where a segment ends says nothing about where a frame does. Headers, keys, letters: all cut.

    A Ping too, and the é and the € between their octets.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    before = len(peer.segments())

    ws.text("né, 1 €", cut=1)
    ws.expect_message("né, 1 €")
    ws.send(ping(b"whole?"), cut=1)
    ws.expect(pong(b"whole?"))
    ws.binary(bytes(130), cut=1)  # its length takes two octets more, and they are cut as well
    ws.expect_message(bytes(130))

    single = [p for p in peer.segments()[before:] if p.sender == "peer" and p.segment and len(p.segment.payload) == 1]
    octets = 6 + len("né, 1 €".encode()) + 6 + len(b"whole?") + 8 + 130
    peer.check(len(single) >= octets, "payload", f"{octets} segments", str(len(single)), "each octet goes alone")
    ws.leave()
