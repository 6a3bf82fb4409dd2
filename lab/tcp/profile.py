"""What RFCs leave to a stack, and what stacks are known to do otherwise, as data.

`lab.tcp.endpoint` asks its profile wherever the document offers a choice or a stack is known to differ, and names the
choice in its outcome whenever it changed what happens. RFC9293 makes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Choice:
    """One behaviour that differs from the base text of RFC 9293 §3.10."""

    id: str
    verdict: Literal["permitted", "deviates"]
    """Whether a document allows it, or the stack does it against a MUST, a SHOULD or the plain text."""
    says: str
    """What happens, in one sentence for a reader who does not know the stack."""
    section: str
    """The document's section that it concerns."""
    source: str
    """Where it is known from: an RFC, a sysctl, a manual page, a function of the kernel."""
    requirements: tuple[str, ...] = ()
    """Ids in the requirement tables that it touches."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Times in seconds and limits in counts. None: no such limit."""

    msl: float = 120.0
    """Maximum segment lifetime (RFC 9293 §3.4.2)."""
    time_wait: float = 240.0
    """2 MSL (RFC 9293 §3.6.1)."""
    rto_initial: float = 1.0
    rto_min: float = 1.0
    rto_max: float = 60.0
    """RFC 6298 §2."""
    syn_retries: int | None = None
    """Repeats of a SYN before the attempt is given up."""
    syn_linear: int = 0
    """How many of these come at equal intervals before intervals double."""
    synack_retries: int | None = None
    data_retries: int | None = None
    user_timeout: float | None = 300.0
    """Seconds without an acknowledgment of anything outstanding until the connection is aborted (RFC 9293 §3.9.1.1)."""
    fin_wait_2: float | None = None
    """How long FIN-WAIT-2 may last once the program can no longer read."""
    delayed_ack: float = 0.2
    """How long this end itself waits with an ACK that may be delayed."""
    ack_deadline: float = 0.5
    """How late such an ACK may be at most (RFC 9293 §3.8.6.3, MUST-40)."""
    answers_limited: bool = False
    """Whether answers to unacceptable segments are rate limited, so that each of them may be missing (RFC 5961 §7)."""


CHOICES: dict[str, Choice] = {
    choice.id: choice
    for choice in (
        Choice(
            "challenge-rst",
            "permitted",
            "A RST that is not exactly at RCV.NXT changes nothing; inside the window it is answered by an ACK.",
            "RFC 9293 §3.10.7.4",
            "RFC 5961 §3.2; Linux tcp_validate_incoming",
            ("9293-3.10.7.4-rst-challenge", "5961-3.2-rst-challenge", "5961-3.2-rst-drop", "5961-3-support"),
        ),
        Choice(
            "challenge-rst-outside",
            "deviates",
            "A RST with a number outside the window whose text reaches into it is answered by an ACK, not dropped.",
            "RFC 9293 §3.10.7.4",
            "RFC 5961 §3.2; Linux tcp_validate_incoming",
            ("9293-3.10.7.4-rst-out",),
        ),
        Choice(
            "challenge-syn",
            "permitted",
            "A SYN on a connection that stands is answered by an ACK and changes nothing, in the window as well.",
            "RFC 9293 §3.10.7.4",
            "RFC 5961 §4.2; Linux tcp_validate_incoming",
            ("9293-3.10.7.4-syn-challenge", "5961-4.2-syn-challenge", "5961-4.2-syn-drop", "5961-4-support"),
        ),
        Choice(
            "ack-range",
            "permitted",
            "A segment whose acknowledgment is older than the largest window seen draws an ACK and is dropped.",
            "RFC 9293 §3.10.7.4",
            "RFC 5961 §5.2; Linux tcp_ack",
            ("MAY-12", "9293-3.10.7.4-ack-5961", "5961-5.2-ack-range", "5961-5.2-ack-reply", "5961-5-support"),
        ),
        Choice(
            "ack-range-from-first-octet",
            "permitted",
            "The oldest acknowledgment number taken is that of the first octet sent, however large the window was.",
            "RFC 5961 §5.2",
            "Linux tcp_ack: max_window is bounded by bytes_acked",
            ("9293-3.10.7.4-ack-5961", "5961-5.2-ack-range", "5961-5.2-maxwnd"),
        ),
        Choice(
            "ack-range-fast-path",
            "deviates",
            "Text in sequence may be taken before its acknowledgment, though too old, is looked at and answered.",
            "RFC 5961 §5.2",
            "Linux tcp_rcv_established: header prediction",
            ("5961-5.2-ack-range", "5961-5.2-ack-reply"),
        ),
        Choice(
            "crossing-stale-ack",
            "deviates",
            "After crossing SYNs an ACK that does not even acknowledge the SYN establishes the connection.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_rcv_state_process, case TCP_SYN_RECV",
            ("9293-3.10.7.4-ack-synrcvd-bad",),
        ),
        Choice(
            "text-behind-fin-resets",
            "deviates",
            "Old text that goes on behind the peer's FIN resets the connection instead of being ignored.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_rcv_state_process (LINUX_MIB_TCPABORTONDATA)",
            ("9293-3.10.7.4-text-ignore",),
        ),
        Choice(
            "paws",
            "permitted",
            "Once timestamps are agreed on, a segment with an older timestamp is answered by an ACK and dropped.",
            "RFC 7323 §5.3",
            "RFC 7323 §5.3; Linux tcp_paws_check",
            ("7323-5.3-R1", "7323-5.3-order", "7323-5.2-rst-nopaws"),
        ),
        Choice(
            "paws-slack",
            "deviates",
            "A timestamp one tick older than the last is still taken; an old bare ACK is dropped without an answer.",
            "RFC 7323 §5.3",
            "Linux tcp_paws_discard (TCP_PAWS_WINDOW), tcp_disordered_ack_check",
            ("7323-5.3-R1",),
        ),
        Choice(
            "paws-resets",
            "deviates",
            "Where no socket is left or none is there yet, a RST with an older timestamp is dropped as well.",
            "RFC 7323 §5.2",
            "Linux tcp_paws_reject in tcp_check_req and tcp_timewait_state_process",
            ("7323-5.2-rst-nopaws",),
        ),
        Choice(
            "half-open-echo",
            "deviates",
            "In SYN-RECEIVED only the echo of a SYN,ACK's own timestamp is taken, not that of an ACK sent since.",
            "RFC 7323 §3.2",
            "Linux tcp_check_req: rcv_tsecr between snt_tsval_first and snt_tsval_last",
            ("7323-3.2-tsecr-echo", "9293-3.10.7.4-ack-synrcvd-ok"),
        ),
        Choice(
            "timestamps-required",
            "permitted",
            "Once timestamps are agreed on, a segment without one is dropped silently.",
            "RFC 7323 §3.2",
            "RFC 7323 §3.2",
            ("7323-3.2-ts-missing", "7323-3.2-ts-noabort"),
        ),
        Choice(
            "time-wait-reopen",
            "permitted",
            "In TIME-WAIT a SYN with a higher number or a newer timestamp opens a new connection.",
            "RFC 9293 §3.6.1",
            "RFC 6191 §2; Linux tcp_timewait_state_process",
            ("MAY-2", "SHLD-4", "9293-3.6.1-tw-isn", "9293-3.10.7.4-syn-tw", "6191-2-ts-newer", "6191-2-nots-seq"),
        ),
        Choice(
            "time-wait-reopen-above-fin",
            "deviates",
            "The new SYN's number must lie above the one that follows the old FIN; that very number is refused.",
            "RFC 6191 §2",
            "Linux tcp_timewait_state_process: after(seq, rcv_nxt)",
            ("6191-2-lastseq", "6191-2-nots-seq", "6191-2-nots-ts"),
        ),
        Choice(
            "time-wait-ignores-rst",
            "permitted",
            "A RST does not end TIME-WAIT.",
            "RFC 1337 §3",
            "RFC 1337 §3 (F1); Linux net.ipv4.tcp_rfc1337=1",
            ("1337-3-F1", "9293-3.10.7.4-rst-closing"),
        ),
        Choice(
            "time-wait-acks-all",
            "deviates",
            "In TIME-WAIT all but a RST or an empty segment at RCV.NXT is answered by an ACK; the timer restarts.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_timewait_state_process",
            ("9293-3.10.7.4-text-ignore", "9293-3.10.7.4-ack-off", "9293-3.10.7.4-fin-timewait"),
        ),
        Choice(
            "time-wait-exact-rst",
            "permitted",
            "In TIME-WAIT only a RST exactly at RCV.NXT counts; any other is dropped without an answer.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_timewait_state_process",
            ("9293-3.10.7.4-rst-closing", "5961-3.2-rst-challenge"),
        ),
        Choice(
            "time-wait-outlives-abort",
            "deviates",
            "ABORT does not end TIME-WAIT.",
            "RFC 9293 §3.10.5",
            "Linux tcp_time_wait: the socket that the program holds is not the one that waits",
            ("9293-3.10.5-closing",),
        ),
        Choice(
            "time-wait-60s",
            "deviates",
            "TIME-WAIT lasts 60 seconds, whatever the maximum segment lifetime of 2 minutes asks for.",
            "RFC 9293 §3.4.2, §3.6.1",
            "Linux TCP_TIMEWAIT_LEN",
            ("MUST-13",),
        ),
        Choice(
            "half-duplex-close",
            "permitted",
            "A closed program cannot read any more: unread data, or data that comes afterwards, is answered by a RST.",
            "RFC 9293 §3.6.1",
            "RFC 9293 §3.6.1 (MAY-1, SHLD-3); Linux tcp_close, tcp_rcv_state_process",
            ("MAY-1", "SHLD-3", "9293-3.6-case1"),
        ),
        Choice(
            "orphan-without-socket",
            "deviates",
            "In FIN-WAIT-2 with nobody left to read, any RST in the window ends the connection, a SYN resets it, "
            "and a RST outside the window is answered by an ACK.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_timewait_state_process, substate TCP_FIN_WAIT2",
            ("9293-3.10.7.4-rst-challenge", "9293-3.10.7.4-syn-challenge", "5961-3.2-rst-challenge"),
        ),
        Choice(
            "fin-wait-2-timer",
            "deviates",
            "FIN-WAIT-2 ends by a timer when no program holds the connection.",
            "RFC 9293 §3.6",
            "Linux net.ipv4.tcp_fin_timeout, tcp(7)",
            ("9293-3.10.7.4-ack-finwait2", "9293-3.6-case1"),
        ),
        Choice(
            "shutdown-waits-for-ack-of-syn",
            "deviates",
            "After crossing SYNs a shutdown in SYN-RECEIVED sends no FIN before the ACK of the SYN has come.",
            "RFC 9293 §3.10.4",
            "Linux tcp_shutdown, tcp_rcv_state_process case TCP_SYN_RECV; close() sends it at once",
            ("9293-3.10.4-synrcvd",),
        ),
        Choice(
            "last-ack-at-once",
            "permitted",
            "CLOSE leads from CLOSE-WAIT to LAST-ACK at once, also while data waits in front of the FIN.",
            "RFC 9293 §3.10.4",
            "Linux tcp_close_state",
            ("9293-3.10.4-closewait",),
        ),
        Choice(
            "syn-text-dropped",
            "permitted",
            "Text on a SYN is not kept: it is not acknowledged, so the peer sends it again.",
            "RFC 9293 §3.10.7.2",
            "Linux tcp_conn_request, without TCP Fast Open (RFC 7413)",
            ("9293-3.10.7.2-syn-text", "9293-3.5-data-hold"),
        ),
        Choice(
            "synack-text-dropped",
            "permitted",
            "Text and FIN on a SYN,ACK are not kept: they are not acknowledged, so the peer sends them again.",
            "RFC 9293 §3.10.7.3",
            "Linux tcp_rcv_synsent_state_process",
            ("9293-3.10.7.3-synack-text",),
        ),
        Choice(
            "syn-fin-dropped",
            "deviates",
            "A SYN that carries FIN as well does not open a connection.",
            "RFC 9293 §3.10.7.2",
            "Linux tcp_rcv_state_process, case TCP_LISTEN",
            ("9293-3.10.7.2-syn",),
        ),
        Choice(
            "internet-options-refused",
            "permitted",
            "A packet whose IP options or extension headers the host refuses is dropped before TCP hears of it.",
            "RFC 1122 §3.2.1.8",
            "RFC 7126 §4, RFC 4942 §2.1.9.5, RFC 8504 §5.3; Linux ip_rcv_options, ip6_parse_tlv, ipv6_rthdr_rcv",
            ("MUST-53",),
        ),
        Choice(
            "signature-dropped",
            "permitted",
            "A segment with a signature (MD5, TCP-AO) for which no key is known is dropped without an answer.",
            "RFC 2385 §2.0",
            "RFC 2385 §2.0, RFC 5925 §7.3; Linux tcp_inbound_hash (SKB_DROP_REASON_TCP_MD5UNEXPECTED)",
            ("MUST-6",),
        ),
        Choice(
            "broken-options-dropped",
            "permitted",
            "A segment in whose options a length is impossible is dropped without an answer.",
            "RFC 9293 §3.1",
            "RFC 9293 §3.1 (MUST-7); Linux tcp_do_parse_auth_options",
            ("MUST-7",),
        ),
        Choice(
            "synack-repeated",
            "permitted",
            "A repeated SYN is answered by the same SYN,ACK again, where the plain text has an ACK.",
            "RFC 9293 §3.8.1",
            "Linux tcp_check_req: a pure retransmitted SYN",
            ("9293-3.10.7.4-seq-dup-syn",),
        ),
        Choice(
            "half-open-ack-first",
            "deviates",
            "In SYN-RECEIVED a wrong acknowledgment draws a RST even from a segment outside the window.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_check_req",
            ("9293-3.10.7.4-ack-synrcvd-bad", "9293-3.10.7.4-seq-bad"),
        ),
        Choice(
            "half-open-syn-reset",
            "deviates",
            "In SYN-RECEIVED a second SYN inside the window draws a RST besides ending the attempt.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_check_req, embryonic_reset",
            ("9293-3.10.7.4-syn-synrcvd",),
        ),
        Choice(
            "half-open-any-rst",
            "permitted",
            "In SYN-RECEIVED any RST in the window ends the attempt if its ACK is right: no challenge of RFC 5961.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_check_req, before it had the check of RFC 5961",
            ("9293-3.10.7.4-rst-classic", "9293-3.10.7.4-rst-synrcvd-passive"),
        ),
        Choice(
            "window-edge",
            "deviates",
            "A segment that starts exactly at the right edge of the window still passes the sequence check.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_sequence, tcp_in_window",
            ("9293-3.4-acc-len0-wndpos", "9293-3.10.7.4-seq", "9293-3.10.7.4-rst-out"),
        ),
        Choice(
            "window-overrun",
            "deviates",
            "A segment that reaches beyond the window is not cut at the edge: it is taken whole while nothing waits to "
            "be read, and refused whole otherwise.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_sequence (SKB_DROP_REASON_TCP_INVALID_END_SEQUENCE)",
            ("9293-3.4-acc-lenpos-wndpos", "9293-3.10.7.4-text-partial"),
        ),
        Choice(
            "old-edge",
            "permitted",
            "A segment that ends exactly where the last ACK stands is looked at for its ACK before it is answered.",
            "RFC 9293 Appendix A.2",
            "Linux tcp_sequence: before(end_seq, rcv_wup)",
            ("9293-A.2-seqval", "9293-3.10.7.4-seq-bad"),
        ),
        Choice(
            "flags-first",
            "deviates",
            "A segment without SYN, RST or ACK is dropped without an answer, also outside the window.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_rcv_established, tcp_rcv_state_process",
            ("9293-3.10.7.4-seq-bad", "9293-3.10.7.4-ack-off"),
        ),
        Choice(
            "future-ack-silent",
            "deviates",
            "In ESTABLISHED an acknowledgment of what was never sent is dropped without an answer.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_rcv_established, tcp_ack, in earlier kernels (SKB_DROP_REASON_TCP_ACK_UNSENT_DATA)",
            ("9293-3.10.7.4-ack-estab-future", "9293-3.10.7.4-ack-5961"),
        ),
        Choice(
            "rst-at-fin",
            "deviates",
            "After the peer's FIN a RST with the FIN's own number, one below RCV.NXT, is taken too.",
            "RFC 5961 §3.2",
            "Linux tcp_reset_check",
            ("9293-3.10.7.4-rst-out", "5961-3.2-rst-outside"),
        ),
        Choice(
            "rst-at-sack",
            "deviates",
            "With SACK a RST right behind the highest octet received out of order is taken.",
            "RFC 5961 §3.2",
            "Linux tcp_validate_incoming",
            ("9293-3.10.7.4-rst-challenge", "5961-3.2-rst-challenge"),
        ),
        Choice(
            "window-wider-than-field",
            "deviates",
            "Where no scale was agreed and the window is wider than its field can say, a RST beyond what was said is "
            "taken for one inside the window.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_select_window: rcv_wnd is kept before it is cut to the field",
            ("9293-3.10.7.4-rst-out", "9293-3.10.7.4-seq-bad-rst"),
        ),
        Choice(
            "seq-within-window",
            "deviates",
            "Where the peer has taken back window, an ACK's or RST's number is the window's edge, not SND.NXT.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_acceptable_seq",
            ("9293-3.10.7.4-seq-bad", "SHLD-14"),
        ),
        Choice(
            "rst-with-ack",
            "permitted",
            "The RST of an aborted connection carries an acknowledgment as well.",
            "RFC 9293 §3.10.5",
            "Linux tcp_send_active_reset",
            ("9293-3.10.5-active", "9293-3.9.1.6-abort"),
        ),
        Choice(
            "fin-into-zero-window",
            "permitted",
            "A bare FIN is taken although the receive window is zero.",
            "RFC 9293 §3.10.7.4",
            "Linux tcp_data_queue",
            ("9293-3.4-acc-lenpos-wnd0",),
        ),
        Choice(
            "refused-not-reset",
            "permitted",
            "A RST that answers our SYN is reported as a refusal, not as a reset.",
            "RFC 9293 §3.10.7.3",
            "Linux tcp_reset: ECONNREFUSED in SYN-SENT",
            ("9293-3.10.7.3-rst-good",),
        ),
        Choice(
            "syn-retries",
            "deviates",
            "A SYN that nobody answers is given up after a count of repeats, not after 3 minutes.",
            "RFC 9293 §3.8.3",
            "Linux net.ipv4.tcp_syn_retries, net.ipv4.tcp_syn_linear_timeouts",
            ("MUST-23",),
        ),
        Choice(
            "synack-retries",
            "deviates",
            "A SYN,ACK that nobody acknowledges is given up after a count of repeats, and the listener goes on.",
            "RFC 9293 §3.8.3",
            "Linux net.ipv4.tcp_synack_retries",
            ("MUST-23", "4987-3.3-timer"),
        ),
        Choice(
            "rto-below-1s",
            "deviates",
            "The retransmission timeout may fall below one second.",
            "RFC 6298 §2",
            "Linux TCP_RTO_MIN (200 ms)",
            ("6298-2.4-min",),
        ),
        Choice(
            "out-of-order-dropped",
            "permitted",
            "What lies behind a gap is not kept: it is acknowledged only when it comes again.",
            "RFC 9293 §3.10.7.4",
            "RFC 9293 §3.10.7.4 (SHLD-31)",
            ("SHLD-31",),
        ),
        Choice(
            "syn-text-acknowledged",
            "permitted",
            "Text on a SYN is acknowledged by the SYN,ACK, and given to the program once the connection stands.",
            "RFC 9293 §3.5",
            "RFC 9293 §3.5: data on a SYN must be kept until the connection is known to be valid; RFC 7413 §4.2.2",
            ("9293-3.5-data-hold", "9293-3.10.7.2-syn-text"),
        ),
        Choice(
            "crossing-syns-scale",
            "deviates",
            "After crossing SYNs it scales its windows although only its own SYN offered to.",
            "RFC 7323 §2.2",
            "Linux tcp_rcv_synsent_state_process: a bare SYN without the option leaves rcv_wscale as it was offered",
            ("7323-2.2-ws-both", "MUST-10"),
        ),
        Choice(
            "time-wait-needs-listener",
            "permitted",
            "A SYN in TIME-WAIT opens nothing where no program listens: it is answered by an ACK.",
            "RFC 9293 §3.6.1",
            "Linux tcp_v4_rcv, TCP_TW_SYN",
            ("MAY-2",),
        ),
    )
}
"""All choices by id."""

OCCASIONAL = frozenset({"ack-range-fast-path", "window-wider-than-field"})
"""Choices that a stack makes now and not the next time, by what nobody outside can see: the memory that a socket has at
hand (Linux leaves its header prediction where sk_forward_alloc is too small).
"""


@dataclass(frozen=True, slots=True)
class Profile:
    """A stack as the model knows it: which choices it makes, and its times and limits."""

    name: str
    choices: frozenset[str] = frozenset()
    parameters: Parameters = field(default_factory=Parameters)

    def __post_init__(self) -> None:
        unknown = self.choices - CHOICES.keys()
        if unknown:
            raise ValueError(f"no such choice: {', '.join(sorted(unknown))}")

    def has(self, choice: str) -> bool:
        """Whether this stack makes the choice of that id."""
        return choice in self.choices


RFC9293 = Profile("rfc9293")
"""The base text of RFC 9293 with its SHOULDs, and none of its options: RFC 793's answers to a stray RST or SYN."""

MITIGATED = Profile(
    "mitigated",
    frozenset(
        {
            "challenge-rst",
            "challenge-syn",
            "ack-range",
            "paws",
            "timestamps-required",
            "time-wait-reopen",
            "time-wait-ignores-rst",
            "half-duplex-close",
            "internet-options-refused",
            "signature-dropped",
            "broken-options-dropped",
        }
    ),
)
"""What RFC 9293 permits beside its base text: RFC 5961, RFC 7323, RFC 6191, RFC 1337, RFC 2385, half-duplex CLOSE …"""

FRUGAL = Profile("frugal", MITIGATED.choices | {"out-of-order-dropped"})
"""A small stack: as permitted as MITIGATED, and without a queue for what lies behind a gap."""

_EARLIER = frozenset({"half-open-any-rst", "future-ack-silent"})

_LATER = frozenset({"window-overrun", "half-open-echo", "shutdown-waits-for-ack-of-syn"})

LINUX = Profile(
    "linux",
    frozenset(CHOICES)
    - {"time-wait-ignores-rst", "timestamps-required", "syn-text-acknowledged", "out-of-order-dropped", *_EARLIER},
    Parameters(
        msl=30.0,
        time_wait=60.0,
        rto_min=0.2,
        rto_max=120.0,
        syn_retries=6,
        syn_linear=4,
        synack_retries=5,
        data_retries=15,
        user_timeout=None,
        fin_wait_2=60.0,
        delayed_ack=0.04,
    ),
)
"""Linux 6 with default settings, but answers to unacceptable segments not limited (tcp_invalid_ratelimit=0)."""

LINUX_EARLIER = replace(LINUX, name="linux (earlier)", choices=(LINUX.choices | _EARLIER) - _LATER)
"""Linux before it checked a RST in SYN-RECEIVED and answered an ACK of what was never sent (some time before 6.18)."""


def linux(settings: Mapping[str, str]) -> Profile:
    """LINUX with the settings of one machine: sysctl names ("net.ipv4.tcp_fin_timeout") and their values as text.

    Settings that are missing or no whole numbers are taken at their defaults; it never raises.
    """

    def number(name: str, otherwise: int) -> int:
        text = settings.get(f"net.ipv4.{name}", settings.get(name, ""))
        try:
            return int(text)
        except ValueError:
            return otherwise

    default = LINUX.parameters
    parameters = replace(
        default,
        syn_retries=number("tcp_syn_retries", 6),
        syn_linear=number("tcp_syn_linear_timeouts", 4),
        synack_retries=number("tcp_synack_retries", 5),
        data_retries=number("tcp_retries2", 15),
        fin_wait_2=float(number("tcp_fin_timeout", 60)),
        answers_limited=number("tcp_invalid_ratelimit", 0) > 0,
    )
    choices = LINUX.choices | {"time-wait-ignores-rst"} if number("tcp_rfc1337", 0) else LINUX.choices
    return Profile("linux", choices, parameters)
