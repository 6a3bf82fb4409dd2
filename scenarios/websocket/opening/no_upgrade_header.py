from lab.scenario import Peer, Server, scenario


@scenario(
    "Without Upgrade it is HTTP as ever",
    documents=["RFC 6455 §4.2.1", "RFC 9110 §7.8"],
    evidence_for=["6455-4.2.1-upgrade", "6455-4.1-req-upgrade"],
    needs="websocket",
)
def no_upgrade_header(peer: Peer, server: Server) -> None:
    """Nobody asked for a WebSocket, or for something that is none: the answer is HTTP, and no 101.

    A server with pages at this path may show one; one that knows WebSockets alone says 426.
    """
    site = server.websocket()
    for number, protocols in enumerate(([], ["websockets"], ["h2c"])):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(without=["Upgrade"], extra=[("Upgrade", protocol) for protocol in protocols]))
        ws.expect_refused(plain=True)
