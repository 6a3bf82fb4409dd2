"""`lab serve`: the test server in the foreground."""

from __future__ import annotations

from collections.abc import Mapping

from lab.report.terminal import Screen
from lab.server.serve import Serving, serve
from lab.server.services import PORTS


def serve_until_interrupted(
    ports: Mapping[str, int] | None, *, control: tuple[str, int] | None, token: str | None
) -> None:
    """Serve on `ports` (None: every service on its usual port), saying where. Raises ServeError."""
    screen = Screen()

    def ready(serving: Serving) -> None:
        for name, port in serving.services.items():
            more = f"   ws://localhost:{port}/echo; `lab serve --help` tells the other paths" * (name == "websocket")
            screen.show([[(f"{name:12}", "server"), (f"port {port}", ""), (more, "dim")]])
        if serving.control is not None:
            host, port = serving.control
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            screen.show([[(f"{'agent':12}", "peer"), (where, "")]])
        screen.show([[("serving on every address of this machine until Ctrl-C", "dim")]])
        screen.console.file.flush()

    serve(PORTS if ports is None else ports, control=control, token=token, on_ready=ready)
