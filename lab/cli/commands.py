"""The commands and their words. What they do is done elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab import __version__
from lab.cli import options as o
from lab.cli import uninterrupted
from lab.cli.ends import LabGroup
from lab.cli.ground import ground, host_and_port, read_token

app = typer.Typer(
    cls=LabGroup,
    name="lab",
    help="Open and close TCP connections by hand, on a real wire, and prove what came back.",
    epilog="Start with [b]lab run[/]: it plays every scenario against this machine's own kernel, in a namespace of its "
    "own, as root or not. Where that fails, [b]lab doctor[/] says why and how to mend it.\n\n"
    "Exit codes: 0 no violation, 1 a violation, 2 wrong usage, 3 something could not be "
    "concluded, or nothing run; 130 interrupted.",
    rich_markup_mode="rich",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _examples(*lines: str) -> str:
    return "Examples:\n\n" + "\n\n".join(
        f"  [b]{command}[/]  {words}" for command, words in (x.split("  ", 1) for x in lines)
    )


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"lab {__version__}")
        raise typer.Exit


@app.callback()
def lab(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """See the help of `app`."""


@app.command(
    epilog=_examples(
        "lab run  everything, in the sandbox",
        "lab run teardown --ipv6 --verbose  one folder, with every ladder",
        "lab run my_story.py --fail-fast  a story of your own",
        "lab run --json | jq .summary  for a program",
        "lab run --junit lab.xml  for a CI service",
        "lab run --testbed target --interface eth0 --target 192.0.2.7:80  another server",
        "lab run websocket --testbed target --interface eth0 --target ws://192.0.2.7/chat  a WebSocket server",
    )
)
def run(
    ctx: typer.Context,
    names: o.Names = None,
    testbed: o.Testbed = o.TestbedName.SANDBOX,
    interface: o.Interface = None,
    address: o.Addresses = None,
    agent: o.Agent = None,
    token: o.Token = None,
    token_file: o.TokenFile = None,
    target: o.Target = None,
    gateway: o.Gateways = None,
    allowed: o.Allowed = False,
    served_by: o.ServedBy = None,
    echoes: o.Echoes = False,
    ipv4: o.Ipv4 = False,
    ipv6: o.Ipv6 = False,
    slow: Annotated[
        bool | None,
        typer.Option(
            "--slow/--no-slow",
            help="With or without the scenarios that wait for long timers (a minute or more). By default a slow one is "
            "run only when it is named.",
            rich_help_panel=o.WHAT,
            show_default=False,
        ),
    ] = None,
    seed: o.Seed = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            envvar="LAB_JOBS",
            min=1,
            metavar="NUMBER",
            help="How many runs at once, each in a sandbox of its own. Chosen for this machine when left out.",
            rich_help_panel=o.WHAT,
            show_default=False,
        ),
    ] = None,
    fail_fast: Annotated[
        bool,
        typer.Option("--fail-fast", "-x", help="Stop at the first violation.", rich_help_panel=o.WHAT),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="The ladder of every run, also of those that conform; with --json, every packet.",
            rich_help_panel=o.REPORT,
        ),
    ] = False,
    as_json: o.Json = False,
    junit: Annotated[
        Path | None,
        typer.Option(
            parser=o.path_of,
            metavar="FILE",
            help="JUnit XML for a CI service: violates is a failure, inconclusive an error, cannot run is skipped; "
            "permitted and deviates pass.",
            rich_help_panel=o.REPORT,
            show_default=False,
        ),
    ] = None,
    out: o.Out = Path("lab-out"),
) -> None:
    """Run scenarios and judge what the server did.

    Each is played in a connection of its own, over IPv4 and IPv6, and judged by three witnesses: the wire, the server
    kernel's own socket state, and a model of RFC 9293.
    """
    where = ground(ctx, testbed)
    with uninterrupted():
        from lab.cli.running import Order, run_and_report

    order = Order(
        names=tuple(names or ()),
        ground=where,
        families=o.families(ipv4, ipv6),
        slow=slow,
        seed=seed,
        jobs=jobs,
        fail_fast=fail_fast,
        verbose=verbose,
        as_json=as_json,
        junit=junit,
        out=out,
    )
    raise typer.Exit(run_and_report(order))


@app.command("list", epilog=_examples("lab list teardown  one folder", "lab list --json  for a program"))
def list_(names: o.Names = None, as_json: o.Json = False) -> None:
    """List the scenarios: name, title, the documents they rest on, whether they are slow."""
    from lab.cli.stories import list_scenarios

    list_scenarios(names or [], as_json=as_json)


@app.command(
    epilog=_examples(
        "lab show handshake/three_segments  the story, and the ladder of a run made now",
        "lab show simultaneous_close --no-run  the story alone",
        "lab show teardown/client_first --step  the run entry by entry: Enter, b for back, ? for the other keys",
        "lab show lost_ack_in_last_ack --speed 0.5  the run half as fast as it happened",
    )
)
def show(
    ctx: typer.Context,
    name: o.Name,
    testbed: o.Testbed = o.TestbedName.SANDBOX,
    interface: o.Interface = None,
    address: o.Addresses = None,
    agent: o.Agent = None,
    token: o.Token = None,
    token_file: o.TokenFile = None,
    target: o.Target = None,
    gateway: o.Gateways = None,
    allowed: o.Allowed = False,
    served_by: o.ServedBy = None,
    echoes: o.Echoes = False,
    ipv6: Annotated[bool, typer.Option("--ipv6", "-6", help="Over IPv6 instead of IPv4.")] = False,
    seed: o.Seed = None,
    run: Annotated[bool, typer.Option("--run/--no-run", help="Run it now and draw its ladder.")] = True,
    frames: Annotated[
        bool, typer.Option("--frames", help="With the frames that are not TCP: ARP, IPv6 neighbours.")
    ] = False,
    step: Annotated[
        bool,
        typer.Option(
            "--step",
            help="Show the run entry by entry, as `lab explore` shows its steps, and wait for a key before each: Enter "
            "forward, b back, ? for the others.",
        ),
    ] = False,
    speed: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Show the run entry by entry at this pace: 1 as it happened, 0.1 ten times slower, 10 ten times "
            "faster.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Tell one scenario: its text, its documents, its script, and the ladder of a run made now.

    With --step or --speed the run is shown entry by entry: the line of the script that caused it, the ladder, both
    ends' variables, what the witnesses say, and what was legal next. It is played at full speed all the same, recorded,
    and shown a moment later: while a run waited for its reader, the server's timers would go on running.
    """
    where = ground(ctx, testbed)
    with uninterrupted():
        from lab.cli.pace import Pace
        from lab.cli.stories import show_scenario

    family = "ipv6" if ipv6 else "ipv4"
    pace = Pace(step=step, speed=speed)
    raise typer.Exit(show_scenario(name, ground=where, family=family, seed=seed, run_now=run, frames=frames, pace=pace))


@app.command(
    epilog=_examples(
        "lab explore  at a prompt, in the sandbox: syn, ack, data, fin …; `help` lists the commands",
        "lab explore --script opening.txt  a command a line; so does lab explore < opening.txt",
        "lab explore --lesson three-way  led step by step; --lang zh in Chinese, --lesson list names the others",
        "lab explore --testbed target --interface eth0 --target 192.0.2.7:80  another server",
    )
)
def explore(
    ctx: typer.Context,
    testbed: o.Testbed = o.TestbedName.SANDBOX,
    interface: o.Interface = None,
    address: o.Addresses = None,
    agent: o.Agent = None,
    token: o.Token = None,
    token_file: o.TokenFile = None,
    target: o.Target = None,
    gateway: o.Gateways = None,
    allowed: o.Allowed = False,
    served_by: o.ServedBy = None,
    echoes: o.Echoes = False,
    ipv6: Annotated[bool, typer.Option("--ipv6", "-6", help="Over IPv6 instead of IPv4.")] = False,
    seed: o.Seed = None,
    script: Annotated[
        Path | None,
        typer.Option(
            "--script",
            parser=o.path_of,
            metavar="FILE",
            help="Commands from a file, one a line, # for comments; - is standard input, which is also read where it "
            "is no terminal.",
            show_default=False,
        ),
    ] = None,
    brief: Annotated[
        bool, typer.Option("--brief", "-b", help="Below each step the ladder alone: no variables, no next moves.")
    ] = False,
    lesson: o.Lesson = None,
    lang: o.Lang = None,
    as_json: o.Json = False,
    out: o.Out = Path("lab-out"),
) -> None:
    """Play one end of a connection by hand, one segment at a time, and be told what is true.

    After each step: the ladder, both ends' variables, what the kernel's socket says, whether wire, socket and model
    agree, and what is legal next. Ends with the verdict on all that was seen, and its exit code.

    With --lesson somebody leads: 0 means that the lesson was finished too, 3 that it was not.
    """
    where = ground(ctx, testbed)
    with uninterrupted():
        from lab.cli.exploring import Wanted
        from lab.cli.exploring import explore as play

    family = "ipv6" if ipv6 else "ipv4"
    wanted = Wanted(
        where, family, seed=seed, script=script, brief=brief, as_json=as_json, out=out, lesson=lesson, lang=lang
    )
    raise typer.Exit(play(wanted))


@app.command()
def doctor(as_json: o.Json = False) -> None:
    """Say what this machine allows, and for what is missing, what that costs and the command that mends it.

    Ends with 0 where `lab run` works as it is, with 3 where it does not.
    """
    from lab.doctor import main

    raise typer.Exit(main(as_json=as_json))


@app.command(
    epilog=_examples(
        "lab serve  the services alone",
        "lab serve --service echo=7 --service discard=9  on ports of your choice, and no others",
        "LAB_TOKEN=… lab serve --control 0.0.0.0:7000  with an agent for lab run --testbed host",
    )
    + "\n\n"
    + o.websocket_help()
)
def serve(
    ctx: typer.Context,
    service: o.Services = None,
    control: Annotated[
        str | None,
        typer.Option(
            envvar="LAB_CONTROL",
            metavar="HOST:PORT",
            help="Where the agent listens, which does the socket calls that lab run --testbed host tells it to. It "
            "needs a token. There is no agent when left out.",
            show_default=False,
        ),
    ] = None,
    token: o.AgentToken = None,
    token_file: o.AgentTokenFile = None,
) -> None:
    """Run the test server by itself, over IPv4 and IPv6, until it is interrupted."""
    from lab.cli.serving import serve_until_interrupted

    where = host_and_port(control, "--control", lowest=0) if control else None
    known = read_token(ctx)
    if where and not known:
        raise o.wrong("--control needs the token that the agent obeys: LAB_TOKEN or --token-file")
    serve_until_interrupted(o.services(service or []), control=where, token=known)


@app.command(
    epilog=_examples(
        "lab bench  all ways, in turns, in about half a minute",
        "lab bench --seconds 5 --rounds 9  for figures to quote, on a machine that does nothing else",
        "lab bench --json | jq .ratios  for a program",
    )
)
def bench(
    ipv6: Annotated[bool, typer.Option("--ipv6", "-6", help="Over IPv6 instead of IPv4.")] = False,
    seconds: Annotated[
        float, typer.Option(min=0.01, max=3600, metavar="NUMBER", help="How long a turn of each way lasts.")
    ] = 0.5,
    rounds: Annotated[
        int, typer.Option(min=1, max=10000, metavar="NUMBER", help="How many turns each has; the median counts.")
    ] = 5,
    as_json: o.Json = False,
) -> None:
    """Measure how many whole connections a second are opened, closed and verified, and how many messages a WebSocket
    carries.

    Connections four ways, in turns, against the same kernel in the same sandbox: a scenario, the fast path, Scapy's
    sr1(), and the kernel's own connect() and close(). Messages two ways, against the same server: the hand-made TCP,
    and the websockets library's client. What the server did not count as well does not count.
    """
    from lab.bench.told import measure_and_report
    from lab.cli.ends import end_on_sigterm

    end_on_sigterm()
    measure_and_report("ipv6" if ipv6 else "ipv4", seconds=seconds, rounds=rounds, as_json=as_json)


@app.command(
    epilog=_examples(
        "lab layers lab-out/layers/masked_frame-ipv4.pcapng  a line for each packet of a capture",
        "lab layers layers/masked_frame --packet -2  a scenario run now, its last packet but one octet by octet",
        "lab layers trace.pcap --json | jq '.packets[0].layers'  for a program",
    )
)
def layers(
    what: Annotated[
        str,
        typer.Argument(
            metavar="CAPTURE|SCENARIO",
            help="A pcap or pcapng file of Ethernet frames, or a scenario, which is run now in a sandbox.",
            autocompletion=o.complete_name,
        ),
    ],
    packet: Annotated[
        list[int] | None,
        typer.Option(
            "--packet",
            "-p",
            metavar="N",
            help="This packet as a page: both models, every field, every octet. -1 is the last. May be given often.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", "-a", help="Every packet as a page.")] = False,
    ipv6: Annotated[bool, typer.Option("--ipv6", "-6", help="Run the scenario over IPv6 instead of IPv4.")] = False,
    seed: o.Seed = None,
    as_json: o.Json = False,
) -> None:
    """Show packets by their layers: OSI's seven beside TCP/IP's four, and which octets belong to which header.

    Every octet belongs to exactly one. Where a model has a name and no header, it says so.
    """
    with uninterrupted():
        from lab.cli.layers import Asked, show_layers

    family = "ipv6" if ipv6 else "ipv4"
    asked = Asked(what, tuple(packet or ()), every=every, as_json=as_json, family=family, seed=seed)
    raise typer.Exit(show_layers(asked))


@app.command(
    epilog=_examples(
        "lab ladder three_segments  a scenario run now",
        "lab ladder trace.pcapng --connection B --width 100  one connection of a capture",
        "lab ladder client_first --svg > four.svg  a picture, readable in light and dark; --to-scale for its time",
        "lab ladder client_first --mermaid >> NOTES.md  a diagram that GitHub draws",
    )
)
def ladder(
    what: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO|CAPTURE",
            help="A scenario, which is run now in a sandbox, or a pcap or pcapng file of Ethernet frames.",
            autocompletion=o.complete_name,
        ),
    ],
    text: Annotated[bool, typer.Option("--text", help="As text: this is the default.")] = False,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="As a Mermaid sequence diagram, in a block of Markdown.")
    ] = False,
    svg: Annotated[bool, typer.Option("--svg", help="As an SVG picture.")] = False,
    to_scale: Annotated[
        bool,
        typer.Option("--to-scale", help="With --svg: heights in proportion to time; long pauses are broken."),
    ] = False,
    connection: Annotated[
        str,
        typer.Option("--connection", metavar="NAME", help="Only this one: A, B, … All by default.", show_default=False),
    ] = "",
    frames: Annotated[bool, typer.Option("--frames", help="With the frames that are not TCP.")] = False,
    width: Annotated[
        int | None,
        typer.Option(min=60, max=120, metavar="NUMBER", help="Columns of the text; the terminal's, 80 in a pipe."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            parser=o.path_of,
            metavar="FILE",
            help="Write it there, not to standard output; FILE.mmd gets a Mermaid diagram without Markdown's fence.",
            show_default=False,
        ),
    ] = None,
    ipv6: Annotated[bool, typer.Option("--ipv6", "-6", help="Run the scenario over IPv6 instead of IPv4.")] = False,
    seed: o.Seed = None,
) -> None:
    """Draw a ladder: two lifelines, an arrow for each packet, both ends' states. A scenario is run now; a capture is
    told again, both ends followed by the model of RFC 9293.

    Ends as the scenario's run does; with 0 for a capture, 3 where it is damaged.
    """
    forms = [name for name, said in (("text", text), ("mermaid", mermaid), ("svg", svg)) if said]
    if len(forms) > 1:
        raise o.wrong(f"--{' and --'.join(forms)}: say one of them")
    with uninterrupted():
        from lab.cli.ladder import Asked, show_ladder

    asked = Asked(
        what,
        form="".join(forms) or "text",
        scaled=to_scale,
        connection=connection,
        frames=frames,
        width=width,
        out=out,
        family="ipv6" if ipv6 else "ipv4",
        seed=seed,
    )
    raise typer.Exit(show_ladder(asked))
