from lab.scenario import Peer, Server, scenario


@scenario(
    "Half a request is answered by nothing",
    documents=["RFC 6455 §4.2.1", "RFC 6455 §4.2.2"],
    evidence_for=["6455-4.2.2-open", "6455-6.1-open", "6455-4.2.1-chunks", "6455-4.1-wait"],
    needs="websocket",
)
def nothing_before_the_101(peer: Peer, server: Server) -> None:
    """Without its empty line a request is not at its end, and the server waits. The first that it says is the 101.

    That it says nothing is no matter of time: while the first connection waits, a second one is opened and closed.
    """
    site = server.websocket()
    ws = peer.websocket(site)
    ws.connect()
    said = peer.rcv_nxt
    head = ws.upgrade().encode()
    ws.request(head[:-2])

    other = peer.another().websocket(site)
    other.open()
    other.leave()
    ws.check(
        peer.rcv_nxt == said,
        "silence",
        "nothing",
        f"{peer.rcv_nxt.ahead_of(said)} octets",
        "a server does not answer half a request",
        "§4.2.2",
    )

    ws.request(head[-2:])
    ws.expect_response(101)
    ws.expect_nothing()
    ws.leave()
