from lab.scenario import Peer, Server, scenario


@scenario(
    "Who opens a map late sees where everything is",
    documents=["RFC 6455 §1.1", "RFC 6455 §5.1"],
    evidence_for=["6455-5.1-data-any-time", "6455-4.2.2-open", "6455-6.1-transmit"],
    needs="services",
)
def map_feed_late_joiner(peer: Peer, server: Server) -> None:
    """Each message moves one vehicle. Who has followed from the start knows where all are; who comes late is told."""
    feed = server.websocket("/map?every=0.01")
    early = peer.websocket(feed)
    early.open()
    state = early.hear(type="state")
    number, places = state["number"], dict(state["at"])

    def follow(until: int) -> None:
        nonlocal number
        while number < until:
            number += 1
            move = early.hear(type="move", number=number)
            places[move["name"]] = move["at"]

    follow(number + 6)
    late = peer.another().websocket(feed)
    late.open()
    joined = late.hear(type="state")
    follow(joined["number"])
    peer.check(joined["at"] == places, "payload", str(places), str(joined["at"]), "the newcomer is told where all are")

    seen = dict(joined["at"])
    for step in range(1, 5):
        move = late.hear(type="move", number=joined["number"] + step)
        seen[move["name"]] = move["at"]
    follow(joined["number"] + 4)
    peer.check(seen == places, "payload", str(places), str(seen), "both see every vehicle at the same place")
    early.leave(pushed=True)
    late.leave(pushed=True)
