"""Single logout: we tell the provider, and it tells us."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sentrikat.identity.saml.configuration import SamlConfiguration
from sentrikat.identity.saml.documents import Element, moment, one, text_of
from sentrikat.identity.saml.names import PROTOCOL, RESPONDER, SUCCESS, UNSPECIFIED, tag
from sentrikat.identity.saml.refusal import Reason, SamlRefused, shown
from sentrikat.identity.saml.requests import SAML, SAMLP, instant, new_id
from sentrikat.identity.saml.responses import NameId
from sentrikat.identity.saml.sp_metadata import ServiceProvider

LASTS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """The provider says that a person signed out; no indexes mean all their sessions."""

    id: str
    name_id: NameId
    session_indexes: tuple[str, ...]


def logout_request(
    request_id: str,
    ours: ServiceProvider,
    destination: str,
    name_id: NameId,
    session_index: str | None,
    now: datetime,
) -> Element:
    """Tell the provider that a person signed out here."""
    naming = {
        "Format": name_id.format,
        "NameQualifier": name_id.qualifier,
        "SPNameQualifier": name_id.sp_qualifier,
    }
    message = SAMLP.LogoutRequest(
        {
            "ID": request_id,
            "Version": "2.0",
            "IssueInstant": instant(now),
            "Destination": destination,
            "NotOnOrAfter": instant(now + LASTS),
        },
        SAML.Issuer(ours.entity_id),
        SAML.NameID(name_id.value, {name: value for name, value in naming.items() if value}),
    )
    if session_index is not None:
        message.append(SAMLP.SessionIndex(session_index))
    return message


def logout_response(
    in_response_to: str, ours: ServiceProvider, destination: str, now: datetime, *, good: bool
) -> Element:
    """Answer the provider's logout request."""
    return SAMLP.LogoutResponse(
        {
            "ID": new_id(),
            "Version": "2.0",
            "IssueInstant": instant(now),
            "Destination": destination,
            "InResponseTo": in_response_to,
        },
        SAML.Issuer(ours.entity_id),
        SAMLP.Status(SAMLP.StatusCode({"Value": SUCCESS if good else RESPONDER})),
    )


def read_logout_request(
    root: Element, configuration: SamlConfiguration, ours: ServiceProvider, now: datetime
) -> LogoutRequest:
    """Read a logout request whose signature holds; SamlRefused unless it is for us, and of now."""
    _check(root, "LogoutRequest", configuration, ours, now)
    ends = moment(root, "NotOnOrAfter")
    if ends is not None and ends <= now - configuration.skew:
        raise SamlRefused(Reason.EXPIRED, f"The logout request was valid until {instant(ends)}.")
    element = one(root, "saml:NameID")
    value = text_of(element)
    if element is None or value is None or not root.get("ID"):
        raise SamlRefused(Reason.NO_NAME, "The logout request does not name the person.")
    indexes = [text_of(index) for index in root.findall(tag(PROTOCOL, "SessionIndex"))]
    return LogoutRequest(
        root.get("ID"),
        NameId(
            value,
            element.get("Format", UNSPECIFIED),
            element.get("NameQualifier"),
            element.get("SPNameQualifier"),
        ),
        tuple(index for index in indexes if index is not None),
    )


def read_logout_response(
    root: Element, configuration: SamlConfiguration, ours: ServiceProvider, now: datetime
) -> tuple[str | None, bool]:
    """Give which request of ours a logout response answers, and whether the provider signed the person out."""
    _check(root, "LogoutResponse", configuration, ours, now)
    code = one(root, "samlp:Status/samlp:StatusCode")
    return root.get("InResponseTo"), code is not None and code.get("Value") == SUCCESS


def _check(
    root: Element, kind: str, configuration: SamlConfiguration, ours: ServiceProvider, now: datetime
) -> None:
    if root.tag != tag(PROTOCOL, kind) or root.get("Version") != "2.0":
        raise SamlRefused(Reason.NOT_A_RESPONSE, f"The message is no {kind} but {shown(str(root.tag))}.")
    issuer = text_of(one(root, "saml:Issuer"))
    if issuer != configuration.entity_id:
        raise SamlRefused(
            Reason.WRONG_ISSUER,
            f"The message was issued by {shown(issuer)} instead of {shown(configuration.entity_id)}.",
        )
    if root.get("Destination") != ours.logout_url:
        raise SamlRefused(
            Reason.WRONG_DESTINATION,
            f"The message is for {shown(root.get('Destination'))} instead of {shown(ours.logout_url)}.",
        )
    issued = moment(root, "IssueInstant")
    # An old request would end sessions that were opened since.
    if issued is None or not now - LASTS - configuration.skew <= issued <= now + configuration.skew:
        raise SamlRefused(
            Reason.EXPIRED, f"The message was issued at {issued}, and it is {instant(now)} here."
        )
