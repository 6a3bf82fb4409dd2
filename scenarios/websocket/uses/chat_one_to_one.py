from lab.scenario import Peer, Server, scenario


@scenario(
    "A private message reaches one alone",
    documents=["RFC 6455 §1.1", "RFC 6455 §5.1"],
    evidence_for=["6455-5.1-data-any-time", "6455-6.1-transmit", "6455-6.2-next"],
    needs="services",
)
def chat_one_to_one(peer: Peer, server: Server) -> None:
    """Anna tells Ben something. Ben hears it, Cleo does not: a Ping that she sends behind it is the first answered."""
    room = server.websocket(f"/chat/one-{peer.port}")
    anna, ben, cleo = (one.websocket(room) for one in (peer, peer.another(), peer.another()))
    for ws, name in ((anna, "Anna"), (ben, "Ben"), (cleo, "Cleo")):
        ws.open()
        ws.hear(type="welcome")
        ws.say(type="name", name=name)
        ws.hear(type="renamed", name=name)
    for ws, others in ((anna, 2), (ben, 1)):
        for _ in range(others):
            ws.hear(type="joined")
            ws.hear(type="renamed")

    anna.say(type="tell", to="Ben", text="between us")
    ben.hear(type="tell", from_="Anna", text="between us")
    for ws in (anna, ben, cleo):
        ws.expect_nothing()

    ben.say(type="say", text="I did not hear anything")
    for ws in (anna, ben, cleo):
        ws.hear(type="say", from_="Ben", text="I did not hear anything")
    anna.say(type="tell", to="Dora", text="are you there?")
    anna.hear(type="error")
    for ws in (cleo, ben, anna):
        ws.leave(pushed=True)
