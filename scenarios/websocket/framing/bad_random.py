from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import pong


@scenario(
    "Random octets in place of frames",
    documents=["RFC 6455 §10.7", "RFC 6455 §7.1.7"],
    evidence_for=["6455-10.7-validate", "6455-10.7-close-frame", "6455-7.1.7-server", "6455-7.1.7-stop"],
    needs="websocket",
)
def bad_random(peer: Peer, server: Server) -> None:
    """Whatever comes is looked at before it is believed. Here a bit of the first octet is set that no frame may have.

    The rest is chance, another in each run: `--seed` repeats it. What looks like a length may be any, so a server may
    wait for more; with our FIN nothing more can come. Then it serves a client that makes sense.
    """
    site = server.websocket()
    for size in (2, 3, 14, 125, 1000, 4000):
        octets = bytearray(peer.bench.chance.randbytes(size))
        octets[0] |= 0x10
        ws = peer.another().websocket(site)
        ws.open()
        with ws.held() as ours:
            ws.send_bytes(bytes(octets))
            ws.finish()
        ws.put(*ours)
        ws.expect_over(1002, 1007, 1008, 1009)

        ws = peer.another().websocket(site)
        ws.open()
        ws.ping(b"alive?")
        ws.expect(pong(b"alive?"))
        ws.leave()
