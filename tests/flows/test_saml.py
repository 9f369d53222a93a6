"""People sign in with a real SimpleSAMLphp, and nobody does with anything else than what it says."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from pydantic import SecretStr
from sqlalchemy import delete, select, update

from sentrikat.app import create_app
from sentrikat.domain.permissions import COMMAND_LINE
from sentrikat.identity.models import IdentityProvider, Membership, UserAccount
from sentrikat.identity.saml import keys as saml_keys
from sentrikat.identity.saml import signatures
from sentrikat.identity.saml.bindings import send
from sentrikat.identity.saml.documents import LARGEST_MESSAGE
from sentrikat.identity.saml.logout import logout_request
from sentrikat.identity.saml.models import SamlRequest, SamlUsed
from sentrikat.identity.saml.names import NAMESPACES, REDIRECT, TRANSIENT
from sentrikat.identity.saml.requests import instant
from sentrikat.identity.saml.responses import NameId
from sentrikat.identity.saml.sp_metadata import ServiceProvider
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import open_vault
from sentrikat.infra.settings import Settings
from tests.flows.estate import Estate
from tests.flows.saml_scene import PUBLIC, Scene, add_provider, configured
from tests.identity_provider import encode, find, keys, wrappings
from tests.peers.simplesamlphp import SimpleSamlPhp, simplesamlphp

JANE = "jane@example.test"  # her name at the provider in the open; at the other one it is jane
ENCRYPTION_KEY = "bm90LWEtc2VjcmV0LWJ1dC1vZi10aGUtdGVzdHMtMTI="


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleSamlPhp]:
    """The identity provider of this module."""
    with simplesamlphp(tmp_path_factory.mktemp("simplesamlphp")) as started:
        yield started


@pytest.fixture
def clock() -> FrozenClock:
    """The peer's clock and python3-saml's are the machine's."""
    return FrozenClock(datetime.now(UTC))


@pytest.fixture
def client(database: Database, clock: FrozenClock) -> Iterator[TestClient]:
    """The application under its public address; nobody is signed in."""
    made = Settings(public_url=PUBLIC, encryption_keys=SecretStr(ENCRYPTION_KEY))
    with TestClient(
        create_app(made, database.url, clock=clock), base_url=PUBLIC, follow_redirects=False
    ) as started:
        yield started


@pytest.fixture(scope="module")
def providers(database: Database, estate: Estate, peer: SimpleSamlPhp) -> tuple[int, int, int]:
    """The peer three times: encrypting; in the open with a second key of ours; and as another provider."""
    now = FrozenClock(datetime.now(UTC))
    rules = {"analysts": (estate.acme, "analyst")}
    ours = keys("idp").certificate.body
    return (
        add_provider(database, configured(peer.metadata(), encrypted=True), "Company sign-in", now, rules),
        add_provider(
            database, configured(peer.metadata(), ours, login_attribute="mail"), "In the open", now, rules
        ),
        add_provider(
            database,
            configured(peer.metadata(), entity_id="https://other.example.org/idp"),
            "Other provider",
            now,
            rules,
        ),
    )


@pytest.fixture(scope="module")
def abroad(peer: SimpleSamlPhp) -> Iterator[httpx2.Client]:
    """A browser that stays signed in at the provider, which spares most tests its pages."""
    with peer.browser() as browser:
        yield browser


def _introduce(client: TestClient, peer: SimpleSamlPhp, providers: tuple[int, int, int]) -> None:
    for number, provider in enumerate(providers):
        peer.trust(client.get(f"/saml/{provider}/metadata").content, encrypt=number == 0)


@pytest.fixture(scope="module")
def trusted(database: Database, peer: SimpleSamlPhp, providers: tuple[int, int, int]) -> None:
    """The peer knows us under each of our names."""
    made = Settings(public_url=PUBLIC, encryption_keys=SecretStr(ENCRYPTION_KEY))
    with TestClient(create_app(made, database.url), base_url=PUBLIC) as started:
        _introduce(started, peer, providers)


@pytest.fixture
def scene(
    client: TestClient,
    database: Database,
    clock: FrozenClock,
    peer: SimpleSamlPhp,
    providers: tuple[int, int, int],
    trusted: None,
    abroad: httpx2.Client,
) -> Scene:
    """A browser before the sign-in page."""
    del trusted
    return Scene(client, database, clock, peer, providers[0], abroad)


@pytest.fixture
def plain(scene: Scene, providers: tuple[int, int, int]) -> Scene:
    """The provider that does not encrypt, so that its answers can be altered."""
    scene.provider = providers[1]
    return scene


def test_the_sign_in_page_has_a_button_for_each_provider(scene: Scene) -> None:
    page = scene.client.get("/sign-in", params={"next": "/assets"})

    assert f'href="/saml/{scene.provider}/start?next=%2Fassets"' in page.text
    assert "Sign in with Company sign-in" in page.text


def test_somebody_signs_in_with_an_encrypted_assertion_and_gets_the_role_of_their_group(
    scene: Scene,
) -> None:
    last = scene.sign_in(next="/assets?q=web")

    assert last.headers["location"] == "/assets?q=web"
    assert scene.who() == "jane"
    with scene.database.as_system() as session:
        user = session.scalars(
            select(UserAccount).where(UserAccount.login == "jane", UserAccount.provider_id == scene.provider)
        ).one()
        role = session.scalar(select(Membership.role).where(Membership.user_id == user.id))
    assert (user.display_name, user.email, role) == ("Jane Ångström", "jane@example.test", "analyst")
    entry = scene.last_entry()
    assert (entry.action, entry.detail["method"]) == ("sign_in", "saml")
    assert scene.last_error() is None


def test_somebody_whose_groups_no_rule_names_stays_outside_and_is_told_in_one_sentence(scene: Scene) -> None:
    with scene.peer.browser() as scene.abroad:
        answer = scene.sign_in("bob")

    assert answer.status_code == 403
    assert "you have no access to this installation" in answer.text
    assert scene.who() is None
    assert scene.last_entry().detail["reason"] == "no_rule"
    assert "no group rule" in (scene.last_error() or "")


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "//[", "/a\r\nX: b"],
)
def test_after_signing_in_nobody_is_led_elsewhere(scene: Scene, elsewhere: str) -> None:
    last = scene.sign_in(next=elsewhere)

    assert last.headers["location"] == "/"


def led_back(scene: Scene, address: str) -> str:
    """Follow the provider's own steps until it sends the browser to us; give where to."""
    for _ in range(6):
        address = scene.abroad.get(address, follow_redirects=False).headers["location"]
        if address.startswith(PUBLIC):
            return address
    pytest.fail(f"the provider did not come back to us; it ended at {address}")


def test_signing_out_here_ends_the_session_at_the_provider_too(scene: Scene) -> None:
    scene.sign_in()
    page = scene.client.get("/profile").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None

    parting = scene.client.post("/sign-out", data={"csrf_token": token[1]})
    address = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', parting.text)
    assert address is not None
    back = led_back(scene, address[1].replace("&amp;", "&"))
    answer = scene.client.get(back)

    assert scene.who() is None
    assert answer.headers["location"] == "/sign-in"
    assert urlsplit(back).path == f"/saml/{scene.provider}/logout"
    # At the provider nobody is signed in any more: it asks for the password.
    assert 'name="password"' in scene.abroad.get(scene.start()).text


def test_signing_out_at_the_provider_ends_the_session_here(scene: Scene) -> None:
    scene.sign_in()
    assert scene.who() == "jane"

    before = scene.sessions()
    asked = led_back(scene, f"{scene.peer.url}/saml2/idp/SingleLogoutService.php?ReturnTo={scene.peer.url}/")
    answer = scene.client.get(asked)

    assert scene.who() is None
    assert scene.sessions() < before
    assert answer.headers["location"].startswith(
        f"{scene.peer.url}/saml2/idp/SingleLogoutService.php?SAMLResponse="
    )
    done = scene.abroad.get(answer.headers["location"])
    assert done.status_code == 200


def test_proving_again_who_one_is_asks_for_the_password_although_the_provider_knows_them(
    scene: Scene,
) -> None:
    scene.sign_in()
    scene.clock.set(datetime.now(UTC))

    before = scene.sessions()
    address = scene.start(again="true", next="/api-keys")
    asked = scene.abroad.get(address)
    assert 'name="password"' in asked.text
    form = scene.answered(address)
    answer = scene.client.get(scene.post(form.fields["SAMLResponse"]).headers["location"])

    assert answer.headers["location"] == "/api-keys"
    assert scene.sessions() == before
    assert scene.last_entry().action == "session.confirmed"
    assert scene.who() == "jane"


def test_a_change_of_our_keys_cuts_nobody_off(scene: Scene, providers: tuple[int, int, int]) -> None:
    vault = open_vault(Settings(encryption_keys=SecretStr(ENCRYPTION_KEY)))
    before = scene.client.get(f"/saml/{scene.provider}/metadata").content
    with scene.database.as_system() as session:
        saml_keys.prepare(session, vault, COMMAND_LINE, now=scene.clock.now())
    prepared = scene.client.get(f"/saml/{scene.provider}/metadata").content
    assert prepared.count(b'use="signing"') == 2

    # The provider still encrypts for the old key after the switch, and knows the new one already.
    scene.peer.trust(prepared)
    with scene.database.as_system() as session:
        saml_keys.switch(session, COMMAND_LINE, now=scene.clock.now())
    scene.sign_in()
    assert scene.who() == "jane"

    _introduce(scene.client, scene.peer, providers)
    with scene.database.as_system() as session:
        saml_keys.retire(session, COMMAND_LINE, now=scene.clock.now())
        assert [row.state for row in saml_keys.list_keys(session)] == ["current"]
    scene.sign_in()
    assert scene.who() == "jane"
    assert before != scene.client.get(f"/saml/{scene.provider}/metadata").content


def test_two_tabs_of_one_browser_can_be_under_way(scene: Scene) -> None:
    first, second = scene.start(next="/assets"), scene.start(next="/findings")

    form = scene.answered(first)
    assert (
        scene.client.get(scene.post(form.fields["SAMLResponse"]).headers["location"]).headers["location"]
        == "/assets"
    )
    assert second != first


def test_a_session_that_another_browser_asked_for_is_not_opened(scene: Scene) -> None:
    """Login CSRF: somebody is sent an answer, and would work in the account of the sender."""
    form = scene.answered(scene.start())
    ticket = scene.post(form.fields["SAMLResponse"]).headers["location"]
    scene.client.cookies.clear()

    answer = scene.client.get(ticket)

    assert answer.status_code == 403
    assert scene.last_entry().detail["reason"] == "other_browser"
    assert scene.who() is None


def test_a_ticket_is_fetched_once_and_soon(scene: Scene) -> None:
    form = scene.answered(scene.start())
    ticket = scene.post(form.fields["SAMLResponse"]).headers["location"]
    scene.clock.advance(timedelta(minutes=2))
    assert scene.client.get(ticket).status_code == 403
    scene.clock.advance(timedelta(minutes=-2))
    assert scene.client.get(ticket).status_code == 303
    scene.client.cookies.delete("__Host-sentrikat_session")

    assert scene.client.get(ticket).status_code == 403
    assert scene.last_entry().detail["reason"] == "replayed"


# The table of attacks. Each takes a real answer of the provider, in the open, and gives what is sent instead.
def resigned(root: Any, change: Callable[[Any], None], *, key: str = "idp", algorithm: str = "") -> str:
    """The provider's own answer with a change, signed anew with a key that counts (or another)."""
    for signature in list(root.iterfind(".//ds:Signature", NAMESPACES)):
        parent = signature.getparent()
        parent.remove(signature)
    change(root)
    assertion = find(root, "saml:Assertion")
    for element in (assertion, root):
        signatures.sign(element, 1, keys(key).private, keys(key).certificate)
    again = etree.fromstring(etree.tostring(root))
    if algorithm:
        find(again, "saml:Assertion/ds:Signature/ds:SignedInfo/ds:SignatureMethod").set(
            "Algorithm", algorithm
        )
    return encode(again)


def resigned_without_inner(root: Any) -> str:
    for signature in list(root.iterfind(".//ds:Signature", NAMESPACES)):
        signature.getparent().remove(signature)
    signatures.sign(root, 1, keys("idp").private, keys("idp").certificate)
    return encode(root)


def altered(root: Any, path: str, text: str) -> str:
    find(root, path).text = text
    return encode(root)


def without_signatures(root: Any, path: str) -> str:
    signature = find(root, path)
    signature.getparent().remove(signature)
    return encode(root)


def setting(path: str, name: str, value: str | None) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        element = find(root, path) if path else root
        if value is None:
            del element.attrib[name]
        else:
            element.set(name, value)

    return change


def saying(path: str, text: str) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        find(root, path).text = text

    return change


def everywhere(name: str, value: str | None) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        for element in root.iter():
            if name in element.attrib and value is None:
                del element.attrib[name]
            elif name in element.attrib:
                element.set(name, value)

    return change


def at(moment: timedelta, name: str) -> Callable[[Any], None]:
    return everywhere(name, instant(datetime.now(UTC) + moment))


def transient(root: Any) -> None:
    find(root, ".//saml:NameID").set("Format", TRANSIENT)


def commented(root: Any) -> str:
    """Sign the longer name, then cut it in two by a comment, which canonical XML leaves out."""
    signed = base64.b64decode(resigned(root, saying(".//saml:NameID", "jane@example.test.evil.example")))
    return base64.b64encode(signed.replace(b"example.test.evil", b"example.test<!-- -->.evil", 1)).decode()


def bomb(root: Any) -> str:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    written = etree.tostring(root).replace(b">jane<", b">&e9;<")
    return base64.b64encode(f'<!DOCTYPE r [<!ENTITY e0 "ha">{entities}]>'.encode() + written).decode()


def external(root: Any) -> str:
    written = etree.tostring(root).replace(b">jane<", b">&f;<")
    return base64.b64encode(b'<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + written).decode()


def old_hash(root: Any) -> str:
    """A signature that really is of SHA-1."""
    import xmlsec

    for signature in list(root.iterfind(".//ds:Signature", NAMESPACES)):
        signature.getparent().remove(signature)
    for element in (find(root, "saml:Assertion"), root):
        signature = xmlsec.template.create(
            element, xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformRsaSha1
        )
        element.insert(1, signature)
        reference = xmlsec.template.add_reference(
            signature, xmlsec.constants.TransformSha1, uri=f"#{element.get('ID')}"
        )
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(keys("idp").private, xmlsec.constants.KeyDataFormatPem)
        context.register_id(element, "ID")
        context.sign(signature)
    return encode(root)


_DATA = ".//saml:SubjectConfirmationData"
_VALUE = ".//saml:AttributeValue"
ATTACKS: dict[str, tuple[Callable[[Any], str], str]] = {
    "an attribute is altered": (lambda r: altered(r, _VALUE, "admin"), "altered"),
    "the name is altered": (lambda r: altered(r, ".//saml:NameID", "admin"), "altered"),
    "the signature is altered": (
        lambda r: altered(r, "ds:Signature/ds:SignatureValue", base64.b64encode(b"x" * 384).decode()),
        "bad_signature",
    ),
    "nothing is signed": (
        lambda r: without_signatures(
            etree.fromstring(base64.b64decode(without_signatures(r, "ds:Signature"))),
            "saml:Assertion/ds:Signature",
        ),
        "unsigned_response",
    ),
    "the assertion is not signed": (
        resigned_without_inner,
        "unsigned_assertion",
    ),
    "another key signed": (lambda r: resigned(r, lambda _: None, key="evil"), "unknown_key"),
    "the algorithm is said to be SHA-1": (
        lambda r: resigned(r, lambda _: None, algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        "altered",  # the outer signature notices first
    ),
    "signed with SHA-1": (old_hash, "weak_algorithm"),
    "for another audience": (
        lambda r: resigned(r, saying(".//saml:Audience", "https://other")),
        "wrong_audience",
    ),
    "for another recipient": (
        lambda r: resigned(r, setting(_DATA, "Recipient", f"{PUBLIC}/saml/999/acs")),
        "wrong_recipient",
    ),
    "for another destination": (
        lambda r: resigned(r, setting("", "Destination", f"{PUBLIC}/saml/999/acs")),
        "wrong_destination",
    ),
    "to another request": (lambda r: resigned(r, setting("", "InResponseTo", "_other")), "unknown_request"),
    "confirmed for another request": (
        lambda r: resigned(r, setting(_DATA, "InResponseTo", "_other")),
        "wrong_request",
    ),
    "to no request": (lambda r: resigned(r, everywhere("InResponseTo", None)), "unsolicited"),
    "expired": (lambda r: resigned(r, at(timedelta(seconds=-62), "NotOnOrAfter")), "expired"),
    "not valid yet": (lambda r: resigned(r, at(timedelta(seconds=65), "NotBefore")), "not_yet_valid"),
    "issued tomorrow": (lambda r: resigned(r, at(timedelta(days=1), "IssueInstant")), "not_yet_valid"),
    "another issuer": (lambda r: resigned(r, saying("saml:Issuer", "https://evil")), "wrong_issuer"),
    "a transient name": (lambda r: resigned(r, transient), "transient_name"),
    "a comment in the name": (commented, "comment"),
    "an entity bomb": (bomb, "dtd"),
    "an external entity": (external, "dtd"),
    "too large": (
        lambda _: base64.b64encode(b"<r>" + b"x" * LARGEST_MESSAGE + b"</r>").decode(),
        "too_large",
    ),
    "not base64": (lambda _: "<samlp:Response/>", "not_base64"),
    "nothing at all": (lambda _: "", "not_xml"),
}


def refused(scene: Scene, sent: str, provider: int | None = None) -> str:
    """Send it; nobody is signed in, the person learns no reason, the log does. Give the log's word."""
    before = scene.sessions()
    answer = scene.post(sent, provider)
    assert answer.status_code == 403, answer.headers
    entry = scene.last_entry()
    assert entry.action == "sign_in.refused"
    assert answer.headers["x-request-id"] == entry.detail["reference"]
    assert entry.detail["reference"] in answer.text
    assert entry.detail["why"] not in answer.text
    assert scene.who() is None
    assert scene.sessions() == before
    return str(entry.detail["reason"])


_answers: dict[int, str] = {}


def answer_in_the_open(scene: Scene) -> Any:
    """A real answer of the provider that we wait for. It is asked for once; then our side waits anew."""
    if scene.provider not in _answers:
        _answers[scene.provider] = scene.answered(scene.start()).fields["SAMLResponse"]
    root = etree.fromstring(base64.b64decode(_answers[scene.provider]))
    with scene.database.as_system() as session:
        session.execute(delete(SamlUsed))
        session.execute(
            update(SamlRequest)
            .where(SamlRequest.request_id == root.get("InResponseTo"))
            .values(answered_at=None, ticket_hash=None, person=None)
        )
    return root


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_signs_nobody_in_and_its_reason_is_logged(plain: Scene, attack: str) -> None:
    change, reason = ATTACKS[attack]

    assert refused(plain, change(answer_in_the_open(plain))) == reason
    assert plain.last_error() is not None


@pytest.mark.parametrize("number", range(1, 9))
def test_a_wrapped_answer_signs_nobody_in(plain: Scene, number: int) -> None:
    for respelled in (False, True):
        wrapped = wrappings(answer_in_the_open(plain), respelled=respelled)[f"XSW{number}"]

        assert refused(plain, encode(wrapped)) in {"several_assertions", "misplaced", "duplicate_id"}


def test_a_good_answer_signed_anew_signs_in_so_the_table_is_about_what_it_changes(plain: Scene) -> None:
    sent = resigned(answer_in_the_open(plain), lambda _: None)

    assert plain.post(sent).status_code == 303


def test_clocks_that_differ_by_less_than_the_skew_are_forgiven(plain: Scene) -> None:
    sent = resigned(answer_in_the_open(plain), at(timedelta(seconds=55), "NotBefore"))

    assert plain.post(sent).status_code == 303


def test_the_second_opinion_forgives_no_end(plain: Scene) -> None:
    """python3-saml allows the end of a subject's confirmation no difference of clocks."""
    assert refused(
        plain, resigned(answer_in_the_open(plain), at(timedelta(seconds=-30), "NotOnOrAfter"))
    ) == ("second_opinion")


def test_an_answer_is_taken_once(plain: Scene) -> None:
    form = plain.answered(plain.start())
    assert plain.post(form.fields["SAMLResponse"]).status_code == 303

    assert refused(plain, form.fields["SAMLResponse"]) == "replayed"


def test_an_assertion_is_taken_once_whatever_request_it_is_said_to_answer(plain: Scene) -> None:
    """Even when the request is forgotten, the assertion is not."""
    form = plain.answered(plain.start())
    assert plain.post(form.fields["SAMLResponse"]).status_code == 303
    with plain.database.as_system() as session:
        session.execute(update(SamlRequest).values(answered_at=None))

    assert refused(plain, form.fields["SAMLResponse"]) == "replayed"


def test_what_was_taken_is_forgotten_when_its_age_would_refuse_it(plain: Scene) -> None:
    form = plain.answered(plain.start())
    plain.post(form.fields["SAMLResponse"])
    plain.clock.advance(timedelta(minutes=10))
    plain.start()

    with plain.database.as_system() as session:
        assert not session.scalars(select(SamlUsed).where(SamlUsed.expires_at <= plain.clock.now())).all()


def test_an_answer_for_one_provider_is_refused_at_the_door_of_another(
    scene: Scene, providers: tuple[int, int, int]
) -> None:
    encrypting, plain, other = providers
    scene.provider = plain
    form = scene.answered(scene.start())

    assert refused(scene, form.fields["SAMLResponse"], encrypting) == "unknown_request"
    assert refused(scene, form.fields["SAMLResponse"], other) == "unknown_request"


def test_the_answer_of_another_provider_to_our_own_request_is_refused(
    plain: Scene, providers: tuple[int, int, int]
) -> None:
    form = plain.answered(plain.start())
    with plain.database.as_system() as session:
        session.execute(update(SamlRequest).values(provider_id=providers[2]))

    assert refused(plain, form.fields["SAMLResponse"], providers[2]) == "wrong_issuer"


def test_a_sign_in_that_the_provider_starts_is_refused_until_it_is_allowed(plain: Scene) -> None:
    sent = resigned(answer_in_the_open(plain), everywhere("InResponseTo", None))
    assert refused(plain, sent) == "unsolicited"

    allow(plain, idp_initiated=True)
    answer = plain.post(sent, RelayState="/findings")
    last = plain.client.get(answer.headers["location"])
    allow(plain, idp_initiated=False)

    assert last.headers["location"] == "/findings"
    assert plain.who() == JANE


def allow(scene: Scene, **changes: object) -> None:
    with scene.database.as_system() as session:
        row = session.get_one(IdentityProvider, scene.provider)
        row.settings = {**row.settings, **changes}


def test_a_provider_that_is_switched_off_is_no_way_in(plain: Scene) -> None:
    form = plain.answered(plain.start())
    with plain.database.as_system() as session:
        session.get_one(IdentityProvider, plain.provider).enabled = False

    answers = [plain.post(form.fields["SAMLResponse"]), plain.client.get(f"/saml/{plain.provider}/start")]
    page = plain.client.get("/sign-in").text
    with plain.database.as_system() as session:
        session.get_one(IdentityProvider, plain.provider).enabled = True

    assert [answer.status_code for answer in answers] == [404, 404]
    assert "In the open" not in page


def test_a_flood_of_questions_from_one_address_is_cut_off(
    plain: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with plain.database.as_system() as session:
        session.execute(delete(SamlRequest))
    _answers.clear()
    monkeypatch.setattr("sentrikat.identity.saml.journey.MOST_OPEN", 1)
    plain.start()

    assert plain.client.get(f"/saml/{plain.provider}/start").status_code == 403
    assert plain.last_entry().detail["reason"] == "too_many_requests"


# Logout messages.
def logout_query(scene: Scene, name: str, key: str = "idp", issuer: str | None = None) -> str:
    ours = ServiceProvider.at(PUBLIC, scene.provider)
    idp = ServiceProvider(issuer or scene.peer.entity_id, "", "")
    message = logout_request("_out" + name, idp, ours.logout_url, NameId(name), None, scene.clock.now())
    return urlsplit(send("SAMLRequest", message, ours.logout_url, REDIRECT, keys(key)).url).query


def test_only_the_provider_ends_sessions(plain: Scene) -> None:
    plain.sign_in()
    unsigned = logout_query(plain, "jane").partition("&SigAlg")[0]
    for query, reason in (
        (logout_query(plain, "jane", key="evil"), "bad_signature"),
        (logout_query(plain, "jane", issuer="https://evil"), "wrong_issuer"),
        (unsigned, "unsigned_message"),
        ("SAMLRequest=" + "A" * 4, "unsigned_message"),
    ):
        assert plain.client.get(f"/saml/{plain.provider}/logout?{query}").status_code == 403
        assert plain.last_entry().detail["reason"] == reason
    assert plain.who() == JANE

    somebody_else = plain.client.get(f"/saml/{plain.provider}/logout?{logout_query(plain, 'else')}")
    assert parse_qs(urlsplit(somebody_else.headers["location"]).query)["SAMLResponse"]
    assert plain.who() == JANE


def test_a_logout_answer_that_nobody_asked_for_is_refused(plain: Scene) -> None:
    from sentrikat.identity.saml.logout import logout_response

    ours = ServiceProvider.at(PUBLIC, plain.provider)
    message = logout_response(
        "_never", ServiceProvider(plain.peer.entity_id, "", ""), ours.logout_url, plain.clock.now(), good=True
    )
    query = urlsplit(send("SAMLResponse", message, ours.logout_url, REDIRECT, keys("idp")).url).query

    assert plain.client.get(f"/saml/{plain.provider}/logout?{query}").status_code == 403
    assert plain.last_entry().detail["reason"] == "unknown_request"


_quick = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_quick
@given(
    st.one_of(
        st.binary(max_size=300).map(lambda body: (body, "application/x-www-form-urlencoded")),
        st.binary(max_size=300).map(
            lambda body: (b"SAMLResponse=" + body, "application/x-www-form-urlencoded")
        ),
        st.binary(max_size=200).map(lambda body: (body, "multipart/form-data; boundary=x")),
        st.binary(max_size=200).map(
            lambda body: (b"SAMLResponse=" + base64.b64encode(body), "application/x-www-form-urlencoded")
        ),
    )
)
def test_arbitrary_bytes_at_the_door_are_refused_and_break_nothing(
    plain: Scene, sent: tuple[bytes, str]
) -> None:
    body, kind = sent
    answer = plain.client.post(f"/saml/{plain.provider}/acs", content=body, headers={"Content-Type": kind})

    assert answer.status_code in {400, 403, 422}


@_quick
@given(st.text(max_size=100), st.text(max_size=100))
def test_arbitrary_queries_break_nothing(plain: Scene, name: str, value: str) -> None:
    for path in ("start", "finish", "logout"):
        given_query = {name: value, "ticket": value, "next": value, "SAMLRequest": value}
        answer = plain.client.get(f"/saml/{plain.provider}/{path}", params=given_query)
        assert answer.status_code in {303, 403, 422}, answer.text


@pytest.mark.parametrize("provider", ["0", "-1", "999999", str(2**70), "x"])
def test_there_is_nothing_under_numbers_of_no_provider(client: TestClient, provider: str) -> None:
    for path in ("metadata", "start", "finish", "logout"):
        assert client.get(f"/saml/{provider}/{path}").status_code in {404, 422}
    assert client.post(f"/saml/{provider}/acs").status_code in {404, 422}


def test_without_a_public_address_there_is_no_single_sign_on(
    database: Database, clock: FrozenClock, providers: tuple[int, int, int]
) -> None:
    """The address in the request is chosen by whoever sends it."""
    with TestClient(create_app(Settings(), database.url, clock=clock), follow_redirects=False) as started:
        assert started.get(f"/saml/{providers[0]}/start").status_code == 503
        assert "Sign in with" not in started.get("/sign-in").text
