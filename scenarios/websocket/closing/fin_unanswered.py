from lab.scenario import Peer, Server, State, scenario
from lab.websocket.frames import ping, text


@scenario(
    "The client does not answer the server's FIN",
    documents=["RFC 6455 §7.1.1", "RFC 9293 §3.6", "RFC 9293 §3.6.1"],
    evidence_for=["6455-5.5.1-client-may", "6455-5.5.1-tcp-close", "6455-7.1.1-clean"],
    needs="services",
)
def fin_unanswered(peer: Peer, server: Server) -> None:
    """Half closed: the server has said its last. We have not, but what we still say is thrown away.

    It is acknowledged all the same, and not answered with a RST, for a RST could take with it what the server had sent.
    Our FIN ends it, and TIME-WAIT stays at the server.
    """
    ws = peer.websocket(server.websocket("/echo"))
    ws.open()
    ws.answers = False
    ws.close(1000)
    ws.expect_close(1000)
    ws.expect_end()
    server.is_in(State.FIN_WAIT_2)

    ws.send(ping(b"is anybody there?"), text("not read any more"))
    server.is_in(State.FIN_WAIT_2)
    ws.finish()
    server.is_in(State.TIME_WAIT)
    server.is_told(peer, 1000, messages=0)
