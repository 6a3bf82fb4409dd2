from lab.scenario import Peer, Server, scenario
from lab.tcp.segment import SYN
from lab.websocket.frames import ping, pong


@scenario(
    "One connection for all that is said",
    documents=["RFC 6455 §1.1", "RFC 6455 §1.5", "RFC 6455 §5.2"],
    evidence_for=[
        "6455-6.1-transmit", "6455-6.1-opcode", "6455-6.2-type", "6455-6.2-next", "6455-6.2-control", "6455-5.5.2-pong",
        "6455-5.2-single",
    ],
    needs="echo",
)  # fmt: skip
def one_connection_for_all(peer: Peer, server: Server) -> None:
    """Text, octets, nothing at all, and a question whether anybody is there: no SYN and no HTTP for any of it.

    A message of ours costs six octets more than it says (header and key), where HTTP would send all its fields again.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    messages: list[str | bytes] = ["text", b"\x00\xff octets", "", b"", "nächster Text"]
    for message in messages:
        with ws.held() as segments:
            if isinstance(message, str):
                ws.text(message)
            else:
                ws.binary(message)
        octets = len(message.encode() if isinstance(message, str) else message)
        cost = len(segments[-1].payload)
        peer.check(cost == octets + 6, "payload", f"{octets + 6} octets", str(cost), "a small message costs six octets")
        ws.put(*segments)
        ws.expect_message(message)
        ws.send(ping(b"there?"))
        ws.expect(pong(b"there?"))
    ws.leave()
    for end in ("peer", "server"):
        seen = {p.seq for p in peer.segments() if p.sender == end and p.segment and SYN in p.segment.flags}
        peer.check(len(seen) == 1, "flags", "one SYN", str(len(seen)), f"the {end} opens one connection in all")
