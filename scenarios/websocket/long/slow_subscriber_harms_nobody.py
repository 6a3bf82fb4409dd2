from lab.scenario import Peer, Server, scenario


@scenario(
    "A slow subscriber is dropped, and the others are not delayed",
    documents=["RFC 9293 §3.8.6", "RFC 6455 §7.1.1", "RFC 6455 §7.1.5"],
    evidence_for=["6455-10.4-protect", "6455-7.1.1-any", "6455-7.1.5-code", "6455-6.1-transmit"],
    needs="services",
)
def slow_subscriber_harms_nobody(peer: Peer, server: Server) -> None:
    """One of three does not read. What is said piles up for it alone; each word reaches the others before the next
    is said.

    With more waiting than it may, here 16 KiB beside what its kernel holds, the server drops it with a RST: a Close
    would have to wait behind all that it does not read.
    """
    room = server.websocket(f"/chat/slow-{peer.port}?backlog=16384")
    writer, reader, slow = peer.websocket(room), peer.another().websocket(room), peer.another().websocket(room)
    for ws in (writer, reader, slow):
        ws.open()
        ws.hear(type="welcome")

    with slow.not_reading():
        said = 0
        while not slow.ended and said < 100:
            said += 1
            writer.say(type="say", text=f"{said} " + "and so on " * 800)
            for ws in (writer, reader):
                ws.hear(type="say", number=said, passing=("joined", "left"))
        slow.expect_end()
    server.is_told(slow.peer, 1006)

    writer.say(type="say", text="where were we?")
    for ws in (writer, reader):
        ws.hear(type="say", number=said + 1, text="where were we?", passing=("left",))
        ws.leave(pushed=True)
