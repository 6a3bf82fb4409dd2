"""The sandboxes' mother: one helper process that forks a server in namespaces of its own for every request.

A process of its own, started by exec, because only a single-threaded process may enter a user namespace, and because
forking one that has imported what a server needs takes a millisecond where starting Python takes fifty.

It listens on a SOCK_SEQPACKET socket. A request is one JSON object and, with SCM_RIGHTS, one end of the control
channel of the sandbox to be:

    {"serve": null | "module:function", "sysctls": {name: value}, "path": [extra sys.path], "websocket": bool}

The child answers on that channel: one line `{"ready": facts}` with two file descriptors (the packet socket in the
peer's namespace; a pidfd of the child), or `{"obstacle": {"step", "errno", "message"}}`. Then it is the server: the
agent, or what `function(channel, facts)` does. An `async def function(reader, writer)` is no server but a program: the
agent runs on a kernel as ever, and its WebSocket service is that function, called for each connection.

"websocket" tells that this service will be asked for: what it needs is imported here then, once for all sandboxes.

Nothing outlives anybody: the children die with the zygote (PR_SET_PDEATHSIG), the zygote with the lab (end of file on
its socket, or the lab's pidfd), the namespaces with the last process and socket in them.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from lab.server.agent import run_on
from lab.server.settings import kernel, read_settings
from lab.testbed import addresses, namespaces
from lab.testbed.rtnetlink import Route
from lab.wire.errors import LinkError
from lab.wire.link import packet_socket

LARGEST_REQUEST: Final = 1 << 17
"""Octets of a request."""
WITHIN: Final = 10.0
"""Seconds after which a veth pair that does not come up, or an address that does not settle, is an obstacle."""

END_WITHIN: Final = 3
"""Seconds that children have to end in when the lab goes."""

_WEBSOCKET: Final = "lab.server.websocket"

Facts = dict[str, Any]

# No kernel shall answer for the peer, nor for a server that is none.
_WITHOUT_IPV6: Final = {"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"}
# Where /proc/sys is read-only, as in a container, what can be had without these stands; `facts["settings"]` tells.
_SERVER: Final = {
    # IPv4's are the host's at first, whatever they are there: a host with Docker forwards.
    "net.ipv4.ip_forward": "0",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    # Repeated answers to segments out of the window, dropped without a word otherwise.
    "net.ipv4.tcp_invalid_ratelimit": "0",
    "net.ipv4.tcp_challenge_ack_limit": "2147483647",
    # What an earlier connection taught the kernel about the peer must not colour the next.
    "net.ipv4.tcp_no_metrics_save": "1",
    # Every kernel has reno, and it paces nothing (RFC 5681): bbr, a default here and there, sends data by timers.
    "net.ipv4.tcp_congestion_control": "reno",
}


class _Obstacle(Exception):
    """What the system forbade, and at which step."""

    def __init__(self, step: str, error: OSError) -> None:
        super().__init__(step)
        self.line = (
            json.dumps(
                {"obstacle": {"step": step, "errno": error.errno, "message": error.strerror or str(error)}},
            ).encode()
            + b"\n"
        )


class _step:
    """Names what is being done, for the message if the system forbids it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        if isinstance(error, LinkError):
            cause = error.__cause__
            error = OSError(cause.errno if isinstance(cause, OSError) else None, str(error))
        if isinstance(error, OSError):
            raise _Obstacle(self._name, error) from error


def main(control: socket.socket, lab: int) -> None:
    """Serve requests on `control` until the lab, the process with pid `lab`, is gone."""
    # Ctrl-C is for the lab, which then closes its sandboxes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children need no waiting for
    obstacle: _Obstacle | None = None
    try:
        if not namespaces.may_make_namespaces():
            with _step("user namespace"):
                namespaces.enter_user_namespace()
    except _Obstacle as found:
        obstacle = found
    gc.collect()
    gc.freeze()
    poll = select.poll()
    poll.register(control, select.POLLIN)
    with contextlib.suppress(OSError):
        poll.register(os.pidfd_open(lab), select.POLLIN)
    while os.getppid() == lab:
        if any(fd != control.fileno() for fd, _ in poll.poll()):
            break
        data, passed, _, _ = socket.recv_fds(control, LARGEST_REQUEST, 4, socket.MSG_CMSG_CLOEXEC)
        if not data:
            break
        if not passed:
            continue
        channel = socket.socket(fileno=passed[0])
        request = json.loads(data)
        if request["websocket"] and obstacle is None:
            _preload_websocket()
        for extra in passed[1:]:
            os.close(extra)
        if obstacle is not None:
            with contextlib.suppress(OSError):
                channel.sendall(obstacle.line)
        else:
            _fork(control, channel, request)
        channel.close()
    _end_children()


def _end_children() -> None:
    """End all children, and return when they have ended. The lab waits for that, to leave nothing behind."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    # Those that will not end are killed with this process, then (PR_SET_PDEATHSIG).
    signal.alarm(END_WITHIN)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()  # with SIGCHLD ignored it returns, by failing, when the last one has ended


def _preload_websocket() -> None:
    """Import what the WebSocket service needs, so that no child has to."""
    if _WEBSOCKET not in sys.modules:
        # Where it cannot be imported, the child that needs it says so.
        with contextlib.suppress(ImportError):
            importlib.import_module(_WEBSOCKET)
        gc.collect()
        gc.freeze()


def _fork(control: socket.socket, channel: socket.socket, request: dict[str, Any]) -> None:
    zygote = os.getpid()
    if os.fork():
        return
    code = 1
    try:
        namespaces.die_with(zygote)
        control.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _be_a_server(channel, request)
        code = 0
    except _Obstacle as obstacle:
        with contextlib.suppress(OSError):
            channel.sendall(obstacle.line)
    except BrokenPipeError:
        code = 0  # the lab no longer wants it
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(code)


def _be_a_server(channel: socket.socket, request: dict[str, Any]) -> None:
    sys.path[:0] = request["path"]
    serve = _function(request["serve"]) if request["serve"] else None
    program = serve if inspect.iscoroutinefunction(serve) else None
    raw = serve is not None and program is None
    packets, facts = _make(request["sysctls"], raw=raw)
    alive = os.pidfd_open(os.getpid())
    socket.send_fds(channel, [json.dumps({"ready": facts}).encode() + b"\n"], [packets.fileno(), alive])
    os.close(alive)
    # `packets` stays open here, unread: closing the last one of a packet socket takes the kernel some 10 ms, which this
    # process spends when it ends, not the lab.
    if serve is not None and program is None:
        serve(channel, facts)
    else:
        run_on(channel, facts["addresses"], websocket=program)


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except Exception as error:
        raise _Obstacle("serve function", OSError(0, f"{name}: {error!r}")) from error
    if not callable(found):
        raise _Obstacle("serve function", OSError(0, f"{name} is no function"))
    return found  # type: ignore[no-any-return]


def _make(sysctls: dict[str, str], *, raw: bool) -> tuple[socket.socket, Facts]:
    """Make both namespaces; returns the packet socket in the peer's, with this process in the server's."""
    with _step("network namespace"):
        namespaces.enter_network_namespace()
        server = namespaces.current_network_namespace()
        namespaces.write_settings({**_SERVER, **(_WITHOUT_IPV6 if raw else {})}, required=False)
        namespaces.enter_network_namespace()
        peer = namespaces.current_network_namespace()
        namespaces.write_settings(_WITHOUT_IPV6, required=False)
    with Route() as at_peer, at_peer.events() as events:
        with _step("veth pair"):
            at_peer.add_veth(
                addresses.PEER_INTERFACE,
                addresses.PEER_MAC,
                addresses.SERVER_INTERFACE,
                addresses.SERVER_MAC,
                server,
            )
            peer_index = socket.if_nametoindex(addresses.PEER_INTERFACE)
            namespaces.without_offloads(addresses.PEER_INTERFACE)
            at_peer.without_own_address(peer_index)
            at_peer.up(peer_index)
        with _step("server's side"):
            namespaces.return_to(server)
            given = _server_side(raw=raw)
        with _step("carrier"):
            at_peer.wait_running(peer_index, events, WITHIN)
    with _step("packet socket"):
        namespaces.return_to(peer)
        packets = packet_socket(addresses.PEER_INTERFACE)
        namespaces.return_to(server)
    os.close(peer)
    os.close(server)
    with _step("setting"):
        namespaces.write_settings(sysctls, required=True)
    return packets, {
        "interface": addresses.PEER_INTERFACE,
        "server_interface": addresses.SERVER_INTERFACE,
        "peer_mac": addresses.PEER_MAC.hex(":"),
        "server_mac": addresses.SERVER_MAC.hex(":"),
        "addresses": given,
        "peer_addresses": {family: addresses.PEER[family] if given[family] else None for family in given},
        "raw": raw,
        "pid": os.getpid(),
        "kernel": kernel(),
        "settings": read_settings(),
    }


def _server_side(*, raw: bool) -> dict[str, str | None]:
    """Set up the server's end; returns the addresses that it answers to (its kernel's, unless `raw`)."""
    namespaces.without_offloads(addresses.SERVER_INTERFACE)
    index = socket.if_nametoindex(addresses.SERVER_INTERFACE)
    given: dict[str, str | None] = {"ipv4": addresses.SERVER["ipv4"], "ipv6": addresses.SERVER["ipv6"]}
    with Route() as route, route.events() as events:
        route.up(socket.if_nametoindex("lo"))
        route.without_own_address(index)
        if not raw:
            if not os.path.exists("/proc/sys/net/ipv6"):  # noqa: PTH110 - pathlib is not needed here
                given["ipv6"] = None
            # An IPv6 address given while the interface resolves none joins no solicited-node group, so that the kernel
            # has no membership to report (MLD, RFC 3810) in the middle of a capture. A worker of the kernel does it.
            route.resolving(index, False)
            for family, address in given.items():
                if address is not None:
                    route.add_address(index, address, addresses.PREFIX[family])
            if given["ipv6"] is not None:
                route.wait_settled(index, given["ipv6"], events, WITHIN)
            route.resolving(index, True)
        route.up(index)
        route.wait_running(index, events, WITHIN)
        if not raw:
            for family, address in given.items():
                if address is not None:
                    route.add_neighbour(index, addresses.PEER[family], addresses.PEER_MAC)
    return given
