from lab.scenario import Peer, Server, scenario


@scenario(
    "Who joins a match late gets the score first",
    documents=["RFC 6455 §1.1", "RFC 6455 §5.1"],
    evidence_for=["6455-5.1-data-any-time", "6455-4.2.2-open", "6455-6.1-transmit"],
    needs="services",
)
def score_feed_late_joiner(peer: Peer, server: Server) -> None:
    """A feed of events alone would leave a newcomer without what came before. It gets the state, and then each event:
    from there on both know the same, and goals are counted one by one.
    """
    feed = server.websocket("/score?every=0.01")
    early = peer.websocket(feed)
    early.open()
    state = early.hear(type="state")
    number, score = state["number"], dict(state["score"])
    scores = {number: dict(score)}

    def goal() -> None:
        nonlocal number
        number += 1
        event = early.hear(type="goal", number=number)
        score[event["side"]] += 1
        peer.check(event["score"] == score, "payload", str(score), str(event["score"]), "a goal counts one")
        scores[number] = dict(score)

    for _ in range(5):
        goal()
    late = peer.another().websocket(feed)
    late.open()
    joined = late.hear(type="state")
    while number < joined["number"]:
        goal()
    told = scores[joined["number"]]
    peer.check(joined["score"] == told, "payload", str(told), str(joined["score"]), "the newcomer gets the score")

    for step in range(1, 4):
        event = late.hear(type="goal", number=joined["number"] + step)
        while number < event["number"]:
            goal()
        peer.check(
            event["score"] == scores[event["number"]], "payload", str(scores[event["number"]]), str(event["score"]),
            "both know the same score",
        )  # fmt: skip
    early.leave(pushed=True)
    late.leave(pushed=True)
