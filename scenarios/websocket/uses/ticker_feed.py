from lab.scenario import Peer, Server, scenario


@scenario(
    "A ticker tells all subscribers the same prices",
    documents=["RFC 6455 §1.1", "RFC 6455 §5.1"],
    evidence_for=["6455-5.1-data-any-time", "6455-4.2.2-open", "6455-6.1-transmit", "6455-6.1-fin"],
    needs="services",
)
def ticker_feed(peer: Peer, server: Server) -> None:
    """Prices are pushed as they change, numbered, to whoever has subscribed: nothing is asked, nothing is left out.

    One subscriber leaves, and the other goes on hearing.
    """
    feed = server.websocket("/ticker?every=0.01")
    one, other = peer.websocket(feed), peer.another().websocket(feed)
    one.open()
    one.hear(type="state")
    other.open()
    number = other.hear(type="state")["number"]

    prices = [other.hear(type="price", number=number + step) for step in range(1, 9)]
    while (price := one.hear(type="price"))["number"] <= number:
        pass  # from before the other came
    for expected in prices:
        peer.check(price == expected, "payload", str(expected), str(price), "both subscribers hear the same price")
        price = one.hear(type="price", number=expected["number"] + 1)

    one.leave(pushed=True)
    for step in range(9, 12):
        other.hear(type="price", number=number + step)
    other.leave(pushed=True)
