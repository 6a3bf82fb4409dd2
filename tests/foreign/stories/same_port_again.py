from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import pong


@scenario("The same ports once more", documents=["RFC 9293 §3.5.1 figure 10"], needs="websocket")
def same_port_again(peer: Peer, server: Server) -> None:
    """The server closed first and is in TIME-WAIT; another connection, as of another run, has its ports and numbers."""
    site = server.websocket()
    first = peer.websocket(site)
    first.open()
    first.leave()

    del peer.bench.connections[peer.connection.peer_port]
    again = peer.another(port=peer.connection.peer_port)
    again.connection.iss = peer.connection.iss
    ws = again.websocket(site)
    ws.open()
    ws.ping(b"afresh")
    ws.expect(pong(b"afresh"))
    ws.leave()
