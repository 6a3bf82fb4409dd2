from itertools import pairwise

from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, scenario


@scenario(
    "Initial numbers differ from connection to connection and move with time",
    documents=["RFC 9293 §3.4.1", "RFC 6528 §3"],
    evidence_for=["MUST-8", "SHLD-1", "MUST-9", "6528-3-expr", "6528-3-mono"],
    needs="listener",
    takes=0.4,
)
def isns_differ(peer: Peer, server: Server) -> None:
    """On one four-tuple the number follows a clock of 4 microseconds or faster; between four-tuples it looks random."""
    server.listen()

    def number(one: Peer) -> int:
        x = one.anew()
        one.send(TCP(flags="S", seq=x))
        y = one.expect(TCP(flags="SA", ack=x + 1)).seq
        one.send(TCP(flags="R", seq=x + 1))
        return int(y)

    one_way, least = 0, 0
    last, heard = number(peer), peer.now()
    for _ in range(7):
        peer.wait(0.04)
        waited = peer.now() - heard
        following, heard = number(peer), peer.now()
        moved, due = (following - last) % 2**32, int(waited * 250_000 * 0.9)
        peer.check(
            due <= moved < 2**31, "seq", f"{due} or more ahead", f"{moved} ahead",
            f"the clock has moved on in {waited:.3f} s",
        )  # fmt: skip
        one_way, least, last = one_way + moved, least + due, following
    peer.check(
        one_way < 2**31, "seq", f"{least} or somewhat more ahead", f"{one_way} ahead in seven steps",
        "the numbers follow one clock, which does not go round within a second",
    )  # fmt: skip

    numbers = [number(peer.another()) for _ in range(8)]
    peer.check(len(set(numbers)) == 8, "seq", "eight numbers", str(sorted(numbers)), "each connection has its own")
    steps = {(b - a) % 2**32 for a, b in pairwise(numbers)}
    peer.check(len(steps) == 7, "seq", "no constant step", str(steps), "the next number cannot be guessed")
    near = sum(step < 2**24 for step in steps)
    peer.check(near < 4, "seq", "numbers far apart", str(sorted(numbers)), "the numbers do not lie on one line")
