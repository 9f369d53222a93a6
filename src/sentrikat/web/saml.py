"""Signing in with an identity provider: off to it, back with its answer, and out again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData

from sentrikat.domain.errors import Forbidden
from sentrikat.identity.admission import Proven, Refused, SignedIn, SignInMethod, finish, rules_of
from sentrikat.identity.provisioning import REASON_WORDS, NotAdmitted, admit
from sentrikat.identity.saml import journey, sessions
from sentrikat.identity.saml.bindings import Sending, receive_post, receive_redirect
from sentrikat.identity.saml.documents import Element
from sentrikat.identity.saml.keys import key_pairs
from sentrikat.identity.saml.logout import read_logout_request, read_logout_response
from sentrikat.identity.saml.providers import SamlProvider, note_error
from sentrikat.identity.saml.refusal import Reason, SamlRefused
from sentrikat.identity.saml.responses import open_response
from sentrikat.identity.saml.sp_metadata import write_metadata
from sentrikat.web.context import (
    Now,
    address_of,
    arrival_of,
    cookies_of,
    database_of,
    find_visit,
    read_form,
    settings_of,
    vault_of,
)
from sentrikat.web.sign_in import enter, own_path, see_other, with_session
from sentrikat.web.single_sign_on import go, provider_of, refusals

router = APIRouter(prefix="/saml/{provider_id}")

_LONGEST_RELAY_STATE = 2_000  # the standard allows 80 bytes, and providers take no notice


def _message(form: FormData, name: str) -> str | None:
    """Give a field that may be there once."""
    given = form.getlist(name)
    if len(given) > 1:
        raise SamlRefused(Reason.MISPLACED, f"The form has {name} {len(given)} times.")
    return str(given[0]) if given else None


@router.get("/metadata")
def metadata(request: Request, provider_id: int, now: Now) -> Response:
    """Describe us to the provider, signed."""
    provider = provider_of(request, provider_id)
    with database_of(request).as_system() as session:
        keys = key_pairs(session, vault_of(request), now)
    written = write_metadata(provider.ours, keys, provider.configuration.name_id_format, now)
    return Response(written, media_type="application/samlmetadata+xml")


@router.get("/start")
def start(
    request: Request,
    provider_id: int,
    now: Now,
    next: str = "/",  # noqa: A002 - the name in the address
    again: bool = False,
) -> Response:
    """Send the browser to the provider. `again` asks who is signed in to prove once more who they are."""
    provider, cookies = provider_of(request, provider_id), cookies_of(request)
    visit = find_visit(request) if again else None
    again_for = visit.session.id if visit is not None and visit.session.provider_id == provider.id else None
    with refusals(request, provider, now), database_of(request).as_system() as session:
        started = journey.start(
            session,
            provider,
            key_pairs(session, vault_of(request), now),
            browser=request.cookies.get(cookies.saml),
            next_path=own_path(next),
            address=address_of(request),
            now=now,
            web_session_id=again_for,
        )
    answer = go(
        request, started.sending, now, words=f"On to {provider.name}, where you sign in.", title="Signing in"
    )
    answer.set_cookie(
        cookies.saml,
        started.browser,
        httponly=True,
        secure=settings_of(request).secure_cookies,
        samesite="lax",
        path="/",
        max_age=int(journey.ANSWERED_WITHIN.total_seconds()),
    )
    return answer


@router.post("/acs")
def receive(
    request: Request, provider_id: int, now: Now, form: Annotated[FormData, Depends(read_form)]
) -> Response:
    """Take the provider's answer, which comes from its site and so without our cookies."""
    provider, database = provider_of(request, provider_id), database_of(request)
    with refusals(request, provider, now):
        opened = open_response(_message(form, "SAMLResponse") or "")
        with database.as_system() as session:
            question = journey.question_of(session, provider, opened, now)
            keys = key_pairs(session, vault_of(request), now)
        assertion = journey.read_answer(provider, opened, question, keys, now)
        with database.as_system() as session:
            ticket = journey.take(
                session,
                provider,
                question,
                assertion,
                next_path=own_path(_message(form, "RelayState") or "/"),
                address=address_of(request),
                now=now,
            )
    return see_other(f"/saml/{provider.id}/finish?ticket={ticket}")


@router.get("/finish")
def fetch(request: Request, provider_id: int, now: Now, ticket: str = "") -> Response:
    """Sign in whom the provider vouched for, in the browser that asked."""
    provider, settings = provider_of(request, provider_id), settings_of(request)
    with refusals(request, provider, now), database_of(request).as_system() as session:
        fetched = journey.fetch(session, provider, ticket, request.cookies.get(cookies_of(request).saml), now)
        user = admit(session, fetched.person, address=address_of(request), now=now)
        if isinstance(user, NotAdmitted):
            why = f"{fetched.person.login[:100]} was not let in: {REASON_WORDS[user.reason]}."
            note_error(session, provider.id, why, now)
        elif fetched.web_session_id is not None:
            token = sessions.prove_again(session, fetched.web_session_id, user.id, address_of(request), now)
            return with_session(request, see_other(own_path(fetched.next_path)), token)
        else:
            outcome = finish(
                session,
                user,
                Proven(user.id, SignInMethod.SAML, provider.id),
                rules_of(settings),
                arrival_of(request, own_path(fetched.next_path)),
                now=now,
            )
            if not isinstance(outcome, Refused):
                opened = outcome if isinstance(outcome, SignedIn) else None
                sessions.remember(session, provider, fetched, user.id, opened, now)
                note_error(session, provider.id, None, now)
    if isinstance(user, NotAdmitted) or isinstance(outcome, Refused):
        raise Forbidden(
            f"{provider.name} knows you, but you have no access to this installation.",
            hint="Ask an administrator; the log has the reason under the reference "
            f"{getattr(request.state, 'request_id', '')}.",
            code="not_admitted",
        )
    answer = enter(request, outcome)
    answer.delete_cookie(
        cookies_of(request).saml, path="/", secure=settings.secure_cookies, httponly=True, samesite="lax"
    )
    return answer


@router.get("/logout")
def logout_by_redirect(request: Request, provider_id: int, now: Now) -> Response:
    """Take a logout message in the address."""
    provider = provider_of(request, provider_id)
    query = request.scope["query_string"].decode("latin-1")
    kind = "SAMLRequest" if "SAMLRequest" in request.query_params else "SAMLResponse"
    with refusals(request, provider, now):
        root = receive_redirect(kind, query, provider.configuration.read_certificates)
    return _logout(request, provider, kind, root, request.query_params.get("RelayState", ""), now)


@router.post("/logout")
def logout_by_form(
    request: Request, provider_id: int, now: Now, form: Annotated[FormData, Depends(read_form)]
) -> Response:
    """Take a logout message in a form."""
    provider = provider_of(request, provider_id)
    kind = "SAMLRequest" if "SAMLRequest" in form else "SAMLResponse"
    with refusals(request, provider, now):
        root = receive_post(_message(form, kind) or "", provider.configuration.read_certificates)
        relay_state = _message(form, "RelayState") or ""
    return _logout(request, provider, kind, root, relay_state, now)


def _logout(
    request: Request, provider: SamlProvider, kind: str, root: Element, relay_state: str, now: Now
) -> Response:
    database = database_of(request)
    if kind == "SAMLResponse":
        with refusals(request, provider, now):
            answered, good = read_logout_response(root, provider.configuration, provider.ours, now)
            with database.as_system() as session:
                if not sessions.left(session, provider, answered, now):
                    raise SamlRefused(
                        Reason.UNKNOWN_REQUEST, "The logout response answers no request of ours."
                    )
                if not good:
                    words = "The provider did not end the person's session everywhere."
                    note_error(session, provider.id, words, now)
        return see_other("/sign-in")
    with refusals(request, provider, now):
        asked = read_logout_request(root, provider.configuration, provider.ours, now)
        with database.as_system() as session:
            sessions.end_sessions(session, provider, asked, address=address_of(request), now=now)
            sending = sessions.answer(
                provider,
                asked,
                key_pairs(session, vault_of(request), now),
                relay_state if len(relay_state) <= _LONGEST_RELAY_STATE else "",
                now,
                good=True,
            )
    return _answer(request, sending, provider, now)


def _answer(request: Request, sending: Sending | None, provider: SamlProvider, now: Now) -> Response:
    if sending is None:
        return see_other("/sign-in")
    return go(
        request, sending, now, words=f"You are signed out here. Back to {provider.name}.", title="Signed out"
    )
