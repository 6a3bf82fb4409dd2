from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A client that lost its connection comes back from another port",
    documents=["RFC 6455 §4.1", "RFC 6455 §7.2.3", "RFC 9293 §3.6.1"],
    evidence_for=["6455-4.2.2-open", "6455-6.1-transmit", "6455-7.1.1-server-first", "6455-5.5.1-server-first"],
    needs="echo",
)
def reconnects_from_another_port(peer: Peer, server: Server) -> None:
    """A connection is its four-tuple. The old one may not be known to be dead yet, and the new one works all the same:
    first after we fell silent, so that the server still holds the old connection; then after a clean close, so that the
    server keeps its TIME-WAIT.
    """
    site = server.websocket()
    lost = peer.websocket(site)
    lost.open()
    lost.text("before")
    lost.expect_message("before")
    lost.answers = False  # and we say nothing more on it

    second = peer.another()
    again = second.websocket(site)
    again.open()
    again.text("after")
    again.expect_message("after")
    server.is_in(State.ESTABLISHED, peer)
    again.leave()
    if again.ended == "fin":  # a RST leaves nothing behind
        server.is_in(State.TIME_WAIT, second)

    once_more = peer.another().websocket(site)
    once_more.open()
    once_more.text("and again")
    once_more.expect_message("and again")
    once_more.leave()
    server.is_in(State.ESTABLISHED, peer)
