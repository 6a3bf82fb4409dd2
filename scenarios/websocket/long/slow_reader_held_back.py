from functools import partial

from lab.scenario import Peer, Server, scenario
from lab.scenario.record import Packet
from lab.tcp.sequence import Seq


@scenario(
    "A slow reader holds the server back, and loses nothing",
    documents=["RFC 9293 §3.8.6", "RFC 9293 §3.8.6.1", "RFC 6455 §6.1"],
    evidence_for=[
        "9293-3.4-zero-wnd-tx", "9293-3.8.6.1-probe-ack", "9293-3.8.6-wnd-highest", "6455-6.1-transmit",
        "6455-6.2-next", "6455-10.4-protect",
    ],
    takes=0.7,
    needs="echo",
)  # fmt: skip
def slow_reader_held_back(peer: Peer, server: Server) -> None:
    """We send and do not read. Our window shuts, so that the echoes must wait at the server; then it stops reading too,
    and its own window shuts: TCP hands the slowness on, and nobody has to keep all that waits. When we read again,
    every message comes, in order.
    """
    ws = peer.websocket(server.websocket(), window_scale=0)  # so that the server's window says all that it has
    ws.open()
    messages: list[bytes] = []
    sent, seen = peer.snd_nxt, None
    with ws.not_reading():
        while len(messages) < 256:
            for _ in range(4):
                messages.append(bytes([len(messages)]) * 16_384)
                ws.binary(messages[-1])
                sent += 8 + len(messages[-1])
            seen = peer.sees(
                partial(_answers, sent),
                "an ACK of all, or a window that is shut", after=seen, section="RFC 9293 §3.8.6",
            )  # fmt: skip
            if seen.segment is not None and seen.segment.window == 0:
                peer.say(f"the server takes no more: {len(messages)} messages, and all that waits is held back")
                break
        else:
            peer.say("this server takes in 4 MiB, and keeps what cannot be sent yet")

    for message in messages:
        ws.expect_message(message)
    ws.leave()


def _answers(sent: Seq, packet: Packet) -> bool:
    """Whether it acknowledges all that was sent, or says that there is no room for it."""
    return packet.segment is not None and (packet.segment.window == 0 or packet.segment.ack == sent)
