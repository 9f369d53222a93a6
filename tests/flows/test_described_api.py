"""The API as it is described, called with what the description allows and with what it does not, by everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from structlog.testing import capture_logs

from sentrikat.app import create_app
from sentrikat.domain.permissions import Permission, Role
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.conftest import NOON
from tests.flows.estate import Estate, key, session_of

EXAMPLES = 8  # of each operation: half a minute for all
WHO = ["nobody", "wrong key", "agent key", "admin", *(role.value for role in Role)]


_PARTS = ("method", "url", "params", "json", "data", "content")


@pytest.fixture(scope="module")
def app(database: Database) -> FastAPI:
    """The application, for the whole module."""
    return create_app(Settings(), database.url, clock=FrozenClock(NOON))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    """Programs and browsers."""
    with (
        capture_logs(),
        TestClient(app, follow_redirects=False, raise_server_exceptions=False) as started,
    ):
        yield started


@pytest.fixture(scope="module")
def headers_of(database: Database, estate: Estate, client: TestClient) -> Callable[[str], dict[str, str]]:
    """What each kind of caller sends; a session that was ended meanwhile is opened anew."""
    clock = FrozenClock(NOON)
    agent = key(database, clock, estate, Permission.REPORT_SUBMIT).secret
    held: dict[str, dict[str, str]] = {
        "nobody": {},
        "wrong key": {"Authorization": "Bearer sk_aaaaaaaaaa_" + "b" * 43},
        "agent key": {"Authorization": f"Bearer {agent}"},
    }

    def give(who: str) -> dict[str, str]:
        if who in held and (who in WHO[:3] or client.get("/api/v1/me", headers=held[who]).status_code == 200):
            return held[who]
        cookie = {"Cookie": f"sentrikat_session={session_of(database, clock, estate, who)}"}
        token = client.get("/api/v1/me", headers=cookie).json().get("csrf_token", "")
        held[who] = {**cookie, "X-CSRF-Token": token}
        return held[who]

    return give


def operations(app: FastAPI) -> list[Any]:
    """Every operation of the description."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    found: list[Any] = list(schema.get_all_operations())
    return [one.ok() for one in found]  # one that cannot be read raises


def test_no_call_breaks_the_server_and_every_refusal_is_a_problem(
    app: FastAPI, client: TestClient, headers_of: Callable[[str], dict[str, str]]
) -> None:
    wrong: dict[str, Any] = {}
    called: dict[int, int] = {}

    def sweep(operation: Any) -> None:
        place = f"{operation.method.upper()} {operation.path}"
        described = set(operation.definition.raw["responses"])

        @hypothesis.settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        )
        @given(case=operation.as_strategy(), who=st.sampled_from(WHO))
        def call(case: Any, who: str) -> None:
            sent = case.as_transport_kwargs(base_url="http://testserver")
            if isinstance(sent.get("data"), bytes | str):
                sent["content"] = sent.pop("data")
            headers = {**dict(sent.pop("headers", None) or {}), **headers_of(who)}
            answer = client.request(
                headers={name: str(value) for name, value in headers.items()},
                **{name: sent[name] for name in _PARTS if sent.get(name)},
            )
            called[answer.status_code] = called.get(answer.status_code, 0) + 1
            if answer.status_code >= 500:
                wrong[place] = (who, answer.status_code, sent, answer.text[:300])
            elif answer.status_code >= 400:
                kind = answer.headers["content-type"]
                if (
                    not kind.startswith("application/problem+json")
                    or answer.json()["status"] != answer.status_code
                ):
                    wrong[place] = (who, answer.status_code, kind)
            elif str(answer.status_code) not in described and answer.status_code != 304:
                wrong[place] = (who, answer.status_code, "not described", described)

        call()

    for operation in operations(app):
        sweep(operation)

    assert wrong == {}
    assert {200, 401, 403, 404, 422} <= set(called)


# What a header may hold: any byte but those that end it.
_HEADER = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=120).map(str.strip)
_KEYS = st.from_regex(r"sk_[a-z0-9]{0,12}_[A-Za-z0-9_-]{0,50}", fullmatch=True)
_CREDENTIALS = st.one_of(
    st.tuples(st.just("Authorization"), st.one_of(_HEADER, _KEYS.map("Bearer {}".format))),
    st.tuples(st.just("Cookie"), st.one_of(_HEADER, _HEADER.map("sentrikat_session={}".format))),
)


@hypothesis.settings(
    max_examples=80, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@given(credential=_CREDENTIALS)
def test_no_credential_that_was_not_given_out_opens_or_breaks_anything(
    client: TestClient, credential: tuple[str, str]
) -> None:
    sent = [(credential[0].encode(), credential[1].encode("latin-1"))]

    assert client.get("/api/v1/me", headers=sent).status_code == 401
    assert client.get("/findings", headers=sent).status_code == 303


@hypothesis.settings(
    max_examples=40, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@given(token=_HEADER)
def test_no_token_but_the_session_s_own_changes_anything(
    client: TestClient, headers_of: Callable[[str], dict[str, str]], token: str
) -> None:
    cookie = headers_of("administrator")["Cookie"]
    sent = [(b"Cookie", cookie.encode()), (b"X-CSRF-Token", token.encode("latin-1"))]

    assert client.delete("/api/v1/api-keys/999999", headers=sent).status_code == 403
