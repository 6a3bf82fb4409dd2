from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A repeated SYN gets the same answer",
    documents=["RFC 9293 §3.10.7.4", "RFC 9293 §3.5"],
    evidence_for=["9293-3.10.7.4-seq-dup-syn"],
    needs="listener",
)
def repeated_syn(peer: Peer, server: Server) -> None:
    """Our SYN again, as if its answer had been lost: no second connection, no other number.

    The RFC's answer is a bare ACK (the SYN lies left of the window); stacks send the same SYN+ACK again.
    """
    listener = server.listen()
    x = peer.iss

    peer.send(TCP(flags="S", seq=x))
    y = peer.expect(TCP(flags="SA", ack=x + 1)).seq
    peer.send(TCP(flags="S", seq=x), note="again")
    again = peer.expect(TCP(ack=x + 1))
    number = y if "S" in again.flags else y + 1
    peer.check(again.seq == number, "seq", str(number), str(again.seq), "the answer repeats the server's first number")
    server.is_in(State.SYN_RECEIVED)

    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1))
    server.is_in(State.ESTABLISHED)
    listener.accept(peer)
    listener.has_nothing()
