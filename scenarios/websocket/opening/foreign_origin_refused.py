from lab.scenario import Peer, Server, scenario


@scenario(
    "A page from elsewhere is refused",
    documents=["RFC 6455 §4.2.2", "RFC 6455 §10.2"],
    evidence_for=[
        "6455-4.2.2-origin",
        "6455-4.2.2-origin-use",
        "6455-10.2-verify",
        "6455-10.2-403",
        "6455-4.1-req-origin",
        "6455-4.2.1-origin-absent",
    ],
    needs="services",
)
def foreign_origin_refused(peer: Peer, server: Server) -> None:
    """A browser says whose page wants the connection, and no script in the page can change it. A server meant for one
    site refuses all others with 403.

    `/members` takes pages of http://lab.example alone. A request without an Origin is no browser's, which alone the
    field protects: nothing keeps other programs from writing what they like into it.
    """
    site = server.websocket("/members")
    for number, (origin, welcome) in enumerate(
        (
            ("http://elsewhere.example", False),
            ("http://lab.example.elsewhere.example", False),
            ("https://lab.example", False),
            ("null", False),
            ("http://lab.example", True),
            (None, True),
        )
    ):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(extra=[("Origin", origin)] if origin else []))
        if welcome:
            ws.expect_response(101)
            ws.leave()
        else:
            ws.expect_refused(403)
            ws.expect_end()
