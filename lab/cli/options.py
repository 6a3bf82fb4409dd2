"""The options that several commands share, with their words in the help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class TestbedName(StrEnum):
    """Where a server runs."""

    __test__ = False  # for pytest, which takes it for a test

    SANDBOX = "sandbox"
    HOST = "host"
    TARGET = "target"


WHERE = "Where the server runs"
WHAT = "What is run"
REPORT = "What is reported"


def complete_name(incomplete: str) -> list[str]:
    """Scenario names and folders that begin so, read off the files' paths: nothing is imported for it."""
    from lab.scenario.catalogue import names

    try:
        known = names()
    except OSError:
        return []
    folders = sorted({name.rpartition("/")[0] for name in known if "/" in name})
    return [name for name in [*folders, *known] if name.startswith(incomplete)]


def complete_lesson(incomplete: str) -> list[str]:
    """Names of lessons that begin so."""
    from lab.explore.lessons import NAMES

    return [name for name in (*NAMES, "list") if name.startswith(incomplete)]


def complete_lang(incomplete: str) -> list[str]:
    """Languages of lessons that begin so."""
    from lab.explore.lessons import LANGUAGES

    return [language for language in LANGUAGES if language.startswith(incomplete)]


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME|GLOB|FILE|FOLDER]...",
        help="Scenarios to take: a name (handshake/three_segments), a folder (teardown), a glob ('*fin*'), or your own "
        "files. All of them when left out.",
        autocompletion=complete_name,
        show_default=False,
    ),
]
Name = Annotated[
    str,
    typer.Argument(help="The scenario's name, or the path of its file.", autocompletion=complete_name),
]
Testbed = Annotated[
    TestbedName,
    typer.Option(
        "--testbed",
        envvar="LAB_TESTBED",
        metavar="NAME",
        help="[b]sandbox[/]: a namespace of this machine. [b]host[/]: another host or container with `lab serve`. "
        "[b]target[/]: any TCP server, told nothing and asked nothing.",
        rich_help_panel=WHERE,
    ),
]
Interface = Annotated[
    str | None,
    typer.Option(
        envvar="LAB_INTERFACE",
        metavar="NAME",
        help="host, target: the network interface to use, such as eth0.",
        rich_help_panel=WHERE,
        show_default=False,
    ),
]
Addresses = Annotated[
    list[str] | None,
    typer.Option(
        "--address",
        envvar="LAB_ADDRESS",
        metavar="ADDRESS",
        help="host, target: a spare address of that network for the lab to play, one for each family. "
        "Found by asking the network when left out.",
        rich_help_panel=WHERE,
        show_default=False,
    ),
]
Agent = Annotated[
    str | None,
    typer.Option(
        envvar="LAB_AGENT",
        metavar="HOST:PORT",
        help="host: the control address of `lab serve`.",
        rich_help_panel=WHERE,
        show_default=False,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="LAB_TOKEN",
        metavar="TEXT",
        help="host: the agent's token. Others on this machine can see it in the list of processes: better use "
        "the environment variable or a file.",
        rich_help_panel=WHERE,
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="LAB_TOKEN_FILE",
        metavar="FILE",
        help="host: a file that holds the agent's token.",
        rich_help_panel=WHERE,
        show_default=False,
    ),
]
AgentToken = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="LAB_TOKEN",
        metavar="TEXT",
        help="The token that the agent obeys. Others on this machine can see it in the list of processes: better use "
        "the environment variable or a file.",
        show_default=False,
    ),
]
AgentTokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file", envvar="LAB_TOKEN_FILE", metavar="FILE", help="A file that holds it.", show_default=False
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        envvar="LAB_TARGET",
        metavar="HOST:PORT",
        help="target: the server to test; ws://HOST:PORT/PATH for a WebSocket server.",
        rich_help_panel=WHERE,
        show_default=False,
    ),
]
Echoes = Annotated[
    bool,
    typer.Option(
        "--echo",
        envvar="LAB_ECHO",
        help="target, --served-by: this WebSocket server sends each message back, so play the stories that need it. "
        "`lab explore` holds it to that: a message that does not come back as it was sent is a violation.",
        rich_help_panel=WHERE,
    ),
]
Gateways = Annotated[
    list[str] | None,
    typer.Option(
        "--gateway",
        envvar="LAB_GATEWAY",
        metavar="ADDRESS",
        help="host, target: the router to send through where the server is not on the same link, one for each family.",
        rich_help_panel=WHERE,
        show_default=False,
    ),
]
ServedBy = Annotated[
    str | None,
    typer.Option(
        "--served-by",
        metavar="FILE:FUNCTION",
        help="sandbox: a server of your own, in the Python FILE. [b]def[/] FUNCTION(channel, facts) is a TCP stack, in "
        "place of this machine's kernel: it speaks raw frames on its interface and the agent's protocol on the "
        "channel. [b]async def[/] FUNCTION(reader, writer) is a WebSocket server on this machine's kernel, called for "
        "each connection with asyncio's streams.",
        rich_help_panel=WHERE,
        show_default=False,
    ),
]
Services = Annotated[
    list[str] | None,
    typer.Option(
        "--service",
        metavar="NAME=PORT",
        help="Offer this service on this port; 0 lets the kernel choose. Services: echo (7007), discard (7009), "
        "half-close (7010: goes on sending after the client's FIN), close-first (7011: greets, and closes first), "
        "websocket (7080: the resources below). All of them on these ports when left out.",
        show_default=False,
    ),
]
Allowed = Annotated[
    bool,
    typer.Option(
        "--i-may-test-this-target",
        help="target: I have the right to test a server with a public address. Without this it is refused.",
        rich_help_panel=WHERE,
    ),
]
Ipv4 = Annotated[bool, typer.Option("--ipv4", "-4", help="Over IPv4 only. Both by default.", rich_help_panel=WHAT)]
Ipv6 = Annotated[bool, typer.Option("--ipv6", "-6", help="Over IPv6 only. Both by default.", rich_help_panel=WHAT)]
Seed = Annotated[
    int | None,
    typer.Option(
        envvar="LAB_SEED",
        min=0,
        metavar="NUMBER",
        help="Repeat the choices of an earlier run (initial numbers, ports): its report tells the seed.",
        rich_help_panel=WHAT,
        show_default=False,
    ),
]
Lesson = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Be led step by step: three-way, why-not-two, four-way, why-not-three, half-close, websocket or layers; "
        "list says what each is about.",
        autocompletion=complete_lesson,
        show_default=False,
    ),
]
Lang = Annotated[
    str | None,
    typer.Option(
        metavar="en|zh",
        help="The lesson's language: English or Chinese. Otherwise that of LC_ALL, LC_MESSAGES or LANG.",
        autocompletion=complete_lang,
        show_default=False,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output, nothing else.", rich_help_panel=REPORT)
]


def path_of(text: str | Path) -> Path:
    """A path as it was typed. Raises UsageError where it is empty: "the current folder" is seldom meant by that."""
    if not str(text):
        raise wrong("a path is empty: name a file or folder ('.' for the current one)")
    return Path(text)


Out = Annotated[
    Path,
    typer.Option(
        parser=path_of,
        envvar="LAB_OUT",
        metavar="FOLDER",
        help="Where the captures go: a pcapng for each run, every packet with a comment.",
        rich_help_panel=REPORT,
    ),
]


def websocket_help() -> str:
    """The resources of `lab serve`'s WebSocket service, as the help shows them below the options."""
    from lab.server.sites.pages import EVERYWHERE, PAGES, Parameter

    def told(parameters: tuple[Parameter, ...]) -> str:
        return ", ".join(f"[b]{each.shown}[/] {each.text}" for each in parameters)

    lines = ["WebSocket, such as ws://localhost:7080/echo (messages in JSON, but for /echo; no compression):"]
    for page in PAGES:
        sent = f" Takes {', '.join(page.sent)}." if page.sent else ""
        query = f" Query: {told(page.parameters)}." if page.parameters else ""
        origin = f" Its own is {page.origin}." if page.origin else ""
        lines.append(f"  [b]{page.shown}[/]  {page.text}.{origin}{sent}{query}")
    lines.append(f"Query of each: {told(EVERYWHERE)}.")
    lines.append(
        "A subscriber that does not read is dropped with a RST when more than its backlog waits beside what the kernel "
        "holds for it, and delays nobody; /echo holds back instead, and reads no more. A message of more than 1 MiB is "
        "refused with 1009, a binary one where text is taken with 1003."
    )
    return "\n\n".join(lines)


def families(ipv4: bool, ipv6: bool) -> tuple[str, ...]:
    """The address families to run over: those asked for, both when none was."""
    chosen = tuple(name for name, asked in (("ipv4", ipv4), ("ipv6", ipv6)) if asked)
    return chosen or ("ipv4", "ipv6")


def services(texts: list[str]) -> dict[str, int] | None:
    """NAME=PORT taken apart; None where none was given. Raises UsageError."""
    from lab.server.services import NAMES

    found: dict[str, int] = {}
    for text in texts:
        name, _, port = text.partition("=")
        if not name or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise wrong(f"--service: {text} is not NAME=PORT (such as echo=7007)")
        if name not in NAMES:
            raise wrong(f"--service: there is no service {name}: there are {', '.join(NAMES)}")
        found[name] = int(port)
    return found or None


def wrong(sentence: str) -> Exception:
    """A UsageError (exit code 2), imported only now: `lab --help` goes without it."""
    from lab.scenario.errors import UsageError

    return UsageError(sentence)
