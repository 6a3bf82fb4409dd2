from lab.scenario import Peer, Server, scenario


@scenario(
    "A Close is answered with the same code",
    documents=["RFC 6455 §5.5.1", "RFC 6455 §7.4"],
    evidence_for=[
        "6455-5.5.1-respond", "6455-5.5.1-echo", "6455-5.5.1-soon", "6455-5.5.1-tcp-close", "6455-7.1.2-both",
        "6455-7.4.2-ranges", "6455-7.4-reason",
    ],
    needs="websocket",
)  # fmt: skip
def answered_with_the_same_code(peer: Peer, server: Server) -> None:
    """Who receives a Close and has sent none answers with one, typically with the code that it was given.

    1000 says that the work is done, 1001 that this end goes away; 3000 to 3999 belong to libraries, 4000 to 4999 to
    the two programs. After both Close frames the server closes TCP.
    """
    site = server.websocket()
    for code in (1000, 1001, 1003, 1011, 3000, 3999, 4000, 4999):
        ws = peer.another().websocket(site)
        ws.open()
        ws.close(code)
        ws.expect_close_echoed(code)
        ws.expect_end()
