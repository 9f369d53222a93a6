"""What pages share that lead to identity providers and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from urllib.parse import urlencode

from fastapi import Request, Response
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Forbidden, NotFound, Unavailable
from sentrikat.identity.access import Visit
from sentrikat.identity.admission import SignInMethod
from sentrikat.identity.saml import journey, sessions
from sentrikat.identity.saml.bindings import Sending
from sentrikat.identity.saml.keys import key_pairs
from sentrikat.identity.saml.providers import SamlProvider, get_provider, list_providers
from sentrikat.identity.saml.refusal import SamlRefused
from sentrikat.identity.web_sessions import SignedInSession
from sentrikat.web.context import address_of, count_sign_in, database_of, settings_of, vault_of
from sentrikat.web.rendering import render


def public_url_of(request: Request) -> str:
    """Give our address as providers know it. It is never taken from the request.

    Whoever says in the `Host` header what we are called would choose for whom an assertion is: one that was
    made for another service of the same provider could be handed in here.
    """
    public = settings_of(request).public_url
    if public is None:
        raise Unavailable(
            "Signing in with an identity provider is not possible: this server does not know its own address.",
            hint="An administrator sets SENTRIKAT_PUBLIC_URL to the address in the browser's address bar.",
            code="no_public_url",
        )
    return public


def provider_of(request: Request, provider_id: int) -> SamlProvider:
    """Give an enabled SAML provider; NotFound when there is none."""
    public_url = public_url_of(request)
    with database_of(request).as_system() as session:
        return get_provider(session, provider_id, public_url)


def ways_in(request: Request) -> list[tuple[str, str]]:
    """Give the providers for the sign-in page: where each begins, and its name."""
    public = settings_of(request).public_url
    if public is None:
        return []
    with database_of(request).as_system() as session:
        return [(f"/saml/{provider.id}/start", provider.name) for provider in list_providers(session, public)]


def ask_again(signed_in: SignedInSession, back: str) -> str | None:
    """Say where a session that a SAML provider vouched for proves again whose it is."""
    if signed_in.method != SignInMethod.SAML.value or signed_in.provider_id is None:
        return None
    return f"/saml/{signed_in.provider_id}/start?{urlencode({'again': 'true', 'next': back})}"


@contextmanager
def refusals(request: Request, provider: SamlProvider, now: datetime) -> Iterator[None]:
    """Log why a message was refused, and tell the person no more than where an administrator finds it.

    Refusals count in the sign-in budget of their address, and beyond it none is logged: anybody can send what is
    refused, and each entry is for good. Good messages are not counted: they come from where the bad ones come
    from when a whole office is behind one address.
    """
    try:
        yield
    except SamlRefused as refused:
        count_sign_in(request)
        reference = str(getattr(request.state, "request_id", ""))[:64]
        with database_of(request).as_system() as session:
            journey.refuse(
                session, provider, refused, address=address_of(request), reference=reference, now=now
            )
        raise Forbidden(
            f"You were not signed in: what {provider.name} sent was not accepted.",
            hint=f"Try again from the sign-in page. If it happens again, an administrator finds the reason under the "
            f"reference {reference}.",
            code="saml",
        ) from None


def go(request: Request, sending: Sending, now: datetime, *, words: str, title: str) -> Response:
    """Send the browser to a provider: by a redirect, or by a form for what does not fit into an address."""
    if not sending.fields:
        return Response(status_code=303, headers={"Location": sending.url})
    return _page(request, sending, now, words=words, title=title)


def farewell(request: Request, session: Session, visit: Visit, now: datetime) -> Response | None:
    """Give the page that ends the session at the provider as well, when this one came from there.

    A page and no redirect: it answers a form of ours, which may lead nowhere else (content security policy).
    """
    public = settings_of(request).public_url
    held = sessions.held_session(session, visit.session.id)
    if held is None or public is None:
        return None
    try:
        provider = get_provider(session, held.provider_id, public)
    except NotFound:
        return None  # switched off or removed since
    sending = sessions.leave(session, provider, held, key_pairs(session, vault_of(request), now), now)
    if sending is None:
        return None
    return _page(
        request,
        sending,
        now,
        words=f"You are signed out here. Now your session at {provider.name} is ended as well.",
        title="Signing out",
    )


def _page(request: Request, sending: Sending, now: datetime, *, words: str, title: str) -> Response:
    request.state.form_target = sending.origin
    return render(request, "saml_send.html", visit=None, now=now, sending=sending, words=words, title=title)
