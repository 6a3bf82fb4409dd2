from lab.scenario import Peer, Server, scenario

TRIES = 5
"""What a server says of itself at that very moment carries the ACK as well: then the segment comes again."""


@scenario(
    "A lost segment of ours delays messages, and loses none",
    documents=["RFC 6455 §6.2", "RFC 9293 §3.4", "RFC 9293 §3.10.7.4", "RFC 5681 §4.2"],
    evidence_for=["6455-6.2-parse", "6455-6.2-next", "9293-3.10-order", "9293-3.10.7.4-text-deliver", "MAY-13"],
    needs="echo",
)
def lost_segment_from_us(peer: Peer, server: Server) -> None:
    """The third of five is lost. The two before it are answered; the two behind it have arrived, and have to wait.

    The server's TCP says at each of them where the gap is. When the gap is filled, all three are answered in order.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    words = ["one", "two", "three", "four", "five"]
    with ws.held() as segments:
        for word in words:
            ws.text(word)
    one, two, three, four, five = (segment for segment in segments if segment.payload)

    ws.put(one, two)
    ws.expect_message("one")
    ws.expect_message("two")
    gap = peer.segments()[-1]
    for late in (four, five):
        alone = False
        for _ in range(TRIES):
            ws.put(late)
            gap = peer.sees(
                lambda p: p.segment is not None and p.segment.ack == three.seq, "an ACK that asks for what is missing",
                after=gap,
            )  # fmt: skip
            alone = gap.segment is not None and not gap.segment.payload
            if alone:
                break
        peer.check(
            alone, "payload", "an ACK without text", f"text each of {TRIES} times",
            "the server's TCP asks for what is missing at once, whether or not its program has something to say",
        )  # fmt: skip
    ws.put(three)
    for word in words[2:]:
        ws.expect_message(word)
    ws.leave()
