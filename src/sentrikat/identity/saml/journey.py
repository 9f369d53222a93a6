"""The way of a person to the provider and back, in three requests of their browser.

    start     a question is stored, bound to a cookie of this browser; off to the provider
    receive   the provider's answer comes as a form from another site, so without our cookies: it is checked,
              taken once, and kept under a ticket
    finish    the browser fetches the ticket from our own site, with its cookie: only where the question was
              asked does the answer sign anybody in

Nobody can be signed in as somebody else by being sent an answer (login CSRF), and no cookie of ours has to be
SameSite=None (docs/adr/0030).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.permissions import Caller
from sentrikat.identity.provisioning import ExternalPerson
from sentrikat.identity.saml import bindings, responses, second_opinion
from sentrikat.identity.saml.bindings import Sending
from sentrikat.identity.saml.certificates import KeyPair
from sentrikat.identity.saml.models import SamlRequest, SamlSession, SamlUsed
from sentrikat.identity.saml.names import EMAIL, TRANSIENT
from sentrikat.identity.saml.providers import SamlProvider, note_error
from sentrikat.identity.saml.refusal import Reason, SamlRefused, shown
from sentrikat.identity.saml.requests import authentication_request, new_id
from sentrikat.identity.saml.responses import Assertion, Expected, NameId, OpenedResponse
from sentrikat.identity.web_sessions import token_hash

ANSWERED_WITHIN = timedelta(minutes=30)  # a sign-in with a forgotten second factor takes its time
FETCHED_WITHIN = timedelta(minutes=2)  # a redirect takes a second
MOST_OPEN = 200  # questions of one address at a time: an office behind one, and no more of a flood


@dataclass(frozen=True, slots=True)
class Started:
    """Where the browser goes, and what its cookie has to hold until it comes back."""

    sending: Sending
    browser: str


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, found again by the answer; `request_id` None: nothing was."""

    request_id: str | None
    created_at: datetime | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """Whom the provider vouches for, in the browser that asked; not yet admitted."""

    person: ExternalPerson
    name_id: NameId
    session_index: str | None
    session_ends_at: datetime | None
    next_path: str
    web_session_id: int | None  # somebody proved again who they are, within this session


def start(
    session: Session,
    provider: SamlProvider,
    keys: tuple[KeyPair, ...],
    *,
    browser: str | None,
    next_path: str,
    address: str | None,
    now: datetime,
    web_session_id: int | None = None,
) -> Started:
    """Store a question and send the browser to the provider with it.

    With `web_session_id` the person of that session must authenticate again. A browser keeps the value of its
    cookie, so that two tabs can be under way at once.
    """
    purge(session, now)
    waiting = session.scalar(
        select(func.count())
        .select_from(SamlRequest)
        .where(SamlRequest.address == address, SamlRequest.answered_at.is_(None))
    )
    if (waiting or 0) >= MOST_OPEN:
        raise SamlRefused(
            Reason.BUSY, f"{waiting} sign-ins of this address are open at once; no more are begun."
        )
    browser = browser if browser is not None and 40 <= len(browser) <= 100 else secrets.token_urlsafe(32)
    request_id, again = new_id(), web_session_id is not None
    session.add(
        SamlRequest(
            request_id=request_id,
            provider_id=provider.id,
            browser_hash=token_hash(browser),
            again=again,
            web_session_id=web_session_id,
            next_path=next_path,
            address=address,
            created_at=now,
            expires_at=now + ANSWERED_WITHIN,
        )
    )
    wanted = provider.configuration
    message = authentication_request(
        request_id, provider.ours, wanted.sso_url, wanted.name_id_format, now, again=again
    )
    return Started(
        bindings.send("SAMLRequest", message, wanted.sso_url, wanted.sso_binding, keys[0]), browser
    )


def question_of(session: Session, provider: SamlProvider, opened: OpenedResponse, now: datetime) -> Question:
    """Find what a response answers. Nothing of it is to be believed yet."""
    if opened.in_response_to is None:
        if provider.configuration.idp_initiated:
            return Question(None)
        raise SamlRefused(
            Reason.UNSOLICITED,
            "The response answers no request: the sign-in was started at the provider, which is switched off here.",
        )
    row = session.scalar(
        select(SamlRequest).where(
            SamlRequest.request_id == opened.in_response_to,
            SamlRequest.provider_id == provider.id,
            SamlRequest.expires_at > now,
        )
    )
    if row is None:
        raise SamlRefused(
            Reason.UNKNOWN_REQUEST,
            f"The response answers the request {shown(opened.in_response_to)}, which was never asked of this provider, "
            f"or more than {ANSWERED_WITHIN.total_seconds() / 60:.0f} minutes ago.",
        )
    if row.answered_at is not None:
        raise SamlRefused(
            Reason.REPLAYED, f"The request was answered before, at {row.answered_at:%Y-%m-%d %H:%M:%S}Z."
        )
    return Question(row.request_id, row.created_at, row.again)


def read_answer(
    provider: SamlProvider,
    opened: OpenedResponse,
    question: Question,
    keys: tuple[KeyPair, ...],
    now: datetime,
) -> Assertion:
    """Check a response in full: ours first, then python3-saml. Touches no database, so nothing waits for it."""
    wanted = provider.configuration
    expected = Expected(
        provider=wanted.entity_id,
        certificates=wanted.read_certificates,
        audience=provider.ours.entity_id,
        consumer_url=provider.ours.consumer_url,
        keys=keys,
        request_id=question.request_id,
        requested_at=question.created_at,
        again=question.again,
        signed_response=wanted.signed_response,
        encrypted=wanted.encrypted,
        skew=wanted.skew,
    )
    assertion = responses.read_assertion(opened, expected, now)
    second_opinion.ask(opened, assertion, expected)
    return assertion


def take(
    session: Session,
    provider: SamlProvider,
    question: Question,
    assertion: Assertion,
    *,
    next_path: str,
    address: str | None,
    now: datetime,
) -> str:
    """Take a checked answer, once, and give the ticket that fetches it.

    The insert decides between two processes that hold the same assertion: one of them gets the row.
    """
    person = _person(provider, assertion)
    use_once(session, provider.id, assertion.id, assertion.usable_until, "The assertion")
    ticket = secrets.token_urlsafe(32)
    values = {
        "answered_at": now,
        "ticket_hash": token_hash(ticket),
        "person": {
            **asdict(person),
            "groups": sorted(person.groups),
            "name_id": asdict(assertion.name_id),
            "session_index": assertion.session_index,
            "session_ends_at": assertion.session_ends_at.isoformat() if assertion.session_ends_at else None,
        },
    }
    if question.request_id is None:
        session.add(
            SamlRequest(
                request_id=new_id(),
                provider_id=provider.id,
                next_path=next_path,
                address=address,
                created_at=now,
                expires_at=now + FETCHED_WITHIN,
                **values,
            )
        )
        return ticket
    taken = session.scalar(
        update(SamlRequest)
        .where(SamlRequest.request_id == question.request_id, SamlRequest.answered_at.is_(None))
        .values(**values)
        .returning(SamlRequest.id)
    )
    if taken is None:
        raise SamlRefused(Reason.REPLAYED, "The request was answered by another response a moment ago.")
    return ticket


def fetch(
    session: Session, provider: SamlProvider, ticket: str, browser: str | None, now: datetime
) -> Fetched:
    """Give what waits under a ticket, once, to the browser that asked; SamlRefused to any other."""
    row = session.scalar(
        select(SamlRequest)
        .where(
            SamlRequest.ticket_hash == token_hash(ticket),
            SamlRequest.provider_id == provider.id,
            SamlRequest.answered_at > now - FETCHED_WITHIN,
        )
        .with_for_update()
    )
    if row is None or row.person is None:
        raise SamlRefused(Reason.REPLAYED, "The answer was fetched before, or more than two minutes ago.")
    if row.browser_hash is not None and not hmac.compare_digest(row.browser_hash, token_hash(browser or "")):
        raise SamlRefused(
            Reason.OTHER_BROWSER,
            "The answer came to another browser than the one that asked, or that one takes no cookies.",
        )
    person, row.person, row.ticket_hash = dict(row.person), None, None
    session.flush()
    name_id = NameId(**person.pop("name_id"))
    session_index, ends = person.pop("session_index"), person.pop("session_ends_at")
    return Fetched(
        ExternalPerson(**{**person, "groups": frozenset(person["groups"])}),
        name_id,
        session_index,
        datetime.fromisoformat(ends) if ends else None,
        row.next_path,
        row.web_session_id,
    )


def use_once(session: Session, provider_id: int, message_id: str, until: datetime, what: str) -> None:
    """Remember a message until it would be refused for its age anyway; SamlRefused when it was here before."""
    first = session.scalar(
        insert(SamlUsed)
        .values(
            provider_id=provider_id,
            message_hash=hashlib.sha256(message_id.encode()).digest(),
            expires_at=until,
        )
        .on_conflict_do_nothing()
        .returning(SamlUsed.provider_id)
    )
    if first is None:
        raise SamlRefused(Reason.REPLAYED, f"{what} {shown(message_id)} was taken before.")


def refuse(
    session: Session,
    provider: SamlProvider,
    refused: SamlRefused,
    *,
    address: str | None,
    reference: str,
    now: datetime,
) -> None:
    """Enter a refusal into the log and beside the provider: the exact reason is for administrators alone."""
    record(
        session,
        Caller(0, "visitor", frozenset(), address),
        "sign_in.refused",
        f"identity_provider:{provider.id}",
        {"method": "saml", "reason": refused.reason.value, "why": refused.message, "reference": reference},
        now=now,
    )
    note_error(session, provider.id, f"{refused.message} (reference {reference})", now)


def purge(session: Session, now: datetime) -> None:
    """Delete what has ended. Each start sweeps: who signs in pays for who did."""
    for table in (SamlRequest, SamlUsed, SamlSession):
        session.execute(delete(table).where(table.expires_at <= now))


def _person(provider: SamlProvider, assertion: Assertion) -> ExternalPerson:
    wanted, name_id = provider.configuration, assertion.name_id
    if wanted.external_id_attribute:
        external_id = _single(assertion, wanted.external_id_attribute)
    elif name_id.format == TRANSIENT:
        raise SamlRefused(
            Reason.TRANSIENT_NAME,
            "The provider named the person by a transient name, which is another one each time, and no attribute is "
            "configured that names them for good.",
        )
    else:
        external_id = name_id.value
    email = assertion.attributes.get(wanted.email_attribute, ())
    names = assertion.attributes.get(wanted.name_attribute, ())
    login = _single(assertion, wanted.login_attribute) if wanted.login_attribute else name_id.value
    return ExternalPerson(
        provider_id=provider.id,
        external_id=external_id,
        login=login,
        display_name=names[0] if names else login,
        email=email[0] if email else name_id.value if name_id.format == EMAIL else None,
        groups=frozenset(assertion.attributes.get(wanted.groups_attribute, ())),
    )


def _single(assertion: Assertion, attribute: str) -> str:
    """Give the only value of an attribute that names a person; two values name nobody."""
    values = assertion.attributes.get(attribute, ())
    if len(values) != 1:
        sent = ", ".join(shown(name, 60) for name in sorted(assertion.attributes)[:10]) or "none"
        raise SamlRefused(
            Reason.NO_NAME,
            f"The attribute {shown(attribute)} names the person, and came with {len(values)} values instead of one. "
            f"Attributes sent: {sent}.",
        )
    return values[0]
