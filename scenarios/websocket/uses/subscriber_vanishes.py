from lab.scenario import Peer, Server, scenario


@scenario(
    "A subscriber that vanishes harms nobody",
    documents=["RFC 6455 §7.1.5", "RFC 6455 §7.1.7", "RFC 9293 §3.5.2"],
    evidence_for=["6455-7.1.5-code", "6455-7.1.7-server", "6455-6.1-transmit", "6455-10.7-validate"],
    needs="services",
)
def subscriber_vanishes(peer: Peer, server: Server) -> None:
    """One resets its connection, one ends it without a Close, one falls silent so that nothing tells of it.

    The two who stay hear of the first two that they have left, and go on hearing each other; what is said to the
    silent one is repeated by TCP, and delays nobody.
    """
    room = server.websocket(f"/chat/gone-{peer.port}")
    stays, listens, resets, ends, silent = (peer.websocket(room), *(peer.another().websocket(room) for _ in range(4)))
    names = {}
    for ws in (stays, listens, resets, ends, silent):
        ws.open()
        names[ws] = ws.hear(type="welcome")["you"]

    resets.reset()
    server.is_told(resets.peer, 1006)
    for ws in (stays, listens):
        ws.hear(type="left", name=names[resets], passing=("joined",))
    ends.finish()
    server.is_told(ends.peer, 1006)
    for ws in (stays, listens):
        ws.hear(type="left", name=names[ends])

    with silent.held():
        for number in range(1, 11):
            stays.say(type="say", text=f"number {number}")
            for ws in (stays, listens):
                ws.hear(type="say", number=number, from_=names[stays], text=f"number {number}")
        for ws in (stays, listens):
            ws.expect_nothing()
        for ws in (stays, listens):
            ws.leave(pushed=True)
        silent.answers = False
