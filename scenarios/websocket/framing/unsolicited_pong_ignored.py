from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import Opcode, ping, pong

PAYLOADS = (b"", b"nobody asked", b"\xff" * 125)


@scenario(
    "A Pong that nobody asked for is no question",
    documents=["RFC 6455 §5.5.3"],
    evidence_for=["6455-5.5.3-unsolicited", "6455-5.5-125"],
    needs="websocket",
)
def unsolicited_pong_ignored(peer: Peer, server: Server) -> None:
    """Such a Pong is a heartbeat in one direction. No answer is expected, and the connection stays open.

    A Ping behind them is the first to be answered: a server that sent their payloads back would answer a Pong.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.send(*(pong(payload) for payload in PAYLOADS), ping(b"and this is a question"))
    while (got := ws.next_frame(Opcode.PONG).frame.payload) != b"and this is a question":
        ws.check(
            got not in PAYLOADS[1:],
            "opcode",
            "no answer",
            f"PONG {got[:16]!r}",
            "a Pong is not answered",
            "§5.5.3",
        )
    ws.expect_nothing()
    ws.leave()
