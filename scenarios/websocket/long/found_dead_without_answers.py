from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A client that answers no Ping is found dead",
    documents=["RFC 6455 §5.5.2", "RFC 6455 §7.1.1", "RFC 6455 §7.1.5"],
    evidence_for=["6455-7.1.5-code", "6455-7.1.1-any", "6455-7.1.7-server", "6455-5.5.2-anytime"],
    takes=2.0,
    needs="services",
)
def found_dead_without_answers(peer: Peer, server: Server) -> None:
    """One client's TCP still acknowledges while its program hangs; of another nothing is heard at all. A third answers.

    TCP alone would believe the first for ever. The server's program is told 1006, no Close came, of both.
    """
    site = server.websocket("/echo?ping=1")
    hangs, silent = peer.websocket(site), peer.another().websocket(site)
    alive = peer.another().websocket(site)
    for ws in (hangs, silent, alive):
        ws.open()

    hangs.answers = False
    with silent.held():
        hangs.expect_ping(within=5.0)
        hangs.expect_end(within=5.0)
        silent.expect_end(within=5.0)
    for ws in (hangs, silent):
        server.is_told(ws.peer, 1006)
        server.is_in(State.CLOSED, ws.peer)

    alive.text("and I am well")
    alive.expect_message("and I am well")
    alive.leave()
