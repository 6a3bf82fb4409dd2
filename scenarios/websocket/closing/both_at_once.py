from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Both ends close at once",
    documents=["RFC 6455 §5.5.1", "RFC 6455 §7.1.5"],
    evidence_for=[
        "6455-5.5.1-simultaneous", "6455-5.5.1-tcp-close", "6455-5.5.1-respond", "6455-7.1.2-both", "6455-7.1.5-code",
    ],
    needs="services",
)  # fmt: skip
def both_at_once(peer: Peer, server: Server) -> None:
    """Two Close frames cross on the way. Each end has sent one and received one: that is the whole handshake.

    Nobody answers, and the server closes TCP at once. Its program is told our code: that of the Close it received.
    """
    ws = peer.websocket(server.websocket("/echo?after=1&code=4321"))
    ws.open()
    ws.answers = False
    with ws.held() as ours:
        ws.text("the only one")
        ws.close(1001, "crossed")
    words, our_close = (segment for segment in ours if segment.payload)

    ws.put(words)
    with ws.held() as acknowledgments:
        ws.expect_message("the only one")
        ws.expect_close(4321)
    peer.say("our Close was on its way by then: it acknowledges nothing of this")
    # The ACK of what came follows it: a server that believes in a loss would keep its FIN until then.
    ws.put(our_close, *acknowledgments)
    ws.expect_end()
    ws.finish()
    server.is_in(State.TIME_WAIT)
    server.is_told(peer, 1001, reason="crossed", messages=1)
