from lab.scenario import Peer, Server, State, scenario


@scenario(
    "The server closes TCP first",
    documents=["RFC 6455 §7.1.1", "RFC 6455 §5.5.1", "RFC 9293 §3.6 figure 12"],
    evidence_for=[
        "6455-5.5.1-server-first", "6455-5.5.1-tcp-close", "6455-5.5.1-client-wait", "6455-7.1.1-server-first",
        "6455-7.1.1-clean", "6455-7.1.1-client-wait", "6455-7.1.2-both",
    ],
    needs="websocket",
)  # fmt: skip
def server_closes_tcp_first(peer: Peer, server: Server) -> None:
    """Who closes TCP first must remember the connection in TIME-WAIT; that is to be the server, not the client.

    A client in TIME-WAIT could not open the same connection again for twice the life of a segment; a server can take
    a new SYN there. So after both Close frames we send nothing, and the first FIN comes from the server.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.answers = False
    ws.close(1000)
    ws.expect_close_echoed(1000)
    ws.expect_end()
    peer.check(ws.ended == "fin", "TCP", "FIN", "RST", "nothing is wrong, and the server closes cleanly")
    server.is_in(State.FIN_WAIT_2)

    ws.finish()
    server.is_in(State.TIME_WAIT)
