from lab.scenario import Peer, Server, scenario

MALFORMED = (
    ";",
    ",,=",
    "permessage-deflate; =1",
    "permessage deflate",
    'permessage-deflate; client_max_window_bits="1 5"',
)


@scenario(
    "What is no list of extensions fails the handshake",
    documents=["RFC 6455 §9.1", "RFC 6455 §4.3", "RFC 6455 §4.2.1"],
    evidence_for=["6455-9.1-malformed", "6455-4.3-quoted", "6455-4.2.1-stop", "6455-10.7-validate"],
    needs="websocket",
)
def malformed_extensions_refused(peer: Peer, server: Server) -> None:
    """Extensions nobody knows are passed over, but what breaks the grammar of the field must fail the connection.

    The last one is quoted: without its quotes a parameter must be a token, and a blank cannot stand in one.
    """
    site = server.websocket()
    for number, extensions in enumerate(MALFORMED):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(extensions=extensions))
        ws.expect_refused()
