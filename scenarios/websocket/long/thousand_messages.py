from lab.scenario import Peer, Server, scenario
from lab.tcp.segment import FIN, SYN
from lab.websocket.frames import text


@scenario(
    "A thousand messages each way, over one connection",
    documents=["RFC 6455 §1.1", "RFC 6455 §6.1", "RFC 9293 §3.5", "RFC 9293 §3.6"],
    evidence_for=[
        "6455-6.1-transmit", "6455-6.1-frame", "6455-6.1-fin", "6455-6.2-next", "6455-6.2-parse", "6455-6.2-unmask",
        "6455-5.3-fresh", "6455-5.1-data-any-time",
    ],
    needs="echo",
)  # fmt: skip
def thousand_messages(peer: Peer, server: Server) -> None:
    """Many messages need no more connections than one: two SYNs at its beginning, two FINs at its end, in the capture.

    HTTP asked for each of them anew, on a connection of its own once.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    for first in range(0, 1000, 50):
        words = [f"message {number}" for number in range(first, first + 50)]
        ws.send(*(text(word) for word in words))
        for word in words:
            ws.expect_message(word)
    ws.leave()

    for end in ("peer", "server"):
        # Counted by their numbers: one that a busy machine lets be repeated is still the same.
        syns, fins = (
            {p.seq for p in peer.segments() if p.sender == end and p.segment and flag in p.segment.flags}
            for flag in (SYN, FIN)
        )
        peer.check(len(syns) == 1, "flags", "one SYN", str(len(syns)), f"the {end} sends one SYN in all")
        if ws.ended == "fin":  # the report names a RST in its place
            peer.check(len(fins) == 1, "flags", "one FIN", str(len(fins)), f"the {end} sends one FIN in all")
