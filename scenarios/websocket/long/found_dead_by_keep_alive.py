from lab.scenario import Peer, Server, State, scenario


@scenario(
    "TCP's keep-alive finds a dead client",
    documents=["RFC 9293 §3.8.4", "RFC 6455 §7.1.5"],
    evidence_for=["MAY-5", "MUST-29", "SHLD-12", "6455-7.1.5-code"],
    slow=True,
    takes=3.0,
    needs="services",
)
def found_dead_by_keep_alive(peer: Peer, server: Server) -> None:
    """Nobody has anything to say, and our machine is gone: nothing on the wire would ever tell.

    The server's kernel asks after a second, and again, for one probe may be lost. Then it gives the connection up,
    and the program is told 1006: no Close came.
    """
    ws = peer.websocket(server.websocket("/echo?keepalive=1"))
    ws.open()
    ws.text("before")
    ws.expect_message("before")
    expected = peer.rcv_nxt
    with ws.held():  # nothing of ours arrives any more
        first = peer.sees(
            lambda p: p.segment is not None and p.segment.seq == expected - 1, "a keep-alive probe", within=5.0,
            section="RFC 9293 §3.8.4",
        )  # fmt: skip
        server.is_in(State.ESTABLISHED, peer)
        peer.sees(
            lambda p: p.segment is not None and p.segment.seq == expected - 1, "another probe", after=first, within=5.0,
            section="RFC 9293 §3.8.4",
        )  # fmt: skip
        server.is_in(State.ESTABLISHED, peer)
        ws.expect_end(within=5.0)
    server.is_told(peer, 1006)
    server.is_in(State.CLOSED, peer)
