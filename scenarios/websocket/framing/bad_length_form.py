from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, ping, pong, text


@scenario(
    "Lengths that are not in their shortest form",
    documents=["RFC 6455 §5.2"],
    evidence_for=["6455-5.2-len-min"],
    needs="websocket",
)
def bad_length_form(peer: Peer, server: Server) -> None:
    """ "The minimal number of bytes MUST be used" to write a length: that binds who sends.

    What a server does with another form is left to it. It may fail the connection, or take the frame for what it is;
    but then it takes all of it, and the Ping behind is answered.
    """
    site = server.websocket()
    for frame in (
        text("short", length_bits=16),
        text("short", length_bits=64),
        binary(b"", length_bits=16),
        binary(b"." * 126, length_bits=64),
        binary(b"." * 65535, length_bits=64),
    ):
        ws = peer.another().websocket(site)
        ws.open()
        ws.send(frame, ping(b"behind"))
        ws.expect_taken_or_failed(pong(b"behind"), 1002)

    ws = peer.another().websocket(site)
    ws.open()
    ws.send(ping(b"short", length_bits=16))
    ws.expect_taken_or_failed(pong(b"short"), 1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
