from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, continuation, text


@scenario(
    "Fragments may be empty",
    documents=["RFC 6455 §5.4"],
    evidence_for=["6455-5.4-any-size", "6455-5.4-order", "6455-6.1-fin"],
    needs="echo",
)
def fragments_of_no_length(peer: Peer, server: Server) -> None:
    """An empty fragment at the beginning, in the middle or at the end changes nothing; all may be empty."""
    ws = peer.websocket(server.websocket())
    ws.open()
    for parts in (("", "a", "b"), ("a", "", "b"), ("a", "b", ""), ("", "", ""), ("", "")):
        first, *middle, last = parts
        ws.send(text(first, fin=False), *(continuation(part, fin=False) for part in middle), continuation(last))
        ws.expect_message("".join(parts))
    ws.send(binary(fin=False), continuation())
    ws.expect_message(b"")
    ws.expect_nothing()
    ws.leave()
