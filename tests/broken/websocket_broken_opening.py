"""Servers whose opening handshake is wrong (RFC 6455 §4)."""

from __future__ import annotations

import base64
import hashlib

import websocket_frames as wire
from websocket_frames import CLOSE, PING, Frame
from websocket_opening import GUID, Refusal, Request, accept
from websocket_raw import Fields, Honest
from websocket_registry import broken


def _key(request: Request) -> str:
    return (request.values("Sec-WebSocket-Key") or [""])[0]


# ---- Sec-WebSocket-Accept (§4.2.2 step 5.4) -----------------------------------------------------------------


@broken("4.2.2", "Sec-WebSocket-Accept", caught_by="accept_is_computed_afresh exact_101")
class accept_of_the_key_alone(Honest):
    """The proof is the hash of the key without the GUID."""

    def proof(self, request: Request) -> str:
        return base64.b64encode(hashlib.sha1(_key(request).encode("latin-1")).digest()).decode()


@broken("4.2.2", "Sec-WebSocket-Accept", caught_by="accept_is_computed_afresh")
class accept_of_the_guid_in_lower_case(Honest):
    """The GUID is written in lower case."""

    def proof(self, request: Request) -> str:
        return base64.b64encode(hashlib.sha1((_key(request) + GUID.lower()).encode("latin-1")).digest()).decode()


@broken("4.2.2", "Sec-WebSocket-Accept", caught_by="accept_is_computed_afresh")
class accept_of_the_decoded_key(Honest):
    """The proof is made of the sixteen octets that the key stands for, not of the key as it is written."""

    def proof(self, request: Request) -> str:
        nonce = base64.b64decode(_key(request))
        return base64.b64encode(hashlib.sha1(nonce + GUID.encode()).digest()).decode()


@broken("4.2.2", "Sec-WebSocket-Accept", caught_by="accept_is_computed_afresh")
class accept_of_the_untrimmed_key(Honest):
    """The blanks around the key are hashed with it, beyond the one that everybody writes."""

    def proof(self, request: Request) -> str:
        return accept(request.untrimmed("Sec-WebSocket-Key")[0].removeprefix(" "))


@broken("4.2.2", "Sec-WebSocket-Accept", caught_by="accept_is_computed_afresh")
class accept_in_hexadecimal(Honest):
    """The proof is the hash in hexadecimal digits, in base64."""

    def proof(self, request: Request) -> str:
        digits = hashlib.sha1((_key(request) + GUID).encode("latin-1")).hexdigest()
        return base64.b64encode(digits.encode()).decode()


@broken("4.2.2", "Sec-WebSocket-Accept", caught_by="accept_is_computed_afresh")
class accept_without_padding(Honest):
    """The proof lacks the = at its end."""

    def proof(self, request: Request) -> str:
        return super().proof(request).rstrip("=")


class _WithFields(Honest):
    """The fields of the 101 are those of `fields`."""

    def acceptance(self, request: Request) -> Fields:
        return self.fields(super().acceptance(request))

    def fields(self, honest: Fields) -> Fields:
        return honest


def _without(fields: Fields, name: str) -> Fields:
    return [each for each in fields if each[0] != name]


def _instead(fields: Fields, name: str, value: str) -> Fields:
    return [(each, value if each == name else old) for each, old in fields]


@broken("4.2.2", "Sec-WebSocket-Accept", caught_by="exact_101")
class accept_missing(_WithFields):
    """The 101 has no Sec-WebSocket-Accept."""

    def fields(self, honest: Fields) -> Fields:
        return _without(honest, "Sec-WebSocket-Accept")


@broken("11.3.3", "Sec-WebSocket-Accept", caught_by="exact_101")
class accept_twice(_WithFields):
    """The 101 has Sec-WebSocket-Accept twice."""

    def fields(self, honest: Fields) -> Fields:
        return [*honest, *(each for each in honest if each[0] == "Sec-WebSocket-Accept")]


# ---- the rest of the 101 (§4.2.2 step 5) --------------------------------------------------------------------


@broken("4.2.2", "status", caught_by="exact_101")
class status_200(Honest):
    """The handshake is right but for its status, which is 200."""

    status = "200 OK"


@broken("4.2.2", "Upgrade", caught_by="exact_101")
class upgrade_missing(_WithFields):
    """The 101 has no Upgrade."""

    def fields(self, honest: Fields) -> Fields:
        return _without(honest, "Upgrade")


@broken("4.2.2", "Upgrade", caught_by="exact_101")
class upgrade_to_something_else(_WithFields):
    """The 101 upgrades to "websockets"."""

    def fields(self, honest: Fields) -> Fields:
        return _instead(honest, "Upgrade", "websockets")


@broken("4.2.2", "Connection", caught_by="exact_101")
class connection_missing(_WithFields):
    """The 101 has no Connection."""

    def fields(self, honest: Fields) -> Fields:
        return _without(honest, "Connection")


@broken("4.2.2", "Connection", caught_by="exact_101")
class connection_keep_alive(_WithFields):
    """The 101 says Connection: keep-alive."""

    def fields(self, honest: Fields) -> Fields:
        return _instead(honest, "Connection", "keep-alive")


@broken("4.2.2", "Sec-WebSocket-Protocol", caught_by="subprotocol_of_the_offer no_subprotocol_where_none_agreed")
class subprotocol_not_offered(Honest):
    """A subprotocol is named, whether the client offered it or not."""

    def subprotocol(self, request: Request) -> str | None:
        return "lab.of.my.own"


@broken("4.2.2", "Sec-WebSocket-Protocol", caught_by="no_subprotocol_where_none_agreed")
class subprotocol_empty(Honest):
    """Where no subprotocol is agreed on, the field is there and empty."""

    def subprotocol(self, request: Request) -> str | None:
        return super().subprotocol(request) or ""


@broken("4.2.2", "Sec-WebSocket-Protocol", caught_by="subprotocol_of_the_offer")
class subprotocols_all(Honest):
    """The whole list that the client offered comes back."""

    def subprotocol(self, request: Request) -> str | None:
        return ", ".join(request.elements("Sec-WebSocket-Protocol")) or None


@broken("11.3.4", "Sec-WebSocket-Protocol", caught_by="subprotocol_of_the_offer")
class subprotocol_twice(Honest):
    """The agreed subprotocol is said twice."""

    def acceptance(self, request: Request) -> Fields:
        fields = super().acceptance(request)
        return [*fields, *(each for each in fields if each[0] == "Sec-WebSocket-Protocol")]


@broken("4.2.2", "Sec-WebSocket-Extensions", caught_by="exact_101")
class extension_not_offered(_WithFields):
    """permessage-deflate is agreed to, whether the client offered it or not."""

    def fields(self, honest: Fields) -> Fields:
        return [*honest, ("Sec-WebSocket-Extensions", "permessage-deflate")]


@broken("4.2.2", "Sec-WebSocket-Extensions", caught_by="exact_101")
class extensions_empty(_WithFields):
    """Where no extension is agreed on, the field is there and empty."""

    def fields(self, honest: Fields) -> Fields:
        return [*honest, ("Sec-WebSocket-Extensions", "")]


@broken("4.2.2", "response", caught_by="exact_101")
class lines_end_bare(Honest):
    """The lines of the 101 end with LF alone."""

    def answer(self, status: str, fields: Fields) -> bytes:
        return (
            super().answer(status, fields).replace(b"\r\n", b"\n")
            if status[0] == "1"
            else super().answer(status, fields)
        )


@broken("4.2.2", "response", caught_by="exact_101")
class frame_before_101(Honest):
    """A Ping is sent before the 101."""

    async def accept(self, request: Request) -> None:
        await self.write(wire.encode(Frame(PING)))
        await super().accept(request)


@broken("4.2.2", "RSV", caught_by="exact_101")
class response_twice(Honest):
    """The 101 is sent twice."""

    async def accept(self, request: Request) -> None:
        await super().accept(request)
        await super().accept(request)


@broken("4.2.2", "Content-Length", caught_by="exact_101")
class body_with_101(Honest):
    """The 101 has a body, which a 101 cannot have."""

    async def accept(self, request: Request) -> None:
        body = b"welcome\n"
        fields = [*self.acceptance(request), ("Content-Length", str(len(body)))]
        await self.write(self.answer(self.status, fields) + body)


@broken("4.2.1", "status", caught_by="request_one_octet_a_segment")
class request_in_one_segment_only(Honest):
    """A request that does not come in one piece is refused."""

    async def head(self) -> bytes | None:
        if not self.buffer:
            await self.more()
        return await super().head() if b"\r\n\r\n" in self.buffer else b""


# ---- what is to be refused (§4.2.1) -------------------------------------------------------------------------


@broken("4.2.2", "Sec-WebSocket-Version", caught_by="version_not_13")
class version_ignored(Honest):
    """Any version is taken for 13."""

    unchecked = frozenset({"version"})


@broken("4.2.1", "Sec-WebSocket-Version", caught_by="version_missing_or_twice")
class no_version_needed(Honest):
    """A request without a version is accepted."""

    unchecked = frozenset({"no version"})


@broken("11.3.5", "Sec-WebSocket-Version", caught_by="version_missing_or_twice")
class versions_twice_accepted(Honest):
    """A request with two Sec-WebSocket-Version fields is accepted, if the first says 13."""

    unchecked = frozenset({"versions"})


@broken("4.4", "Sec-WebSocket-Version", caught_by="version_not_13")
class version_not_told(Honest):
    """A version that is not 13 is refused without a word about which one would do."""

    async def refuse(self, refusal: Refusal, request: Request | None) -> None:
        fields = _without(refusal.fields, "Sec-WebSocket-Version")
        await super().refuse(Refusal(refusal.status, fields, refusal.body), request)


@broken("4.1", "status", caught_by="http_1_0_refused not_get")
class refusal_says_200(Honest):
    """A handshake that is wrong gets a page, with status 200."""

    async def refuse(self, refusal: Refusal, request: Request | None) -> None:
        await super().refuse(Refusal("200 OK", refusal.fields, refusal.body or "hello"), request)


@broken("4.2.1", "Sec-WebSocket-Key", caught_by="key_missing_or_malformed")
class no_key_needed(Honest):
    """A request without a key is accepted."""

    unchecked = frozenset({"no key"})


@broken("4.2.1", "Sec-WebSocket-Key", caught_by="key_missing_or_malformed")
class key_in_any_letters(Honest):
    """A key that is no base64 is accepted."""

    unchecked = frozenset({"key"})


@broken("11.3.1", "Sec-WebSocket-Key", caught_by="two_keys_refused")
class keys_twice_accepted(Honest):
    """A request with two keys is accepted by the first."""

    unchecked = frozenset({"keys"})


@broken("4.2.1", "method", caught_by="not_get")
class post_accepted(Honest):
    """A handshake need not be a GET."""

    unchecked = frozenset({"method"})


@broken("4.2.1", "version", caught_by="http_1_0_refused")
class http_1_0_accepted(Honest):
    """A handshake in HTTP/1.0 is accepted."""

    unchecked = frozenset({"http"})


@broken("4.2.1", "Host", caught_by="host_missing_or_twice")
class no_host_needed(Honest):
    """A request without Host is accepted."""

    unchecked = frozenset({"host"})


@broken("4.2.1", "Host", caught_by="host_missing_or_twice")
class hosts_twice_accepted(Honest):
    """A request with two Host fields is accepted."""

    unchecked = frozenset({"hosts"})


@broken("4.2.1", "Upgrade", caught_by="no_upgrade_header")
class no_upgrade_needed(Honest):
    """A request without Upgrade: websocket is accepted."""

    unchecked = frozenset({"upgrade"})


@broken("4.2.1", "Connection", caught_by="connection_without_upgrade")
class no_connection_needed(Honest):
    """A request without Connection: Upgrade is accepted."""

    unchecked = frozenset({"connection"})


@broken("9.1", "Sec-WebSocket-Extensions", caught_by="malformed_extensions_refused")
class malformed_extensions_accepted(Honest):
    """A Sec-WebSocket-Extensions that no grammar allows is ignored."""

    unchecked = frozenset({"extensions"})


@broken("4.2.1", "status", "Sec-WebSocket-Protocol", caught_by="malformed_subprotocols_refused")
class malformed_subprotocols_accepted(Honest):
    """A Sec-WebSocket-Protocol that no grammar allows is ignored."""

    unchecked = frozenset({"subprotocols"})


@broken("4.1", "response", caught_by="refused_stays_http")
class close_frame_after_refusal(Honest):
    """A request that is refused gets an answer in HTTP and then a Close frame."""

    async def refuse(self, refusal: Refusal, request: Request | None) -> None:
        end, self.end = self.end, self._say_close  # type: ignore[method-assign]
        await super().refuse(refusal, request)
        await end()

    async def _say_close(self) -> None:
        await self.write(wire.encode(Frame(CLOSE, b"\x03\xea")))


@broken("4.2.1", "response", caught_by="refused_stays_http")
class frames_served_after_refusal(Honest):
    """After the answer that refuses the handshake, frames are served all the same."""

    async def opening(self) -> bool:
        if not await super().opening():
            self.over = False
        return True

    async def refuse(self, refusal: Refusal, request: Request | None) -> None:
        end, self.end = self.end, self._stay  # type: ignore[method-assign]
        await super().refuse(refusal, request)
        self.end = end  # type: ignore[method-assign]

    async def _stay(self) -> None:
        pass


# ---- what is to be understood (§4.2.1) ----------------------------------------------------------------------


@broken("4.2.1", "status", caught_by="names_in_any_case_and_order")
class names_of_fields_exact(Honest):
    """Names of header fields are known in one spelling only."""

    exact_names = True


class _Stricter(Honest):
    """Refuses with 400 what `too_strict` says."""

    def judge(self, request: Request) -> Refusal | None:
        return super().judge(request) or (Refusal("400 Bad Request") if self.too_strict(request) else None)

    def too_strict(self, request: Request) -> bool:
        return False


@broken("4.2.1", "status", caught_by="names_in_any_case_and_order")
class upgrade_in_lower_case_only(_Stricter):
    """Upgrade: WebSocket is not understood, only websocket."""

    def too_strict(self, request: Request) -> bool:
        return "websocket" not in request.elements("Upgrade")


@broken("4.2.1", "status", caught_by="names_in_any_case_and_order")
class connection_in_upper_case_only(_Stricter):
    """Connection: upgrade is not understood, only Upgrade."""

    def too_strict(self, request: Request) -> bool:
        return "Upgrade" not in request.elements("Connection")


@broken("4.2.1", "status", caught_by="names_in_any_case_and_order")
class connection_no_list(_Stricter):
    """Connection: keep-alive, Upgrade is not understood."""

    def too_strict(self, request: Request) -> bool:
        return [each.lower() for each in request.values("Connection")] != ["upgrade"]


@broken("4.2.1", "status", caught_by="names_in_any_case_and_order")
class order_of_fields_fixed(_Stricter):
    """Header fields must come in the order of the RFC's example."""

    _order = ("host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version")

    def too_strict(self, request: Request) -> bool:
        names = [name.lower() for name, _ in request.fields]
        return [name for name in names if name in self._order] != list(self._order)


@broken("4.2.1", "status", caught_by="names_in_any_case_and_order")
class unknown_fields_refused(_Stricter):
    """A request with a field that no WebSocket needs is refused."""

    _known = ("host", "upgrade", "connection", "origin")

    def too_strict(self, request: Request) -> bool:
        names = [name.lower() for name, _ in request.fields]
        return any(name not in self._known and not name.startswith("sec-websocket-") for name in names)


@broken("4.2.1", "status", caught_by="target_in_absolute_form")
class absolute_uri_refused(_Stricter):
    """A request whose target is a whole URI is refused."""

    def too_strict(self, request: Request) -> bool:
        return not request.target.startswith("/")


@broken("11.3.4", "Sec-WebSocket-Protocol", caught_by="subprotocol_of_the_offer")
class subprotocols_of_the_first_line_only(Honest):
    """Of subprotocols that are offered in several fields only those of the first are seen."""

    def subprotocol(self, request: Request) -> str | None:
        fields = request.fields
        offers = [each for each in fields if each[0].lower() == "sec-websocket-protocol"]
        request.fields = [each for each in fields if each not in offers[1:]]
        try:
            return super().subprotocol(request)
        finally:
            request.fields = fields
