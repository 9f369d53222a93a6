"""Sessions that a provider vouches for: which of ours hang on which of theirs, and ending them on both sides."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.permissions import Caller
from sentrikat.identity import web_sessions
from sentrikat.identity.admission import SignedIn
from sentrikat.identity.models import HalfOpenSignIn, WebSession
from sentrikat.identity.saml import bindings, journey
from sentrikat.identity.saml.bindings import Sending
from sentrikat.identity.saml.certificates import KeyPair
from sentrikat.identity.saml.journey import ANSWERED_WITHIN, Fetched
from sentrikat.identity.saml.logout import LASTS, LogoutRequest, logout_request, logout_response
from sentrikat.identity.saml.models import SamlRequest, SamlSession
from sentrikat.identity.saml.providers import SamlProvider
from sentrikat.identity.saml.refusal import Reason, SamlRefused
from sentrikat.identity.saml.requests import new_id
from sentrikat.identity.saml.responses import NameId
from sentrikat.identity.web_sessions import token_hash

KEPT = timedelta(days=8)  # longer than the longest session of ours may be (settings: 168 hours)


def remember(
    session: Session,
    provider: SamlProvider,
    fetched: Fetched,
    user_id: int,
    opened: SignedIn | None,
    now: datetime,
) -> None:
    """Keep the provider's names for a session. Without `opened`, a second factor is still asked for it."""
    web_session_id = None
    if opened is not None:
        web_session_id = session.scalar(
            select(WebSession.id).where(WebSession.token_hash == token_hash(opened.session.token))
        )
    detail = asdict(fetched.name_id)
    session.add(
        SamlSession(
            provider_id=provider.id,
            user_id=user_id,
            web_session_id=web_session_id,
            name_id=detail.pop("value"),
            name_id_detail=detail,
            session_index=fetched.session_index,
            created_at=now,
            expires_at=now + KEPT,
        )
    )


def held_session(session: Session, web_session_id: int) -> SamlSession | None:
    """Give what the provider calls a session of ours, if it came from one."""
    linked = session.scalar(select(SamlSession).where(SamlSession.web_session_id == web_session_id))
    if linked is not None:
        return linked
    return session.scalar(
        select(SamlSession)
        .join(
            WebSession,
            (WebSession.user_id == SamlSession.user_id) & (WebSession.provider_id == SamlSession.provider_id),
        )
        .where(WebSession.id == web_session_id, SamlSession.web_session_id.is_(None))
        .order_by(SamlSession.id.desc())
        .limit(1)
    )


def leave(
    session: Session, provider: SamlProvider, held: SamlSession, keys: tuple[KeyPair, ...], now: datetime
) -> Sending | None:
    """Tell the provider that a person signs out here; None when it has no address for that."""
    url = provider.configuration.slo_url
    if not url:
        return None
    request_id = new_id()
    session.add(
        SamlRequest(
            request_id=request_id,
            provider_id=provider.id,
            created_at=now,
            expires_at=now + ANSWERED_WITHIN,
            next_path="/sign-in",
        )
    )
    name_id = NameId(held.name_id, **held.name_id_detail)
    message = logout_request(request_id, provider.ours, url, name_id, held.session_index, now)
    return bindings.send("SAMLRequest", message, url, provider.configuration.slo_binding, keys[0])


def left(session: Session, provider: SamlProvider, in_response_to: str | None, now: datetime) -> bool:
    """Take the provider's answer to a logout request of ours; False when there was none."""
    gone = session.scalar(
        delete(SamlRequest)
        .where(
            SamlRequest.request_id == (in_response_to or ""),
            SamlRequest.provider_id == provider.id,
            SamlRequest.browser_hash.is_(None),
            SamlRequest.person.is_(None),
            SamlRequest.expires_at > now,
        )
        .returning(SamlRequest.id)
    )
    return gone is not None


def end_sessions(
    session: Session, provider: SamlProvider, request: LogoutRequest, *, address: str | None, now: datetime
) -> int:
    """End our sessions that the provider ended; give how many. A request is taken once."""
    until = now + LASTS + 2 * provider.configuration.skew
    journey.use_once(session, provider.id, request.id, until, "The logout request")
    query = select(SamlSession).where(
        SamlSession.provider_id == provider.id, SamlSession.name_id == request.name_id.value
    )
    if request.session_indexes:
        query = query.where(
            SamlSession.session_index.in_(request.session_indexes) | SamlSession.session_index.is_(None)
        )
    ended = 0
    for held in session.scalars(query).all():
        theirs = (WebSession.user_id == held.user_id) & (WebSession.provider_id == provider.id)
        meant = theirs if held.web_session_id is None else WebSession.id == held.web_session_id
        session.execute(
            delete(HalfOpenSignIn).where(
                HalfOpenSignIn.user_id == held.user_id, HalfOpenSignIn.provider_id == provider.id
            )
        )
        gone = session.scalars(delete(WebSession).where(meant).returning(WebSession.id)).all()
        session.execute(delete(SamlSession).where(SamlSession.id == held.id))
        ended += len(gone)
        record(
            session,
            Caller(0, f"provider:{provider.id}", frozenset(), address),
            "sign_out",
            f"user:{held.user_id}",
            {"by": "identity provider", "sessions": len(gone)},
            now=now,
        )
    return ended


def answer(
    provider: SamlProvider,
    request: LogoutRequest,
    keys: tuple[KeyPair, ...],
    relay_state: str,
    now: datetime,
    *,
    good: bool,
) -> Sending | None:
    """Answer the provider's logout request; None when it has no address for that."""
    url = provider.configuration.slo_response_url or provider.configuration.slo_url
    if not url:
        return None
    message = logout_response(request.id, provider.ours, url, now, good=good)
    return bindings.send(
        "SAMLResponse", message, url, provider.configuration.slo_binding, keys[0], relay_state
    )


def prove_again(
    session: Session, web_session_id: int, user_id: int, address: str | None, now: datetime
) -> str:
    """Note that the person of a session authenticated again; give its new token.

    SamlRefused when somebody else did.
    """
    own = session.scalar(
        select(WebSession.id).where(WebSession.id == web_session_id, WebSession.user_id == user_id)
    )
    if own is None:
        raise SamlRefused(Reason.OTHER_PERSON, "Somebody else authenticated than the one who is signed in.")
    actor = f"user:{user_id}"
    record(
        session,
        Caller(0, actor, frozenset(), address),
        "session.confirmed",
        actor,
        {"method": "saml"},
        now=now,
    )
    return web_sessions.confirm(session, own, now)
