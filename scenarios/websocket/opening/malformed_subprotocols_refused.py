from lab.scenario import Peer, Server, scenario


@scenario(
    "A subprotocol is a token",
    documents=["RFC 6455 §4.1", "RFC 6455 §4.2.1", "RFC 6455 §4.3"],
    evidence_for=["6455-4.1-req-protocol-form", "6455-4.2.1-stop", "6455-10.7-http-status"],
    needs="websocket",
)
def malformed_subprotocols_refused(peer: Peer, server: Server) -> None:
    """A blank or a bracket cannot stand in a token. What breaks the grammar of a field is refused as a whole."""
    site = server.websocket()
    for number, offer in enumerate(("super chat", "chat(2)", '"chat"')):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(subprotocols=[offer]))
        ws.expect_refused()
