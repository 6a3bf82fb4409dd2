from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario
from lab.tcp.sequence import Seq


@scenario(
    "The numbers go round",
    documents=["RFC 9293 §3.4"],
    evidence_for=["9293-3.4-modulo", "9293-3.4-ctl-seq", "9293-3.10.7.4-text-deliver"],
)
def numbers_go_round(peer: Peer, server: Server) -> None:
    """Data, and a FIN, across the places where careless arithmetic goes wrong: half the circle, and its end."""
    listener = server.listen()
    words = b"over the edge"
    for edge in (2**31, 2**32):
        for before in (1, 1 + len(words) // 2, 1 + len(words)):  # the edge before the data, within them, before the FIN
            one = peer.another()
            one.anew(Seq(edge - before))
            x, y = one.open()
            connection = listener.accept(one)
            one.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / words)
            one.expect(TCP(flags="A", seq=y + 1, ack=x + 1 + len(words)))
            connection.receives(words)
            one.send(TCP(flags="FA", seq=x + 1 + len(words), ack=y + 1))
            one.expect(TCP(flags="A", seq=y + 1, ack=x + 2 + len(words)))
            server.is_in(State.CLOSE_WAIT, one)
            connection.receives_end()
