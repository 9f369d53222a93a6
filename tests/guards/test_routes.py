"""Every route says who may call it, and a sweep over all of them shows that it is so.

The routes are enumerated from the application: a new one is swept without anybody's thinking of it, and one
that asks for no permission fails here until it is named below with its reason. The sweep calls every route as
every kind of caller (callers.py), with things of one organization in the address (targets.py); all its answers
are the table docs/security/access-matrix.md.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from fastapi import FastAPI

from sentrikat.api.context import SAFE_METHODS, authenticate
from sentrikat.api.router import entrances
from sentrikat.app import create_app
from sentrikat.audit.journal import record
from sentrikat.domain.permissions import KEY_SCOPES, READ_ONLY, Permission
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from sentrikat.web.context import signed_in
from tests.flows.conftest import NOON
from tests.flows.estate import WEB_03, key, report
from tests.guards.matrix import TARGET, TITLE, Cell, Sweep, document, run, swept
from tests.postgres import SharedServer

REPOSITORY = Path(__file__).parent.parent.parent
OPENAPI = REPOSITORY / "docs" / "develop" / "openapi.json"

# Routes that anybody may call, and why.
PUBLIC = {
    "/healthz": "supervisors ask it",
    "/api/v1/health/live": "load balancers ask it",
    "/api/v1/health/ready": "load balancers ask it",
    "/api/v1/openapi.json": "the description of the API is no secret",
    "/sign-in": "nobody is signed in before it",
    "/sign-in/second-factor": "asks for the cookie of a half-open sign-in",
    "/sign-in/set-up": "asks for the cookie of a half-open sign-in",
    "/saml/{provider_id}/metadata": "identity providers read it; it holds no secret",
    "/saml/{provider_id}/start": "nobody is signed in before it",
    "/saml/{provider_id}/acs": "the provider's answer comes here, and proves itself by its signature",
    "/saml/{provider_id}/finish": "nobody is signed in before it; a ticket and the cookie of its question open it",
    "/saml/{provider_id}/logout": "providers end sessions here, and prove themselves by their signature",
    "/sign-in/new-password": "asks for the cookie of a half-open sign-in",
    "/privacy": "what is kept about people is told before they sign in",
    "/forgot-password": "whoever lost a password is not signed in",
    "/reset-password": "asks for the token of a mailed link",
    "/static/{digest}/{name}": "the sign-in page needs its style",
    "/favicon.ico": "browsers ask unasked",
    "/.well-known/security.txt": "whoever found a weakness is not signed in",
}
# Routes for everybody who is signed in, whatever their role.
ANY_ROLE = {
    "/api/v1/me": "who am I",
    "/sign-out": "leaving needs no permission",
    "/organization": "limited to those the person is a member of",
}
# Parameters that name public knowledge, the same for everybody.
KNOWLEDGE = {"name", "decision", "digest", "verdict", "bundle_id", "provider_id"}

# Forms for people who are not signed in; each answer carries a new token.
VISITORS = ("/sign-in", "/forgot-password", "/reset-password")
# Our words: marks of tests/tenants.py, the machine and the title only we have, and what furnishing called things.
OURS = re.compile(r"zqours|web-03|build-worker-with|Hausverwaltung|clean-01", re.IGNORECASE)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """The application, to be looked at rather than asked."""
    return create_app(Settings(), "postgresql://nobody@localhost/nothing")


@pytest.fixture(scope="module")
def sweep(database_server: SharedServer) -> Iterator[Sweep]:
    """Every answer to everybody, made once."""
    name = f"sweep_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database = Database(database_server.clone_template(name), application_name="test")
    with swept(database) as made:
        run(made)
        yield made
    database.close()
    database_server.drop(name)


def test_every_route_names_its_permission_or_is_excused(app: FastAPI) -> None:
    unguarded = []
    for entrance in entrances(app):
        if entrance.path in PUBLIC:
            continue
        knows_who = authenticate in entrance.asked or signed_in in entrance.asked
        if not knows_who or (entrance.permission is None and entrance.path not in ANY_ROLE):
            unguarded.append(entrance.path)

    assert not unguarded


# What gives others rights, or the installation over: who does it must have proven lately who they are.
SENSITIVE = {Permission.KEYS_MANAGE, Permission.MEMBERS_MANAGE, Permission.INSTALLATION_MANAGE}
NOT_SENSITIVE = {
    "/feeds/decision": "decides about data, and is undone by a rollback",
    "/api/v1/feeds/{name}/{decision}": "decides about data, and is undone by a rollback",
}


def test_what_is_sensitive_asks_for_a_fresh_proof(app: FastAPI) -> None:
    missing = {
        entrance.path
        for entrance in entrances(app)
        if entrance.permission in SENSITIVE
        and not entrance.step_up
        and not {"GET", "HEAD"} >= set(entrance.methods)
    }

    assert missing == set(NOT_SENSITIVE)


# /sign-in and /confirm take their turns themselves: one for hashing, or another for asking directories. That nobody
# waits there in a thread is held by tests/flows/test_web.py.
HASHING = {
    ("POST", "/sign-in/new-password"),
    ("POST", "/profile/password"),
    ("POST", "/reset-password"),
    ("POST", "/users"),
    ("POST", "/users/{user_id}/password"),
    ("POST", "/api/v1/users"),
    ("POST", "/api/v1/users/{user_id}/password"),
}


def test_what_hashes_a_password_waits_for_its_turn_without_a_thread(app: FastAPI) -> None:
    waiting = {
        (method, entrance.path)
        for entrance in entrances(app)
        for method in entrance.methods
        if any(asked.__name__ == "turn_to_hash" for asked in entrance.asked if hasattr(asked, "__name__"))
    }

    assert waiting == HASHING


def test_excuses_are_of_routes_that_exist(app: FastAPI) -> None:
    assert {*PUBLIC, *ANY_ROLE} <= {entrance.path for entrance in entrances(app)}


def test_nothing_is_changed_with_a_permission_that_only_reads(app: FastAPI) -> None:
    """So an auditor, who holds these and their own profile, changes nothing."""
    assert [
        (entrance.path, entrance.methods)
        for entrance in entrances(app)
        if entrance.permission in READ_ONLY and not SAFE_METHODS.issuperset(entrance.methods)
    ] == []


def unexpected(cells: list[Cell]) -> dict[tuple[str, str, str], int]:
    return {(cell.kind.name, cell.method, cell.path): cell.status for cell in cells}


def test_nothing_breaks(sweep: Sweep) -> None:
    assert len(sweep.cells) > 1_500
    broken = [
        cell
        for cell in [*sweep.cells, *sweep.undeclared]
        # SAML is not set up here, and says so.
        if cell.status >= 500 and not (cell.status == 503 and cell.path.startswith("/saml/"))
    ]
    assert unexpected(broken) == {}


def test_a_method_that_a_route_does_not_declare_is_refused_to_everybody(sweep: Sweep) -> None:
    assert len(sweep.undeclared) > 1_000
    assert {cell.kind.name for cell in sweep.undeclared} == {kind.name for kind in sweep.kinds}
    assert unexpected([cell for cell in sweep.undeclared if cell.status != 405]) == {}


def test_nobody_is_let_in_without_valid_credentials(sweep: Sweep) -> None:
    shut_out = [cell for cell in sweep.cells if cell.path not in PUBLIC and not cell.kind.let_in(cell.path)]

    assert len({cell.kind.name for cell in shut_out}) >= 8
    assert unexpected([cell for cell in shut_out if cell.status != 401]) == {}


def test_everybody_gets_exactly_what_their_permissions_say(sweep: Sweep) -> None:
    permissions = {(method, path): permission for method, path, permission in sweep.routes}
    wrong = []
    for cell in sweep.cells:
        permission = permissions[cell.method, cell.path]
        if permission is None or not cell.kind.let_in(cell.path):
            continue
        if cell.status == 401 and (cell.method, cell.path) == ("POST", "/confirm"):
            continue  # let in, and told that an empty password is not right
        if (cell.status == 403) is cell.kind.may(cell.path, permission) or cell.status == 401:
            wrong.append(cell)

    assert unexpected(wrong) == {}


def test_another_organization_finds_nothing_at_our_addresses(sweep: Sweep) -> None:
    named = [
        cell
        for cell in sweep.cells
        if not cell.kind.ours and cell.kind.let_in(cell.path) and _params(cell.path) - KNOWLEDGE
    ]

    assert {"foreign", "foreign key"} <= {cell.kind.name for cell in named}
    assert unexpected([cell for cell in named if cell.status not in {403, 404}]) == {}


def test_no_answer_to_a_stranger_says_a_word_of_ours(sweep: Sweep) -> None:
    told = {
        (cell.kind.name, cell.method, cell.path, found[0])
        for cell in [*sweep.cells, *sweep.undeclared]
        if not cell.kind.ours and (found := OURS.search(cell.text)) is not None
    }

    assert told == set()


def test_our_words_stand_where_they_belong(sweep: Sweep) -> None:
    """Or the test before this one would look for what is nowhere."""
    seen = " ".join(cell.text for cell in sweep.cells if cell.kind.name == "administrator")
    words = set(re.findall(r"zqours-[a-z-]+?(?=-[0-9a-f]{1,6}\b|[^a-z-])", seen))

    assert {
        "zqours-api-key-name",
        "zqours-asset-hostname",
        "zqours-custom-role-name",
        "zqours-organization-name",
        "zqours-receipt-report-id",
        "zqours-title-correction-reason",
        "zqours-user-account-login",
        "zqours-user-account-name",
    } <= words
    assert TITLE in seen


@pytest.mark.parametrize(
    ("question", "told"),
    [  # whether our own administrator is told of it
        ("/search?q={}", True),  # leads on to the assets
        ("/assets?hostname={}", True),
        ("/api/v1/assets?hostname={}", True),
        ("/findings?q=asset:{}", True),
        ("/findings?q=software:{}", False),  # nothing of that name has a flaw
        ("/api/v1/findings?software={}", False),
        ("/vulnerabilities?q=software:{}", False),
        ("/api/v1/identification/products?words={}", False),  # the catalogue, the same for everybody
    ],
)
def test_a_search_for_our_words_finds_what_a_search_for_nothing_finds(
    sweep: Sweep, question: str, told: bool
) -> None:
    for kind in sweep.kinds:
        if kind.name not in {"administrator", "foreign", "foreign key", "no member"}:
            continue
        answers = []
        for word in ("Zqours", "Zqqqqs"):  # of one length; nobody has the second
            sweep.client.cookies.clear()
            answer = sweep.client.get(question.format(word), headers=kind.headers)
            text = json.dumps([answer.status_code, answer.headers.get("location"), answer.text])
            answers.append(re.sub(word, "?", text, flags=re.IGNORECASE))
        if not kind.ours:
            assert answers[0] == answers[1], kind.name
        elif told:
            assert answers[0] != answers[1]


def test_nothing_that_we_do_moves_a_byte_of_what_others_read(sweep: Sweep) -> None:
    """Lists, counts, figures, exports, states of jobs and receipts: read, then read again after we were busy."""
    strangers = [
        kind for kind in sweep.kinds if kind.name in {"anonymous", "foreign", "no member", "foreign key"}
    ]

    def read() -> dict[tuple[str, str], tuple[int, str]]:
        found = {}
        for kind in strangers:
            for method, path, _ in sweep.routes:
                if method == "GET" and not _params(path) and not path.startswith(VISITORS):
                    cell = sweep.call(kind, method, path)
                    found[kind.name, path] = (cell.status, cell.text)
        return found

    before = read()
    estate, database, clock = sweep.estate, sweep.database, FrozenClock(NOON)
    ours = [*WEB_03, {"type": "application", "name": f"{TITLE} Zwei", "version": "2"}]
    report(database, clock, estate.acme, "zqours-busy", ours)
    report(database, clock, estate.acme, "zqours-busy-too", ours[:3], at=NOON - timedelta(minutes=5))
    key(database, clock, estate, *KEY_SCOPES)
    with database.as_organization(estate.acme) as session:
        record(session, estate.caller(), "zqours.done", "zqours:1", {"note": "zqours"}, now=NOON)
    after = read()

    assert len(before) > 80
    assert {name: value for name, value in after.items() if before[name] != value} == {}


def test_the_table_of_all_answers_is_current(sweep: Sweep) -> None:
    assert TARGET.read_text(encoding="utf-8") == document(sweep), "run: python -m tests.guards.matrix"


def _params(path: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", path))


def test_every_list_of_the_api_has_a_page_cap(app: FastAPI) -> None:
    document = app.openapi()
    uncapped = []
    for path, operations in document["paths"].items():
        operation = operations.get("get", {})
        answer = operation.get("responses", {}).get("200", {})
        name = str(answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", ""))
        schema = document["components"]["schemas"].get(name.rsplit("/", 1)[-1], {})
        if "next_cursor" in schema.get("properties", {}):
            limits = [p["schema"] for p in operation.get("parameters", []) if p["name"] == "limit"]
            if not limits or limits[0].get("maximum", 10**9) > 200:
                uncapped.append(path)

    assert not uncapped


def test_the_committed_description_of_the_api_is_current(app: FastAPI) -> None:
    current = orjson.loads(orjson.dumps(app.openapi()))

    assert orjson.loads(OPENAPI.read_bytes()) == current, "run: python -m tools.write_openapi"
