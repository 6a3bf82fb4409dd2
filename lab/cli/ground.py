"""Where to run: what the options say together, and what does not go together."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from lab.cli.options import TestbedName, wrong


@dataclass(frozen=True, slots=True)
class Ground:
    """Where to run, as the command line says it."""

    testbed: str
    options: dict[str, Any]
    """What the testbed's `open()` takes."""


def ground(ctx: typer.Context, testbed: TestbedName) -> Ground:
    """Read the testbed's options off a command's context, and refuse what does not go together.

    Raises UsageError (exit code 2).
    """
    given = ctx.params
    way = ("interface", "address", "gateway")
    own: dict[TestbedName, tuple[str, ...]] = {
        TestbedName.SANDBOX: ("served_by", "echoes"),
        TestbedName.HOST: (*way, "agent", "token", "token_file"),
        TestbedName.TARGET: (*way, "target", "allowed", "echoes"),
    }
    for name in dict.fromkeys(name for names in own.values() for name in names):
        # An environment variable may be set for another command, as in Compose; the command line means this one.
        if name not in own[testbed] and given.get(name) and _typed(ctx, name):
            others = " or ".join(other for other, names in own.items() if name in names)
            raise wrong(f"{_flag(name)} is for --testbed {others}, and this is {testbed}")
    needed = {TestbedName.HOST: ("interface", "agent"), TestbedName.TARGET: ("interface", "target")}
    if missing := [_flag(name) for name in needed.get(testbed, ()) if not given.get(name)]:
        raise wrong(f"--testbed {testbed} needs {' and '.join(missing)}")
    if testbed is TestbedName.SANDBOX:
        return Ground(str(testbed), _served_by(given.get("served_by"), echoes=bool(given.get("echoes"))))
    options: dict[str, Any] = {
        "interface": given["interface"],
        "spare": _by_family(given.get("address"), "--address"),
        "gateways": _by_family(given.get("gateway"), "--gateway"),
    }
    if testbed is TestbedName.HOST:
        control = host_and_port(given["agent"], "--agent")
        token = read_token(ctx)
        if not token:
            raise wrong("--testbed host needs the agent's token: LAB_TOKEN or --token-file")
        return Ground(str(testbed), {**options, "control": control, "token": token})
    from lab.testbed.place import place_of

    try:
        place = place_of(given["target"])
    except ValueError as error:
        raise wrong(f"--target: {error}") from None
    if given.get("echoes") and place.resource is None and _typed(ctx, "echoes"):
        raise wrong(f"--echo is for a WebSocket server: --target ws://{given['target']}/PATH")
    options |= {"host": place.host, "port": place.port, "allow_public": bool(given.get("allowed"))}
    return Ground(str(testbed), {**options, "resource": place.resource, "echoes": bool(given.get("echoes"))})


def _served_by(text: str | None, *, echoes: bool) -> dict[str, Any]:
    """What the sandbox takes for a server of the user's own. Raises UsageError."""
    if text is None:
        return {}
    name, _, function = text.rpartition(":")
    file = Path(name)
    if not function.isidentifier() or file.suffix != ".py":
        raise wrong(f"--served-by: {text} is not FILE:FUNCTION, such as stack.py:serve")
    if not file.is_file():
        raise wrong(f"--served-by: there is no file {name}")
    program = _is_program(file, function)
    folder = str(file.resolve().parent)
    return {"serve": f"{file.stem}:{function}", "path": [folder], "program": program, "echoes": echoes}


def _is_program(file: Path, function: str) -> bool | None:
    """Whether the function is an `async def`, a program on the kernel's TCP, or a plain one, a TCP stack.

    None where the file does not say: it may make the function when it is imported, which is not done here.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name == function]
    return isinstance(found[-1], ast.AsyncFunctionDef) if found else None


def _typed(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _flag(name: str) -> str:
    return {"allowed": "--i-may-test-this-target", "echoes": "--echo"}.get(name, "--" + name.replace("_", "-"))


def _by_family(texts: list[str] | None, flag: str) -> dict[str, str]:
    """Addresses by family, from as many as were given, one after the other or with commas between."""
    import ipaddress

    found: dict[str, str] = {}
    for text in (piece for entry in texts or () for piece in entry.replace(",", " ").split()):
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise wrong(f"{flag}: {text} is not an IPv4 or IPv6 address") from None
        family = f"ipv{address.version}"
        if family in found:
            raise wrong(f"{flag}: two for IPv{address.version}, where one is used")
        found[family] = str(address)
    return found


def host_and_port(text: str, flag: str, *, lowest: int = 1) -> tuple[str, int]:
    """HOST:PORT taken apart, an IPv6 address in brackets. Raises UsageError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not lowest <= int(port) <= 65535:
        raise wrong(f"{flag}: {text} is not HOST:PORT (such as 192.0.2.1:80 or [2001:db8::1]:80)")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise wrong(f"{flag}: write an IPv6 address in brackets: [{host}]:{port}")
    return host.strip("[]"), int(port)


def read_token(ctx: typer.Context) -> str | None:
    """The token, from the option that was typed, else from the environment; None where there is none.

    Raises UsageError.
    """
    text, file = ctx.params.get("token"), ctx.params.get("token_file")
    if text and file and _typed(ctx, "token") == _typed(ctx, "token_file"):
        raise wrong("give --token or --token-file, not both")
    if file and not (text and _typed(ctx, "token")):
        try:
            return str(file.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise wrong(f"--token-file: cannot read {file}: {reason}") from None
    return text or None
