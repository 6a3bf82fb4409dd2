from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Pings keep a quiet connection",
    documents=["RFC 6455 §5.5.2", "RFC 6455 §5.5.3"],
    evidence_for=["6455-5.5.2-anytime", "6455-5.5.2-payload", "6455-6.2-control", "6455-6.1-transmit"],
    takes=2.0,
    needs="services",
)
def kept_by_pings(peer: Peer, server: Server) -> None:
    """The server looks after us: a Ping now and then, and a Pong with the same payload keeps the connection.

    It asks again only when it has been answered, so that a second Ping says that the first Pong was good.
    """
    ws = peer.websocket(server.websocket("/echo?ping=1"))
    ws.open()
    first, second = ws.expect_ping(within=5.0), ws.expect_ping(within=5.0)  # the lab answers by itself
    peer.check(first != second, "payload", "another payload", repr(second), "each Ping can be told from others")
    server.is_in(State.ESTABLISHED, peer)

    ws.text("still here")
    ws.expect_message("still here")
    server.is_told(peer, messages=1)
    ws.leave()
