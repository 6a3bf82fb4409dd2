from lab.scenario import Peer, Server, scenario


@scenario(
    "A request has one Host",
    documents=["RFC 6455 §4.2.1", "RFC 9112 §3.2"],
    evidence_for=["6455-4.2.1-host", "6455-4.1-req-host", "6455-4.2.1-stop"],
    needs="websocket",
)
def host_missing_or_twice(peer: Peer, server: Server) -> None:
    """Without Host, or with two, nobody can say which server is meant: HTTP and RFC 6455 both refuse it."""
    site = server.websocket()
    for number, hosts in enumerate(([], [site.authority, site.authority], [site.authority, "elsewhere.example"])):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(without=["Host"], extra=[("Host", host) for host in hosts]))
        ws.expect_refused()
