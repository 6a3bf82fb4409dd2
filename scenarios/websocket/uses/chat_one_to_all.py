from lab.scenario import Peer, Server, scenario


@scenario(
    "One speaks, and all in the room hear it",
    documents=["RFC 6455 §1.1", "RFC 6455 §5.1"],
    evidence_for=["6455-5.1-data-any-time", "6455-6.1-transmit", "6455-6.1-opcode", "6455-5.1-server-nomask"],
    needs="services",
)
def chat_one_to_all(peer: Peer, server: Server) -> None:
    """Publish and subscribe: who opens the room hears what is said in it, once, whoever says it. Nobody has to ask."""
    room = server.websocket(f"/chat/all-{peer.port}")
    anna, ben, cleo = (one.websocket(room) for one in (peer, peer.another(), peer.another()))
    names = []
    for ws in (anna, ben, cleo):
        ws.open()
        names.append(ws.hear(type="welcome")["you"])

    for number, (ws, name, words) in enumerate(zip((anna, ben), names, ("hello, all", "hello, Anna"), strict=False), 1):
        ws.say(type="say", text=words)
        for each in (anna, ben, cleo):
            each.hear(type="say", number=number, from_=name, text=words, passing=("joined",))
    for ws in (anna, ben, cleo):
        ws.expect_nothing()
    for ws in (cleo, ben, anna):
        ws.leave(pushed=True)
