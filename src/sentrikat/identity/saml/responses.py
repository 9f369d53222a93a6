"""Responses: whether one answers our question, is meant for us, is valid now, and was said by the provider.

    opened = open_response(encoded)                 capped, well formed, one assertion where it belongs
    assertion = read_assertion(opened, expected)    signed, decrypted, meant for us, valid now

Everything of the assertion is read from the bytes its signature covers (signatures.py). SamlRefused says why
a response is none of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lxml import etree

from sentrikat.identity.saml import documents, encryption, signatures
from sentrikat.identity.saml.certificates import Certificate, KeyPair
from sentrikat.identity.saml.documents import Element, moment, one, text_of
from sentrikat.identity.saml.names import (
    ASSERTION,
    BEARER,
    PROTOCOL,
    SIGNATURE,
    SUCCESS,
    UNSPECIFIED,
    tag,
)
from sentrikat.identity.saml.refusal import Reason, SamlRefused, shown

_ASSERTION = tag(ASSERTION, "Assertion")
_ENCRYPTED = tag(ASSERTION, "EncryptedAssertion")
_PARTS = frozenset(
    {
        tag(ASSERTION, "Issuer"),
        tag(SIGNATURE, "Signature"),
        tag(PROTOCOL, "Extensions"),
        tag(PROTOCOL, "Status"),
        _ASSERTION,
        _ENCRYPTED,
    }
)
_KNOWN_CONDITIONS = frozenset(
    tag(ASSERTION, name) for name in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")
)
MOST_ATTRIBUTES = 200
MOST_VALUES = 5_000
LONGEST_VALUE = 2_000


@dataclass(frozen=True, slots=True)
class Expected:
    """What a response must fit: whose it is, for whom, and what it answers."""

    provider: str  # entity id of the identity provider
    certificates: tuple[Certificate, ...]
    audience: str  # our entity id
    consumer_url: str  # our assertion consumer service
    keys: tuple[KeyPair, ...]
    request_id: str | None  # None: nothing was asked (started at the provider)
    requested_at: datetime | None = None  # with `again`: the person must have proven themselves after it
    again: bool = False
    signed_response: bool = True
    encrypted: bool = False
    skew: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class NameId:
    """How the provider names the person."""

    value: str
    format: str = UNSPECIFIED
    qualifier: str | None = None
    sp_qualifier: str | None = None


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the provider said of a person, and its signature holds."""

    id: str
    name_id: NameId
    session_index: str | None
    attributes: Mapping[str, tuple[str, ...]]
    usable_until: datetime  # after it, the assertion is refused for its age
    session_ends_at: datetime | None
    opened_with: KeyPair | None  # our key it was encrypted for


@dataclass(frozen=True, slots=True)
class OpenedResponse:
    """A response whose form is right; nothing in it is to be believed yet."""

    encoded: str
    root: Element
    in_response_to: str | None


def open_response(encoded: str) -> OpenedResponse:
    """Read the form field `SAMLResponse`."""
    root = documents.parse(documents.decode(encoded))
    if root.tag != tag(PROTOCOL, "Response") or root.get("Version") != "2.0" or not root.get("ID"):
        raise SamlRefused(
            Reason.NOT_A_RESPONSE, f"The message is no SAML 2.0 response but {shown(root.tag)}."
        )
    tags = Counter(child.tag for child in root)
    if strange := [
        name for name, times in tags.items() if name not in _PARTS or (times > 1 and name != _ASSERTION)
    ]:
        raise SamlRefused(Reason.MISPLACED, f"The response has {shown(strange[0])} where it does not belong.")
    _refuse_other_assertions(root)
    return OpenedResponse(encoded, root, root.get("InResponseTo"))


def _refuse_other_assertions(root: Element) -> None:
    """Refuse assertions, in any namespace and at any depth, but one directly under the response."""
    found = [
        e for e in root.iter(etree.Element) if etree.QName(e).localname in {"Assertion", "EncryptedAssertion"}
    ]
    if len(found) > 1:
        raise SamlRefused(
            Reason.SEVERAL_ASSERTIONS, f"The response holds {len(found)} assertions instead of one."
        )
    if found and (found[0].getparent() is not root or found[0].tag not in {_ASSERTION, _ENCRYPTED}):
        raise SamlRefused(Reason.MISPLACED, "The assertion is not directly under the response.")
    nested = [e for e in root.iter(tag(PROTOCOL, "Response")) if e is not root]
    if nested:
        raise SamlRefused(Reason.MISPLACED, "There is a response within the response.")


def read_assertion(opened: OpenedResponse, expected: Expected, now: datetime) -> Assertion:
    """Give what the provider said; SamlRefused unless all of it fits `expected`."""
    root = opened.root
    issuer = text_of(one(root, "saml:Issuer"))
    if issuer is not None:
        _refuse_other_issuer(issuer, expected)
    _refuse_failure(root)
    plain = root.find(_ASSERTION)
    encrypted = root.find(_ENCRYPTED)
    signatures.refuse_misplaced(root, [root, *([plain] if plain is not None else [])])
    response_is_signed = _check_response_signature(root, expected)
    _check_addressee(root, expected, response_is_signed)
    if plain is None and encrypted is None:
        raise SamlRefused(Reason.NO_ASSERTION, "The response holds no assertion.")
    key = None
    if encrypted is not None:
        content, key = encryption.decrypt(encrypted, expected.keys, cipher_text_is_signed=response_is_signed)
        plain = documents.parse(content)
        if plain.tag != _ASSERTION:
            raise SamlRefused(
                Reason.NO_ASSERTION, f"What was encrypted is no assertion but {shown(plain.tag)}."
            )
        _refuse_nested(plain)
        signatures.refuse_misplaced(plain, [plain])
    elif expected.encrypted:
        raise SamlRefused(
            Reason.NOT_ENCRYPTED, "The assertion is not encrypted, and this provider's must be."
        )
    if not signatures.is_signed(plain):
        raise SamlRefused(Reason.UNSIGNED_ASSERTION, "The assertion is not signed.")
    # From here on only what was signed is looked at.
    signed = documents.parse(signatures.verify(plain, expected.certificates))
    return _read(signed, expected, now, key)


def _refuse_nested(plain: Element) -> None:
    inside = [
        e
        for e in plain.iter(etree.Element)
        if e is not plain and etree.QName(e).localname in {"Assertion", "EncryptedAssertion", "Response"}
    ]
    if inside:
        raise SamlRefused(Reason.SEVERAL_ASSERTIONS, "There is an assertion within the encrypted assertion.")


def _refuse_other_issuer(issuer: str | None, expected: Expected) -> None:
    if issuer != expected.provider:
        raise SamlRefused(
            Reason.WRONG_ISSUER,
            f"The message was issued by {shown(issuer)} instead of {shown(expected.provider)}.",
        )


def _refuse_failure(root: Element) -> None:
    code = one(root, "samlp:Status/samlp:StatusCode")
    value = code.get("Value") if code is not None else None
    if value == SUCCESS:
        return
    inner = one(code, "samlp:StatusCode") if code is not None else None
    words = [v for v in (value, inner.get("Value") if inner is not None else None) if v]
    said = text_of(one(root, "samlp:Status/samlp:StatusMessage"))
    raise SamlRefused(
        Reason.PROVIDER_REFUSED,
        f"The provider did not sign the person in: {', '.join(shown(w.rsplit(':', 1)[-1]) for w in words) or 'no status'}"
        f"{f', saying {shown(said)}' if said else ''}.",
    )


def _check_response_signature(root: Element, expected: Expected) -> bool:
    if signatures.is_signed(root):
        signatures.verify(root, expected.certificates)
        return True
    if expected.signed_response:
        raise SamlRefused(
            Reason.UNSIGNED_RESPONSE,
            "The response itself is not signed (its assertion may be), and this provider's must be.",
        )
    return False


def _check_addressee(root: Element, expected: Expected, response_is_signed: bool) -> None:
    destination = root.get("Destination")
    if destination != expected.consumer_url and (destination is not None or response_is_signed):
        raise SamlRefused(
            Reason.WRONG_DESTINATION,
            f"The response is for {shown(destination)} instead of {shown(expected.consumer_url)}.",
        )
    _check_request(root.get("InResponseTo"), expected)


def _check_request(in_response_to: str | None, expected: Expected) -> None:
    if in_response_to == expected.request_id:
        return
    if in_response_to is None:
        raise SamlRefused(Reason.UNSOLICITED, "The response does not say which request of ours it answers.")
    raise SamlRefused(
        Reason.WRONG_REQUEST,
        f"The response answers the request {shown(in_response_to)}, which is not the one asked.",
    )


def _read(signed: Element, expected: Expected, now: datetime, key: KeyPair | None) -> Assertion:
    _refuse_other_issuer(text_of(one(signed, "saml:Issuer")), expected)
    if not signed.get("ID") or signed.get("Version") != "2.0":
        raise SamlRefused(Reason.MISPLACED, "The assertion has no identifier or is not of SAML 2.0.")
    issued = moment(signed, "IssueInstant")
    if issued is None or issued > now + expected.skew:
        raise SamlRefused(
            Reason.NOT_YET_VALID,
            f"The assertion was issued at {issued}, and it is {now:%Y-%m-%d %H:%M:%S}Z here: compare the clocks.",
        )
    ends = _check_conditions(signed, expected, now)
    ends = min(ends, _check_confirmation(signed, expected, now))
    session_index, session_ends_at = _check_authentication(signed, expected, now)
    return Assertion(
        id=signed.get("ID"),
        name_id=_name_id(signed),
        session_index=session_index,
        attributes=_attributes(signed),
        usable_until=ends + expected.skew,
        session_ends_at=session_ends_at,
        opened_with=key,
    )


def _check_conditions(signed: Element, expected: Expected, now: datetime) -> datetime:
    conditions = one(signed, "saml:Conditions")
    if conditions is None:
        raise SamlRefused(
            Reason.WRONG_AUDIENCE, "The assertion has no conditions: it does not say for whom it is."
        )
    if unknown := [child.tag for child in conditions if child.tag not in _KNOWN_CONDITIONS]:
        raise SamlRefused(
            Reason.UNKNOWN_CONDITION, f"The assertion has the unknown condition {shown(unknown[0])}."
        )
    ends = _check_span(conditions, expected.skew, now, "The assertion")
    restrictions = conditions.findall(tag(ASSERTION, "AudienceRestriction"))
    for restriction in restrictions:
        audiences = [text_of(audience) for audience in restriction]
        if expected.audience not in audiences:
            raise SamlRefused(
                Reason.WRONG_AUDIENCE,
                f"The assertion is for {', '.join(shown(a) for a in audiences[:3])} instead of {shown(expected.audience)}.",
            )
    if not restrictions:
        raise SamlRefused(Reason.WRONG_AUDIENCE, "The assertion does not say for whom it is.")
    return ends


def _check_span(element: Element, skew: timedelta, now: datetime, what: str) -> datetime:
    """Give when it ends; it must have an end."""
    begins, ends = moment(element, "NotBefore"), moment(element, "NotOnOrAfter")
    if begins is not None and begins > now + skew:
        raise SamlRefused(
            Reason.NOT_YET_VALID,
            f"{what} is valid from {begins:%Y-%m-%d %H:%M:%S}Z, and it is {now:%Y-%m-%d %H:%M:%S}Z here "
            f"({skew.total_seconds():.0f} seconds are allowed): compare the clocks.",
        )
    if ends is None or ends <= now - skew:
        raise SamlRefused(
            Reason.EXPIRED,
            f"{what} was valid until {f'{ends:%Y-%m-%d %H:%M:%S}Z' if ends else 'no time that it names'}, and it is "
            f"{now:%Y-%m-%d %H:%M:%S}Z here ({skew.total_seconds():.0f} seconds are allowed): compare the clocks.",
        )
    return ends


def _check_confirmation(signed: Element, expected: Expected, now: datetime) -> datetime:
    """Give when the best confirmation of the subject ends; the reason of the last one when none is good."""
    last: SamlRefused | None = None
    for confirmation in signed.findall("saml:Subject/saml:SubjectConfirmation", {"saml": ASSERTION}):
        data = one(confirmation, "saml:SubjectConfirmationData")
        if confirmation.get("Method") != BEARER or data is None:
            continue
        try:
            if data.get("Recipient") != expected.consumer_url:
                raise SamlRefused(
                    Reason.WRONG_RECIPIENT,
                    f"The assertion is for the recipient {shown(data.get('Recipient'))} instead of "
                    f"{shown(expected.consumer_url)}.",
                )
            _check_request(data.get("InResponseTo"), expected)
            return _check_span(data, expected.skew, now, "The confirmation of the subject")
        except SamlRefused as refused:
            last = refused
    raise last or SamlRefused(
        Reason.NO_CONFIRMATION, "The assertion does not confirm its subject for the bearer."
    )


def _check_authentication(
    signed: Element, expected: Expected, now: datetime
) -> tuple[str | None, datetime | None]:
    statement = one(signed, "saml:AuthnStatement")
    if statement is None:
        raise SamlRefused(Reason.NO_CONFIRMATION, "The assertion does not say that the person authenticated.")
    ends = moment(statement, "SessionNotOnOrAfter")
    if ends is not None and ends <= now - expected.skew:
        raise SamlRefused(
            Reason.EXPIRED, f"The person's session at the provider ended at {ends:%Y-%m-%d %H:%M:%S}Z."
        )
    if expected.again:
        at = moment(statement, "AuthnInstant")
        if at is None or expected.requested_at is None or at < expected.requested_at - expected.skew:
            raise SamlRefused(
                Reason.NOT_AGAIN,
                f"The person had to authenticate again, and the provider says that they did at {at}.",
            )
    return statement.get("SessionIndex"), ends


def _name_id(signed: Element) -> NameId:
    element = one(signed, "saml:Subject/saml:NameID")
    value = text_of(element)
    if element is None or value is None or len(value) > LONGEST_VALUE or len(element):
        raise SamlRefused(
            Reason.NO_NAME, "The assertion does not name the person (NameID is missing or empty)."
        )
    return NameId(
        value,
        element.get("Format", UNSPECIFIED),
        element.get("NameQualifier"),
        element.get("SPNameQualifier"),
    )


def _attributes(signed: Element) -> dict[str, tuple[str, ...]]:
    """Give the attributes by name, and by friendly name where no other attribute has it as its name."""
    found: dict[str, tuple[str, ...]] = {}
    friendly: dict[str, tuple[str, ...]] = {}
    values = 0
    for attribute in signed.findall("saml:AttributeStatement/saml:Attribute", {"saml": ASSERTION}):
        texts = tuple(text for value in attribute if (text := text_of(value)) is not None)
        values += len(texts)
        if (
            len(found) >= MOST_ATTRIBUTES
            or values > MOST_VALUES
            or any(len(t) > LONGEST_VALUE for t in texts)
        ):
            raise SamlRefused(Reason.TOO_LARGE, "The assertion has more or longer attributes than are read.")
        name = attribute.get("Name", "")
        found[name] = found.get(name, ()) + texts
        if attribute.get("FriendlyName"):
            friendly.setdefault(attribute.get("FriendlyName"), texts)
    return {**friendly, **found}
