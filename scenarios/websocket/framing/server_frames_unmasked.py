from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import Opcode, pong


@scenario(
    "A server masks nothing",
    documents=["RFC 6455 §5.1"],
    evidence_for=["6455-5.1-server-nomask", "6455-5.1-client-mask", "6455-5.2-rsv-zero", "6455-5.8-negotiate"],
    needs="websocket",
)
def server_frames_unmasked(peer: Peer, server: Server) -> None:
    """The mask bit of a Pong and of a Close is 0, as of every frame that comes from a server: its second octet is the
    length alone. Ours are masked, each with a key of its own.

    No extension was agreed on, so that the reserved bits are 0 as well.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.ping(b"masked")
    frames = [ws.expect(pong(b"masked")).frame]
    ws.close(1000)
    frames.append(ws.next_frame(Opcode.CLOSE).frame)
    for frame in frames:
        ws.check(frame.mask is None, "MASK", "0", "1", "a server's frame is not masked", "§5.1")
        ws.check(frame.rsv == 0, "RSV", "000", f"{frame.rsv:03b}", "reserved bits are 0", "§5.2")
    ws.expect_end()
