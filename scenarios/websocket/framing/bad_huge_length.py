from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, pong


@scenario(
    "A frame of 2^62 octets is announced",
    documents=["RFC 6455 §5.2", "RFC 6455 §10.4"],
    evidence_for=["6455-10.4-protect", "6455-10.4-limit", "6455-10.7-validate"],
    needs="websocket",
)
def bad_huge_length(peer: Peer, server: Server) -> None:
    """The length is well-formed, and larger than all memory there is: a server with a limit fails with 1009.

    One that waits for the octets is permitted to. Either way it keeps nothing ready for them: the next client is
    served.
    """
    site = server.websocket()
    huge = peer.websocket(site)
    huge.open()
    huge.send(binary(b"the first of very many", announced=2**62))

    ws = peer.another().websocket(site)
    ws.open()
    ws.ping(b"alive?")
    ws.expect(pong(b"alive?"))
    ws.leave()

    if huge.expect_failed_or_waiting(1009):
        return
    huge.reset()
    ws = peer.another().websocket(site)
    ws.open()
    ws.leave()
