from lab.scenario import Peer, Server, scenario


@scenario(
    "Connection must say Upgrade",
    documents=["RFC 6455 §4.2.1", "RFC 9110 §7.8"],
    evidence_for=["6455-4.2.1-connection", "6455-4.1-req-connection"],
    needs="websocket",
)
def connection_without_upgrade(peer: Peer, server: Server) -> None:
    """An Upgrade field that Connection does not name was not meant for this server: some proxy let it through.

    To HTTP it is then not there, so that a page may be the answer. A 101 never is.
    """
    site = server.websocket()
    for number, options in enumerate(([], ["keep-alive"], ["close"])):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(without=["Connection"], extra=[("Connection", option) for option in options]))
        ws.expect_refused(plain=True)
