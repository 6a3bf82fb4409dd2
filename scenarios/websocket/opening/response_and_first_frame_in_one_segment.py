from dataclasses import replace

from lab.scenario import Peer, Server, scenario
from lab.tcp.segment import ACK, Segment


@scenario(
    "The 101 and the first frame in one segment",
    documents=["RFC 6455 §4.2.2", "RFC 9293 §3.8.6"],
    evidence_for=["6455-4.2.2-open", "6455-5.1-data-any-time"],
    needs="services",
)
def response_and_first_frame_in_one_segment(peer: Peer, server: Server) -> None:
    """Behind its 101 a server may speak at once. Where the octets of HTTP end and frames begin, no segment tells.

    The ticker pushes its prices unasked. Our request closes our window, so that both have to wait at the server; a
    second subscriber proves that the program has said them; then the window opens, and one segment brings both.
    """
    site = server.websocket("/ticker")
    ws = peer.websocket(site)
    ws.connect()
    with ws.held() as segments:
        ws.request(ws.upgrade())
    peer.say("our window is shut: window 0")
    ws.put(replace(segments[0], window=0))

    other = peer.another().websocket(site)
    other.open()
    other.next_message()
    other.leave(pushed=True)

    peer.say("our window opens")
    ws.put(Segment(ACK, segments[0].end, segments[0].ack, window=65535))
    answer = ws.expect_response(101)
    price = ws.next_message()
    ws.check(isinstance(price, str), "opcode", "TEXT", "BINARY", "the ticker speaks in text", "§5.6")
    first = next(p.segment for p in peer.segments() if p.sender == "server" and p.segment and p.segment.payload)
    ws.check(
        len(first.payload) > len(answer.raw),
        "payload",
        f"more than the {len(answer.raw)} octets of the 101",
        f"{len(first.payload)} octets",
        "one segment carries the 101 and the first frame",
        "§4.2.2",
    )
    ws.leave(pushed=True)
