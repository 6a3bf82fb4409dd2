from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import Frame, close, continuation, ping, text

BAD = {
    "with a reserved bit": (text("bad", rsv=4), 1002),
    "with a reserved opcode": (Frame(3, b"bad"), 1002),
    "a continuation of nothing": (continuation("bad"), 1002),
    "a Ping with FIN 0": (ping(b"bad", fin=False), 1002),
    "text that is not UTF-8": (text(b"bad \xff"), 1007),
    "without a mask": (text("bad", mask=None), 1002),
}


@scenario(
    "Nothing behind a bad frame is looked at",
    documents=["RFC 6455 §7.1.7"],
    evidence_for=["6455-7.1.7-stop", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def bad_nothing_behind(peer: Peer, server: Server) -> None:
    """A Ping and a message stand behind a bad frame in the same segment; neither is answered.

    Whoever broke one rule may have lost count of the octets: what follows only looks like frames.
    """
    site = server.websocket()
    for name, (bad, code) in BAD.items():
        ws = peer.another().websocket(site)
        ws.open()
        peer.say(name)
        behind = [frame.masked().encode() for frame in (ping(b"behind"), text("behind"), close(1000))]
        first = bad if name == "without a mask" else bad.masked()
        ws.send_bytes(first.encode() + b"".join(behind))
        ws.expect_failed(code)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
