from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, continuation, text


@scenario(
    "Fragments of two messages must not be mixed",
    documents=["RFC 6455 §5.4"],
    evidence_for=["6455-5.4-interleave", "6455-5.4-type", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def bad_interleaved(peer: Peer, server: Server) -> None:
    """A continuation does not say what it continues. So a second message cannot begin before the first has ended.

    The second first fragment fails the connection: of neither message anything comes back.
    """
    site = server.websocket()
    for first, second in ((text, binary), (binary, text), (text, text), (binary, binary)):
        ws = peer.another().websocket(site)
        ws.open()
        ws.send(
            first(b"one, ", fin=False), second(b"uno, ", fin=False), continuation(b"two"), continuation(b"due")
        )  # fmt: skip
        ws.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
