from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import text


@scenario(
    "A lost segment of the server's delays messages, and loses none",
    documents=["RFC 6455 §6.1", "RFC 9293 §3.8.1", "RFC 5681 §3.2"],
    evidence_for=["6455-6.1-transmit", "6455-6.1-frame", "6298-5.3"],
    takes=0.2,
    needs="echo",
)
def lost_segment_from_the_server(peer: Peer, server: Server) -> None:
    """The echo of the third message is lost. We say where the gap is, and the server's TCP repeats what we miss.

    Its program knows nothing of it. Neither does ours: it reads all messages in order, the third a little later.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    words = [f"message {number}" for number in range(1, 9)]
    ws.send(text(words[0]), text(words[1]))
    ws.expect_message(words[0])
    ws.expect_message(words[1])

    ws.lose(1)
    ws.send(*(text(word) for word in words[2:]))
    lost = peer.sees(lambda p: p.note == "lost on the way", "the segment that is lost")
    for word in words[2:]:
        ws.expect_message(word)
    peer.sees(lambda p: p.seq == lost.seq, "the same octets again", after=lost, section="RFC 9293 §3.8.1")
    ws.leave()
