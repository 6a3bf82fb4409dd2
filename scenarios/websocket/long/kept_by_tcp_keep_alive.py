from lab.scenario import Peer, Server, State, scenario
from lab.scenario.record import Packet


@scenario(
    "TCP's keep-alive keeps a quiet connection",
    documents=["RFC 9293 §3.8.4"],
    evidence_for=["MAY-5", "MUST-26", "SHLD-12", "6455-6.1-transmit"],
    takes=2.1,
    needs="services",
)
def kept_by_tcp_keep_alive(peer: Peer, server: Server) -> None:
    """The server's kernel asks where its program does not: a segment without data, one number before the next.

    That number is old, so that our TCP must answer with an ACK, whatever our program does. WebSocket hears nothing.
    """
    ws = peer.websocket(server.websocket("/echo?keepalive=1"))
    ws.open()
    ws.text("before")
    ws.expect_message("before")
    expected = peer.rcv_nxt

    def probe(packet: Packet) -> bool:
        return packet.segment is not None and packet.segment.seq == expected - 1 and not packet.segment.payload

    last = None
    for _ in range(2):
        last = peer.sees(probe, "a keep-alive probe", after=last, within=5.0, section="RFC 9293 §3.8.4")
    server.is_in(State.ESTABLISHED, peer)

    ws.expect_nothing()
    ws.text("after")
    ws.expect_message("after")
    ws.leave()
