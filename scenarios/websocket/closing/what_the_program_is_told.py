from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close


@scenario(
    "What the server's program is told of a Close",
    documents=["RFC 6455 §7.1.5", "RFC 6455 §7.1.6"],
    evidence_for=["6455-7.1.5-code", "6455-7.1.6-reason", "6455-7.4.1-1005"],
    needs="services",
)
def what_the_program_is_told(peer: Peer, server: Server) -> None:
    """The close code is that of the first Close received, and the reason the text behind it; 1005 stands for none."""
    site = server.websocket("/echo")
    for frame, code, reason in (
        (close(1000), 1000, ""),
        (close(1001, "the page is left"), 1001, "the page is left"),
        (close(4999, "ü" * 61 + "!"), 4999, "ü" * 61 + "!"),
        (close(), 1005, ""),
    ):
        other = peer.another()
        ws = other.websocket(site)
        ws.open()
        ws.send(frame)
        ws.expect_close()
        ws.expect_end()
        server.is_told(other, code, reason=reason, messages=0)
