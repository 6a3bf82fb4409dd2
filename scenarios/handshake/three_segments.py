from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A server opens in three segments",
    documents=["RFC 9293 §3.5 figure 6"],
    evidence_for=[
        "9293-3.5-fig6-B",
        "9293-3.3.2-listen-synrcvd",
        "9293-3.3.2-synrcvd-estab",
        "9293-3.4.1-isn-exchange",
    ],
    needs="listener",
)
def three_segments(peer: Peer, server: Server) -> None:
    """The SYN and the SYN+ACK use up one number each; the bare ACK uses none.

    After three segments each side has said its initial number and has heard the other repeat it.
    """
    listener = server.listen()
    x = peer.iss

    peer.send(TCP(flags="S", seq=x))
    syn_ack = peer.expect(TCP(flags="SA", ack=x + 1))
    server.is_in(State.SYN_RECEIVED)

    y = syn_ack.seq
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1))
    peer.expect_silence()
    server.is_in(State.ESTABLISHED)
    listener.accept(peer)
