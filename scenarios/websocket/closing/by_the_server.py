from lab.scenario import Peer, Server, State, scenario


@scenario(
    "The server's program closes",
    documents=["RFC 6455 §7.1.2", "RFC 6455 §7.3", "RFC 6455 §7.1.1"],
    evidence_for=["6455-7.1.2-start", "6455-7.3-server-close", "6455-5.5.1-tcp-close", "6455-7.1.1-server-now"],
    needs="services",
)
def by_the_server(peer: Peer, server: Server) -> None:
    """A server may close when it likes: it sends a Close with its code, waits for ours, and then closes TCP.

    Here its program closes after one message, with 4321.
    """
    ws = peer.websocket(server.websocket("/echo?after=1&code=4321"))
    ws.open()
    ws.answers = False
    ws.text("the only one")
    ws.expect_message("the only one")
    ws.expect_close(4321)
    server.is_in(State.ESTABLISHED)

    ws.close(4321)
    ws.expect_end()
    ws.finish()
    server.is_in(State.TIME_WAIT)
    server.is_told(peer, 4321, messages=1)
