from lab.scenario import Peer, Server, scenario


@scenario(
    "Two handshakes at once",
    documents=["RFC 6455 §4.1"],
    evidence_for=["6455-4.1-one-connecting", "6455-4.2.2-accept"],
    needs="websocket",
)
def two_at_once(peer: Peer, server: Server) -> None:
    """A client opens one connection to a server after the other; this one opens two and mixes their requests.

    Each gets the Accept of its own key.
    """
    site = server.websocket()
    first, second = peer.websocket(site), peer.another().websocket(site)
    one, two = first.upgrade().encode(), second.upgrade().encode()
    first.connect()
    second.connect()
    first.request(one[:100])
    second.request(two[:60])
    first.request(one[100:-1])
    second.request(two[60:])
    second.expect_response(101)
    first.request(one[-1:])
    first.expect_response(101)

    first.expect_nothing()
    second.expect_nothing()
    first.leave()
    second.leave()
