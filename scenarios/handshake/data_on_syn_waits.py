from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Data on a SYN are not delivered before the connection stands",
    documents=["RFC 9293 §3.5", "RFC 9293 §3.10.7.2"],
    evidence_for=["9293-3.5-data-hold", "9293-3.10.7.3-data-legal"],
)
def data_on_syn_waits(peer: Peer, server: Server) -> None:
    """A SYN may carry data, yet the program sees nothing of them before the third segment has come.

    The server may keep the data for later, or leave them for us to send again: its acknowledgement says which.
    """
    listener = server.listen()
    x, early = peer.iss, b"early"

    peer.send(TCP(flags="S", seq=x) / early)
    syn_ack = peer.expect(TCP(flags="SA"))
    kept = syn_ack.ack - (x + 1)
    peer.check(0 <= kept <= len(early), "ack", f"1 to {1 + len(early)}", str(1 + kept), "the SYN+ACK covers the SYN")
    server.is_in(State.SYN_RECEIVED)
    listener.has_nothing()

    y = syn_ack.seq
    peer.send(TCP(flags="PA", seq=syn_ack.ack, ack=y + 1) / early[kept:] if kept < len(early) else TCP(flags="A"))
    server.is_in(State.ESTABLISHED)
    listener.accept(peer).receives(early)
