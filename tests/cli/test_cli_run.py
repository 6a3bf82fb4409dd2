"""`lab run`: what it runs, what it says, how it ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.cli.ends import Ended
from lab.scenario.record import Verdict
from lab.testbed.errors import CannotRun
from lab.wire.pcapng import read_pcapng


def names(runner) -> list[str]:
    return [s.name for s in runner.plans[0].scenarios]


def test_everything_fast_over_both_families_by_default(lab, runner) -> None:
    done = lab("run")
    assert done.exit_code == 0
    assert names(runner) == ["handshake/first", "handshake/open_ended"]
    plan = runner.plans[0]
    assert (plan.families, plan.testbed, plan.jobs, plan.fail_fast) == (("ipv4", "ipv6"), "sandbox", None, False)
    assert "2 scenarios, 4 runs in 500 ms: 4 conform" in done.stdout
    assert "1 slow scenario (up to 61.0 s) left out: --slow runs them too" in done.stdout
    assert f"seed {plan.seed}" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--slow"], ["handshake/first", "handshake/open_ended", "teardown/long"]),
        (["teardown/long"], ["teardown/long"]),
        (["long"], ["teardown/long"]),
        (["handshake", "long"], ["handshake/first", "handshake/open_ended", "teardown/long"]),
        (["*first*"], ["handshake/first"]),
    ],
)
def test_what_is_named_is_run(words: list[str], expected: list[str], lab, runner) -> None:
    assert lab("run", *words).exit_code == 0
    assert names(runner) == expected


def test_a_slow_file_named_itself_is_run(lab, runner, home: Path) -> None:
    assert lab("run", str(home / "teardown/long.py")).exit_code == 0
    assert names(runner) == ["teardown/long"]


@pytest.mark.parametrize("words", [["teardown"], ["teardown/*"], ["long", "--no-slow"]])
def test_nothing_left_to_run_is_wrong_usage(words: list[str], lab, runner) -> None:
    done = lab("run", *words)
    assert done.exit_code == 2
    assert done.stderr == "lab: nothing to run: 1 slow scenario (up to 61.0 s) left out: --slow runs them too\n"
    assert runner.plans == []


@pytest.mark.parametrize(
    ("flags", "families"),
    [
        (["--ipv4"], ("ipv4",)),
        (["-6"], ("ipv6",)),
        (["--ipv4", "--ipv6"], ("ipv4", "ipv6")),
    ],
)
def test_families(flags: list[str], families: tuple[str, ...], lab, runner) -> None:
    lab("run", *flags)
    assert runner.plans[0].families == families


def test_options_reach_the_plan(lab, runner) -> None:
    lab("run", "--seed", "7", "--jobs", "3", "--fail-fast")
    plan = runner.plans[0]
    assert (plan.seed, plan.jobs, plan.fail_fast) == (7, 3, True)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ({}, 0),
        ({"handshake/first": Verdict.PERMITTED, "handshake/open_ended": Verdict.DEVIATES}, 0),
        ({"handshake/first": Verdict.VIOLATES}, 1),
        ({"handshake/first": Verdict.VIOLATES, "handshake/open_ended": Verdict.CANNOT_RUN}, 1),
        ({"handshake/first": Verdict.INCONCLUSIVE}, 3),
        ({"handshake/first": Verdict.CANNOT_RUN}, 0),
        ({"handshake/first": Verdict.INCONCLUSIVE, "handshake/open_ended": Verdict.CANNOT_RUN}, 3),
    ],
)
def test_exit_codes(verdicts: dict[str, Verdict], code: int, lab, runner) -> None:
    runner.verdicts = verdicts
    assert lab("run").exit_code == code
    assert lab("run", "--json").exit_code == code


def test_json_is_one_document_and_nothing_else(lab, runner) -> None:
    runner.verdicts = {"handshake/first": Verdict.VIOLATES}
    done = lab("run", "--json", "--seed", "5")
    told = json.loads(done.stdout)
    assert told["seed"] == 5
    assert [(s["name"], s["family"], s["verdict"]) for s in told["scenarios"]] == [
        ("handshake/first", "ipv4", "violates"),
        ("handshake/first", "ipv6", "violates"),
        ("handshake/open_ended", "ipv4", "conforms"),
        ("handshake/open_ended", "ipv6", "conforms"),
    ]
    assert told["scenarios"][0]["capture"] == "lab-out/handshake/first-ipv4.pcapng"
    assert "interrupted" not in told


def test_every_run_leaves_a_capture(lab, runner) -> None:
    lab("run", "--out", "there/captures")
    found = sorted(str(p) for p in Path("there").rglob("*") if p.is_file())
    assert found == [f"there/captures/handshake/{n}-ipv{v}.pcapng" for n in ("first", "open_ended") for v in (4, 6)]
    assert len(list(read_pcapng(found[0]))) == 1


def test_junit_is_written(lab, runner) -> None:
    runner.verdicts = {"handshake/first": Verdict.VIOLATES}
    done = lab("run", "--junit", "reports/lab.xml")
    assert done.exit_code == 1
    assert "JUnit in reports/lab.xml" in done.stdout
    assert ElementTree.parse("reports/lab.xml").getroot().get("failures") == "2"


def test_verbose_draws_what_conforms_too(lab, runner) -> None:
    assert "handshake/first over IPv4" not in lab("run").stdout
    assert "handshake/first over IPv4" in lab("run", "--verbose").stdout


def test_an_interrupted_run_tells_what_was_done(lab, runner) -> None:
    runner.raises, runner.after = KeyboardInterrupt(), 3
    done = lab("run")
    assert done.exit_code == 130
    assert "interrupted: 3 of 4 runs done" in done.stdout
    assert "3 conform" in done.stdout
    assert done.stderr == "lab: interrupted\n"


@pytest.mark.parametrize("option", ["--out", "--junit"])
def test_an_empty_path_is_wrong_usage(option: str, lab, runner) -> None:
    done = lab("run", option, "")
    assert (done.exit_code, runner.plans) == (2, [])
    assert done.stderr == "lab: a path is empty: name a file or folder ('.' for the current one)\n"


def test_an_error_cannot_steer_the_terminal(lab, runner) -> None:
    done = lab("run", "no\x1b[31m\nsuch")
    assert done.exit_code == 2
    assert done.stderr.startswith("lab: no scenario, file or folder is called no␛[31m␊such: ")


def test_an_interrupted_run_says_so_in_json(lab, runner) -> None:
    runner.raises, runner.after = KeyboardInterrupt(), 1
    done = lab("run", "--json")
    assert (done.exit_code, json.loads(done.stdout)["interrupted"]) == (130, True)


def test_sigterm_ends_a_run_as_ctrl_c_does(lab, runner) -> None:
    runner.raises, runner.after = Ended(signal.SIGTERM), 1
    done = lab("run")
    assert done.exit_code == 143
    assert done.stderr == "lab: ended by SIGTERM\n"


def test_what_cannot_run_is_one_sentence(lab, runner) -> None:
    runner.raises = CannotRun("This system forbids namespaces.", "Try sudo.")
    done = lab("run")
    assert done.exit_code == 3
    assert done.stderr == "lab: This system forbids namespaces. Try sudo.\n"
    assert done.stdout == ""


def test_a_mistake_of_the_lab_is_never_taken_for_a_violation(lab, runner) -> None:
    runner.raises = ZeroDivisionError("division by zero")
    done = lab("run")
    assert done.exit_code == 3
    assert done.stderr.startswith("lab: a mistake in the lab itself, please report it: ZeroDivisionError: ")
    assert "Traceback" in done.stderr


def test_an_unwritable_out_is_told_before_anything_runs(lab, runner) -> None:
    Path("file").write_text("")
    done = lab("run", "--out", "file/out")
    assert done.exit_code == 3
    assert done.stderr == (
        "lab: cannot write file/out: not a directory; a part of that path is a file: choose another place with --out\n"
    )
    assert runner.plans == []


def test_a_disk_that_fills_up_ends_the_run(lab, runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **more: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lab.wire.pcapng.PcapngWriter.write", full)
    done = lab("run")
    assert done.exit_code == 3
    assert done.stderr.startswith("lab: cannot write lab-out/handshake/first-ipv4.pcapng: no space left on device; ")
    assert [p for p in Path().rglob("*") if p.is_file()] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing_like_it"], "no scenario, file or folder is called nothing_like_it: `lab list` shows them all"),
        (["frist"], "no scenario, file or folder is called frist: did you mean first?"),
        (["--testbed", "host"], "--testbed host needs --interface and --agent"),
        (["--testbed", "target", "--interface", "e0"], "--testbed target needs --target"),
        (["--interface", "e0"], "--interface is for --testbed host or target, and this is sandbox"),
        (["--testbed", "target", "--agent", "a:1"], "--agent is for --testbed host, and this is target"),
        (["--testbed", "target", "--interface", "e0", "--target", "a"], "--target: a is not HOST:PORT"),
        (["--testbed", "target", "--interface", "e0", "--target", "a:0"], "--target: a:0 is not HOST:PORT"),
        (["--testbed", "target", "--interface", "e0", "--target", "::1:80"], "in brackets: [::1]:80"),
        (
            ["--testbed", "target", "--interface", "e0", "--target", "a:1", "--address", "10.0.0.300"],
            "--address: 10.0.0.300 is not an IPv4 or IPv6 address",
        ),
        (
            ["--testbed", "target", "--interface", "e0", "--target", "a:1", "--address", "10.0.0.3,10.0.0.4"],
            "--address: two for IPv4",
        ),
        (["--testbed", "host", "--interface", "e0", "--agent", "a:1"], "needs the agent's token"),
        (
            ["--testbed", "host", "--interface", "e0", "--agent", "a:1", "--token-file", "none"],
            "--token-file: cannot read none: No such file or directory",
        ),
        (["--junit", "."], "--junit: . is a folder: name a file in it"),
    ],
)
def test_wrong_usage_is_one_sentence(words: list[str], says: str, lab, runner) -> None:
    done = lab("run", *words)
    assert done.exit_code == 2
    assert done.stderr.startswith("lab: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert runner.plans == []


@pytest.mark.parametrize("words", [["--jobs", "0"], ["--seed", "x"], ["--testbed", "moon"], ["--no-such-thing"]])
def test_wrong_options_are_typers_to_refuse(words: list[str], lab, runner) -> None:
    assert lab("run", *words).exit_code == 2


def test_host_takes_its_options_from_the_environment(lab, runner, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    done = lab(
        "run",
        LAB_TESTBED="host",
        LAB_INTERFACE="eth0",
        LAB_ADDRESS="192.0.2.9 2001:DB8::0009",
        LAB_AGENT="[2001:db8::5]:7000",
        LAB_TOKEN_FILE=str(token),
        LAB_TARGET="ignored:1",
    )
    assert done.exit_code == 0, done.stderr
    plan = runner.plans[0]
    assert plan.testbed == "host"
    assert plan.testbed_options == {
        "interface": "eth0",
        "spare": {"ipv4": "192.0.2.9", "ipv6": "2001:db8::9"},
        "gateways": {},
        "control": ("2001:db8::5", 7000),
        "token": "secret",
    }


def test_a_typed_token_counts_more_than_the_environments_file(lab, runner) -> None:
    words = ("run", "--testbed", "host", "--interface", "e0", "--agent", "a:1", "--token", "typed")
    lab(*words, LAB_TOKEN_FILE="/nowhere")
    assert runner.plans[0].testbed_options["token"] == "typed"


def test_two_tokens_are_one_too_many(lab, runner) -> None:
    done = lab(
        "run", "--testbed", "host", "--interface", "e0", "--agent", "a:1", "--token", "a", "--token-file", "/dev/null"
    )
    assert (done.exit_code, done.stderr) == (2, "lab: give --token or --token-file, not both\n")


def test_a_target_is_played_what_it_can_play(lab, runner) -> None:
    words = ("run", "--testbed", "target", "--interface", "e0", "--target", "192.0.2.1:80", "--gateway", "192.0.2.254")
    done = lab(*words)
    assert done.exit_code == 0
    assert names(runner) == ["handshake/open_ended"]
    assert "1 scenario left out: it needs a program that does what it says" in done.stdout
    assert runner.plans[0].testbed_options == {
        "interface": "e0",
        "spare": {},
        "gateways": {"ipv4": "192.0.2.254"},
        "host": "192.0.2.1",
        "port": 80,
        "allow_public": False,
        "resource": None,
        "echoes": False,
    }
    lab(*words, "first", "--i-may-test-this-target")
    assert [s.name for s in runner.plans[1].scenarios] == ["handshake/first"]
    assert runner.plans[1].testbed_options["allow_public"] is True


def test_a_stack_of_ones_own_is_the_server(lab, runner, tmp_path: Path) -> None:
    (tmp_path / "stack.py").write_text("def serve(channel, facts): ...")
    assert lab("run", "--served-by", f"{tmp_path}/stack.py:serve").exit_code == 0
    here = [str(tmp_path)]
    assert runner.plans[0].testbed_options == {
        "serve": "stack:serve", "path": here, "program": False, "echoes": False
    }  # fmt: skip
    (tmp_path / "program.py").write_text("async def serve(reader, writer): ...\nother = serve")
    assert lab("run", "--served-by", f"{tmp_path}/program.py:serve", "--echo").exit_code == 0
    assert runner.plans[1].testbed_options == {
        "serve": "program:serve", "path": here, "program": True, "echoes": True
    }  # fmt: skip
    lab("run", "--served-by", f"{tmp_path}/program.py:other")
    assert runner.plans[2].testbed_options["program"] is None


@pytest.mark.parametrize(
    ("words", "played", "left_out"),
    [
        (
            ["--target", "192.0.2.1:80"],
            {"handshake/open_ended"},
            "1 scenario left out: it needs a WebSocket server: --target ws://",
        ),
        (
            ["--target", "ws://192.0.2.1/"],
            {"handshake/open_ended", "websocket/any"},
            "1 scenario left out: it needs a ",
        ),
        (["--target", "ws://192.0.2.1/", "--echo"], {"handshake/open_ended", "websocket/any", "websocket/echo"}, ""),
    ],
)
def test_a_websocket_target_is_played_what_it_can_play(
    lab, runner, home: Path, words: list[str], played: set[str], left_out: str
) -> None:
    for name, needs in (("any", "websocket"), ("echo", "echo")):
        path = home / "websocket" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text((home / "handshake" / "first.py").read_text().replace('needs="agent"', f'needs="{needs}"'))
    done = lab("run", "--testbed", "target", "--interface", "e0", *words)
    assert done.exit_code == 0
    assert set(names(runner)) == played
    assert left_out in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--target", "wss://h/"], "TLS"),
        (["--target", "ws://h/#x"], "fragment"),
        (["--target", "h:1", "--echo"], "--echo is for a WebSocket server: --target ws://h:1/PATH"),
    ],
)
def test_a_websocket_target_that_cannot_be_is_a_sentence(lab, words: list[str], says: str) -> None:
    done = lab("run", "--testbed", "target", "--interface", "e0", *words)
    assert done.exit_code == 2
    assert says in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--served-by", "stack.py"], "is not FILE:FUNCTION"),
        (["--served-by", "stack:serve"], "is not FILE:FUNCTION"),
        (["--served-by", "nowhere.py:serve"], "there is no file nowhere.py"),
        (
            ["--served-by", "s.py:f", "--testbed", "target", "--interface", "x", "--target", "h:1"],
            "--served-by is for --testbed sandbox",
        ),
    ],
)
def test_what_cannot_be_a_stack_is_wrong_usage(words: list[str], says: str, lab) -> None:
    done = lab("run", *words)
    assert done.exit_code == 2
    assert says in " ".join(done.stderr.split())
