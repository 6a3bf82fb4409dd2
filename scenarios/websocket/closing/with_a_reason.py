from lab.scenario import Peer, Server, scenario


@scenario(
    "A Close with a reason",
    documents=["RFC 6455 §5.5.1"],
    evidence_for=["6455-5.5.1-reason", "6455-5.5.1-code", "6455-5.5.1-respond", "6455-7.4-reason"],
    needs="websocket",
)
def with_a_reason(peer: Peer, server: Server) -> None:
    """Behind the code there is room for 123 octets of UTF-8. It says why; the answer is a Close all the same."""
    site = server.websocket()
    for reason in ("b", "tschüß, 再见, 👋", "ü" * 61 + "!"):
        ws = peer.another().websocket(site)
        ws.open()
        ws.close(1000, reason)
        ws.expect_close_echoed(1000)
        ws.expect_end()
