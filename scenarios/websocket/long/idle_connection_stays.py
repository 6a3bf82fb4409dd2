from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A quiet connection stays, without a segment",
    documents=["RFC 6455 §1.1", "RFC 9293 §3.8.4"],
    evidence_for=["MUST-25", "6455-5.1-data-any-time", "6455-6.1-transmit"],
    takes=1.3,
    needs="services",
)
def idle_connection_stays(peer: Peer, server: Server) -> None:
    """Staying open costs nothing: not a segment comes for a whole second, and nothing has ended.

    Unless somebody wants to know whether the other is still there. This server asks when it is told to.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.text("before")
    ws.expect_message("before")

    ws.expect_silence(1.3)
    server.is_in(State.ESTABLISHED, peer)

    ws.text("after")
    ws.expect_message("after")
    server.is_told(peer, messages=2)
    ws.leave()
