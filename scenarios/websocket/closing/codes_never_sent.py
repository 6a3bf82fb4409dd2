from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close


@scenario(
    "Codes that are not to be sent",
    documents=["RFC 6455 §7.4.1", "RFC 6455 §7.4.2"],
    evidence_for=["6455-7.4.1-1005", "6455-7.4.1-1006", "6455-7.4.1-1015", "6455-7.4.2-ranges"],
    needs="websocket",
)
def codes_never_sent(peer: Peer, server: Server) -> None:
    """1005, 1006 and 1015 are words for an end's own program; others are outside every range, or not given out yet.

    What a server makes of them is not prescribed: it fails the connection, or closes as if nothing were wrong. But it
    never sends one of them back.
    """
    site = server.websocket()
    for code in (1005, 1006, 1015, 0, 999, 1004, 1016, 2999, 5000, 65535):
        ws = peer.another().websocket(site)
        ws.open()
        ws.send(close(code))
        ws.expect_failed(1002, or_taken=True)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
