"""The testbeds on a network: a server on another host (in another namespace), with its agent or without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.testbed import interfaces
from lab.testbed.errors import CannotRun, TargetRefused
from lab.testbed.host import Host
from lab.testbed.target import Target, is_public

HERE = Path(__file__).parent
LAST = {"ipv4": "198.51.100.254", "ipv6": "2001:db8::ffff:ffff:ffff:ff7f"}


def two_hosts(**arguments: Any) -> dict[str, Any]:
    """What comes of reaching the server from a host beside it; see the program."""
    done = subprocess.run(
        [sys.executable, "-W", "error", HERE / "two_hosts.py", json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(lab.__file__).parent.parent)},
    )
    assert done.stderr == ""
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def test_host_finds_spare_addresses_and_the_servers_mac(working: None) -> None:
    outcome = two_hosts(testbed="host")
    assert outcome["mac"] == "02:aa:00:00:00:02"
    assert outcome["missing"] == {}
    for family in ("ipv4", "ipv6"):
        assert outcome[family] == {
            "peer": LAST[family],
            "server": {"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"}[family],
            "ack": 0,  # 0xFFFFFFFF + 1
            "echo": "echo",
            "state": "ESTABLISHED",
            "others": [],
        }


def test_host_takes_the_spare_addresses_it_is_given(working: None) -> None:
    outcome = two_hosts(testbed="host", spare={"ipv4": "198.51.100.77", "ipv6": "2001:db8::77"})
    assert [outcome[family]["peer"] for family in ("ipv4", "ipv6")] == ["198.51.100.77", "2001:db8::77"]
    assert [outcome[family]["state"] for family in ("ipv4", "ipv6")] == ["ESTABLISHED"] * 2


def test_a_host_that_forwards_keeps_out_of_it(working: None) -> None:
    """With a MAC address of its own for the peer, this host's kernel neither forwards nor complains to the server."""
    outcome = two_hosts(testbed="host", forwards=1)
    assert outcome["mac"] == "06:aa:00:00:00:02"
    assert outcome["ipv4"]["state"] == outcome["ipv6"]["state"] == "ESTABLISHED"
    assert outcome["ipv4"]["others"] == outcome["ipv6"]["others"] == []


def test_a_family_that_the_server_lacks_is_missing(working: None) -> None:
    outcome = two_hosts(testbed="host", families=["ipv4"])
    assert outcome["ipv4"]["state"] == "ESTABLISHED"
    assert outcome["missing"] == {"ipv6": "the server has no ipv6 address"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"testbed": "host", "token": "wrong"}, "the token that the server was started with"),
        ({"testbed": "host", "control": 1}, "no agent answers on 198.51.100.1 port 1"),
        ({"testbed": "host", "control": 7007}, "agent"),
        ({"testbed": "target", "target": "198.51.100.99"}, "answers for 198.51.100.99"),
        ({"testbed": "target", "target": "203.0.113.1"}, "name the gateway"),
    ],
)
def test_what_cannot_be_reached_is_said(working: None, arguments: dict[str, Any], says: str) -> None:
    assert says in two_hosts(**arguments)["cannot run"]


def test_target_needs_no_agent(working: None) -> None:
    outcome = two_hosts(testbed="target", target="198.51.100.1")
    assert outcome["ipv4"]["echo"] == "echo"
    assert outcome["ipv4"]["state"] is None
    assert outcome["missing"] == {"ipv6": "the server has no ipv6 address"}


def test_target_over_ipv6(working: None) -> None:
    assert two_hosts(testbed="target", target="2001:db8::1")["ipv6"]["echo"] == "echo"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("172.32.0.1", True),
        ("192.168.255.255", False),
        ("100.64.0.1", False),
        ("100.128.0.1", True),
        ("169.254.1.1", False),
        ("127.0.0.1", False),
        ("192.0.2.1", False),
        ("198.51.100.1", False),
        ("203.0.113.1", False),
        ("203.0.114.1", True),
        ("8.8.8.8", True),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("2001:db8::1", False),
        ("2001:db9::1", True),
        ("2606:4700::1", True),
        ("::ffff:8.8.8.8", True),
        ("::ffff:10.0.0.1", False),
        ("0.0.0.0", True),
        ("224.0.0.1", True),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert ip_address(address)
    assert is_public(address) is public


def test_a_public_target_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(TargetRefused, match="--i-may-test-this-target"):
        Target.open("no-such-interface", "8.8.8.8", 80)
    with pytest.raises(CannotRun, match=r"no-such-if|may not open packet sockets") as caught:
        Target.open("no-such-if", "8.8.8.8", 80, allow_public=True)
    assert not isinstance(caught.value, TargetRefused)


def test_a_name_without_an_address_is_said() -> None:
    with pytest.raises(CannotRun, match="has no address"):
        Target.open("lo", "no such name", 80)


def test_an_interface_that_is_not_there_is_said() -> None:
    with pytest.raises(CannotRun, match=r"no-such-if|may not open packet sockets"):
        Host.open("no-such-if", ("127.0.0.1", 1), "x")


@pytest.mark.parametrize(
    ("mac", "beside"),
    [("02aa00000002", "06aa00000002"), ("001122334455", "021122334455"), ("0242ac110002", "0642ac110002")],
)
def test_a_mac_beside_is_local_unicast_and_another(mac: str, beside: str) -> None:
    assert interfaces.mac_beside(bytes.fromhex(mac)).hex() == beside


def test_loopback_leaves_no_address_to_play() -> None:
    with pytest.raises(CannotRun, match="Every address on lo belongs to this machine's own kernel"):
        Target.open("lo", "127.0.0.1", 1)
    with pytest.raises(CannotRun, match="Every address on lo belongs to this machine's own kernel"):
        Host.open("lo", ("127.0.0.1", 1), "token")
