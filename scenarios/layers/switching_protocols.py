from itertools import pairwise

from lab.scenario import Peer, Server, scenario


@scenario(
    "The 101 is the last of HTTP: the octets behind it are frames",
    documents=["RFC 1122 §1.1.3", "RFC 6455 §4.2.2", "RFC 9293 §3.1"],
    evidence_for=["layer-7-http", "layer-5-session", "layer-6-presentation", "layer-map"],
    needs="websocket",
)
def switching_protocols(peer: Peer, server: Server) -> None:
    """From the status line to the empty line it is HTTP; TCP's header has 20 octets, and what options the server sends.

    The same connection, the same ports, and from the next octet on another protocol: the layers below do not notice.
    """
    ws = peer.websocket(server.websocket())
    ip = ("IPv6", 40) if ":" in peer.address else ("IPv4", 20)
    answer = ws.open().raw
    came = [(p, p.segment.payload) for p in peer.segments() if p.sender == "server" and p.segment]
    stream = b"".join(payload for _, payload in came)
    # Interim answers (RFC 9110 §15.2) may come before the 101; each head ends with an empty line.
    heads = stream[: stream.find(answer) + len(answer)]
    ends = [at + 4 for at in range(len(heads)) if heads[at : at + 4] == b"\r\n\r\n"]

    at = 0
    for packet, payload in came:
        options = (packet.frame[14 + ip[1] + 12] >> 4) * 4 - 20  # TCP's data offset says how many
        behind = at + len(payload)
        if behind > len(heads):
            peer.say("it shares a segment with what is pushed behind it")
            break
        http = [("HTTP", b - a) for a, b in pairwise([at, *(end for end in ends if at < end < behind), behind])]
        if payload:
            peer.sees_layers(("Ethernet", 14), ip, ("TCP", 20 + options), *http, frame=packet.number)
        at = behind
    ws.leave()
