"""The sandbox's addresses, from the documentation ranges (RFC 5737, RFC 3849): they collide with no real network."""

from __future__ import annotations

from typing import Final

SERVER: Final = {"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"}
PEER: Final = {"ipv4": "198.51.100.2", "ipv6": "2001:db8::2"}
PREFIX: Final = {"ipv4": 24, "ipv6": 64}
SERVER_MAC: Final = bytes.fromhex("020000000001")
PEER_MAC: Final = bytes.fromhex("020000000002")
SERVER_INTERFACE: Final = "srv0"
PEER_INTERFACE: Final = "peer0"
