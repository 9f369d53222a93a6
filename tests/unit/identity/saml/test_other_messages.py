"""Metadata in and out, requests, logout messages, and how they travel."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sentrikat.domain.errors import InvalidInput
from sentrikat.identity.saml import bindings, signatures
from sentrikat.identity.saml.bindings import Sending, receive_post, receive_redirect, send
from sentrikat.identity.saml.configuration import SamlConfiguration, checked
from sentrikat.identity.saml.documents import parse, text_of
from sentrikat.identity.saml.idp_metadata import read_metadata
from sentrikat.identity.saml.logout import (
    logout_request,
    logout_response,
    read_logout_request,
    read_logout_response,
)
from sentrikat.identity.saml.names import (
    EMAIL,
    NAMESPACES,
    PERSISTENT,
    POST,
    REDIRECT,
    TRANSIENT,
    UNSPECIFIED,
)
from sentrikat.identity.saml.refusal import Reason, SamlRefused, shown
from sentrikat.identity.saml.requests import authentication_request
from sentrikat.identity.saml.responses import NameId
from sentrikat.identity.saml.sp_metadata import ServiceProvider, write_metadata
from tests.identity_provider import IDP, keys

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
OURS = ServiceProvider.at("https://kat.example.org/", 1)
SLO = "https://idp.example.org/slo"
GOOD = SamlConfiguration(
    entity_id=IDP,
    sso_url="https://idp.example.org/sso",
    certificates=(keys("idp").certificate.body,),
    slo_url=SLO,
)
JANE = NameId("jane-7f3a", PERSISTENT, sp_qualifier=OURS.entity_id)


def metadata(**changes: str) -> bytes:
    certificate = f"<ds:KeyInfo xmlns:ds='{NAMESPACES['ds']}'><ds:X509Data><ds:X509Certificate>"
    parts = {
        "entity": IDP,
        "keys": f"<KeyDescriptor use='signing'>{certificate}{keys('idp').certificate.body}"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>"
        f"<KeyDescriptor>{certificate}\n{keys('old').certificate.body}\n"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>"
        f"<KeyDescriptor use='encryption'>{certificate}AAAA"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>",
        "formats": f"<NameIDFormat>{TRANSIENT}</NameIDFormat><NameIDFormat>{EMAIL}</NameIDFormat>",
        "sso": f"<SingleSignOnService Binding='{POST}' Location='https://idp.example.org/post'/>"
        f"<SingleSignOnService Binding='{REDIRECT}' Location='https://idp.example.org/sso'/>",
        "before": "",
        **changes,
    }
    return (
        f"{parts['before']}<EntityDescriptor xmlns='{NAMESPACES['md']}' entityID='{parts['entity']}'>"
        f"<IDPSSODescriptor protocolSupportEnumeration='{NAMESPACES['samlp']}'>{parts['keys']}"
        f"<SingleLogoutService Binding='{POST}' Location='{SLO}' ResponseLocation='{SLO}/answer'/>"
        f"{parts['formats']}{parts['sso']}</IDPSSODescriptor></EntityDescriptor>"
    ).encode()


def test_the_metadata_of_a_provider_fills_in_everything() -> None:
    read = read_metadata(metadata(before="<?xml version='1.0' encoding='UTF-8'?><!-- made by hand -->"))

    assert (read.entity_id, read.sso_url, read.sso_binding) == (IDP, GOOD.sso_url, REDIRECT)
    assert (read.slo_url, read.slo_binding, read.slo_response_url) == (SLO, POST, f"{SLO}/answer")
    # Those without a use sign as well; the one for encryption only does not.
    assert read.certificates == (keys("idp").certificate.body, keys("old").certificate.body)
    assert read.name_id_format == EMAIL


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not XML"),
        (b"<html/>", "0 identity providers"),
        (metadata(keys=""), "no certificate"),
        (metadata(sso=""), "no address to sign in at"),
        (metadata(keys="<KeyDescriptor><ds:KeyInfo xmlns:ds='http://www.w3.org/2000/09/xmldsig#'><ds:X509Data>"
         "<ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>"), "not read"),
        (metadata(before="<!DOCTYPE x [<!ENTITY a 'b'>]>"), "document type"),
        (b"<r>" + b"x" * 1024 * 1024 + b"</r>", "at most 1,048,576"),
        (f"<EntitiesDescriptor xmlns='{NAMESPACES['md']}'>".encode() + metadata() + metadata(entity="https://b")
         + b"</EntitiesDescriptor>", "2 identity providers"),
    ],
)  # fmt: skip
def test_metadata_that_cannot_be_used_says_why(content: bytes, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        read_metadata(content)


@given(st.binary())
def test_arbitrary_metadata_is_read_or_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_metadata(content)


def test_our_metadata_is_signed_and_names_every_key() -> None:
    written = parse(write_metadata(OURS, (keys("ours"), keys("next")), PERSISTENT, NOW))

    signed = parse(signatures.verify(written, [keys("ours").certificate]))
    certificates = [
        (key.get("use"), text_of(key.find(".//ds:X509Certificate", NAMESPACES)))
        for key in signed.iterfind(".//md:KeyDescriptor", NAMESPACES)
    ]
    assert signed.get("entityID") == "https://kat.example.org/saml/1/metadata"
    assert certificates == [
        ("signing", keys("ours").certificate.body),
        ("encryption", keys("ours").certificate.body),
        ("signing", keys("next").certificate.body),
    ]


def test_our_metadata_is_what_the_library_would_accept() -> None:
    from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

    written = write_metadata(OURS, (keys("ours"),), PERSISTENT, NOW)

    answer = OneLogin_Saml2_XML.validate_xml(written, "saml-schema-metadata-2.0.xsd", False)
    assert not isinstance(answer, str), answer


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"entity_id": " "}, "entity_id"),
        ({"sso_url": ""}, "sso_url"),
        ({"sso_url": "javascript:alert(1)"}, "sso_url"),
        ({"sso_url": "http://idp.example.org/sso"}, "sso_url"),  # not over plain http, except on this machine
        ({"sso_url": "https://idp.example.org/\r\nX: y"}, "sso_url"),
        ({"slo_url": "https://"}, "slo_url"),
        ({"sso_binding": "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"}, "sso_binding"),
        ({"certificates": ()}, "certificates"),
        ({"certificates": ("AAAA",)}, "certificates"),
        ({"certificates": (keys("idp").certificate.body,) * 9}, "certificates"),
        ({"name_id_format": TRANSIENT}, "external_id_attribute"),
        ({"name_id_format": "urn:other"}, "name_id_format"),
        ({"skew_seconds": 301}, "skew_seconds"),
        ({"login_attribute": "x" * 301}, "login_attribute"),
    ],
)
def test_a_configuration_that_cannot_work_is_not_saved(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(replace(GOOD, **changes))
    assert set(refused.value.fields) == {field}


def test_a_configuration_survives_the_database() -> None:
    stored = {**checked(GOOD).to_json(), "field_of_tomorrow": 1}

    assert SamlConfiguration.from_json(stored) == GOOD


def test_a_small_key_is_refused() -> None:
    from sentrikat.identity.saml.certificates import make_key_pair

    with pytest.raises(ValueError, match="1024 bits"):
        make_key_pair("small", NOW, bits=1024)


def test_a_request_says_who_asks_and_where_the_answer_goes() -> None:
    request = authentication_request("_1", OURS, GOOD.sso_url, PERSISTENT, NOW, again=True)

    assert request.get("ForceAuthn") == "true"
    assert request.get("AssertionConsumerServiceURL") == OURS.consumer_url
    assert text_of(request.find("saml:Issuer", NAMESPACES)) == OURS.entity_id
    unspecified = authentication_request("_1", OURS, GOOD.sso_url, UNSPECIFIED, NOW)
    assert unspecified.find("samlp:NameIDPolicy", NAMESPACES).get("Format") is None


def travel(sending: Sending, kind: str) -> Any:
    if sending.fields:
        return receive_post(dict(sending.fields)[kind], [keys("idp").certificate])
    return receive_redirect(kind, urlsplit(sending.url).query, [keys("idp").certificate])


@pytest.mark.parametrize("binding", [REDIRECT, POST])
def test_a_logout_request_arrives_as_it_was_sent(binding: str) -> None:
    said = logout_request("_1", replace(OURS, entity_id=IDP), OURS.logout_url, JANE, "_session1", NOW)

    arrived = travel(send("SAMLRequest", said, OURS.logout_url, binding, keys("idp"), "a b&c"), "SAMLRequest")
    read = read_logout_request(arrived, GOOD, OURS, NOW)

    assert (read.id, read.name_id, read.session_indexes) == ("_1", JANE, ("_session1",))


@pytest.mark.parametrize("good", [True, False])
def test_a_logout_response_says_whether_it_worked(good: bool) -> None:
    said = logout_response("_1", replace(OURS, entity_id=IDP), OURS.logout_url, NOW, good=good)

    arrived = travel(send("SAMLResponse", said, OURS.logout_url, REDIRECT, keys("idp")), "SAMLResponse")

    assert read_logout_response(arrived, GOOD, OURS, NOW) == ("_1", good)


def refused_logout(said: Any, now: datetime = NOW, key: str = "idp", binding: str = REDIRECT) -> Reason:
    with pytest.raises(SamlRefused) as refused:
        arrived = travel(send("SAMLRequest", said, OURS.logout_url, binding, keys(key)), "SAMLRequest")
        read_logout_request(arrived, GOOD, OURS, now)
    return refused.value.reason


def test_a_logout_request_that_is_not_the_providers_for_us_now_is_refused() -> None:
    idp = replace(OURS, entity_id=IDP)

    def said(ours: ServiceProvider = idp, to: str = OURS.logout_url, at: datetime = NOW) -> Any:
        return logout_request("_1", ours, to, JANE, "_session1", at)

    assert refused_logout(said(), key="evil") is Reason.BAD_SIGNATURE
    assert refused_logout(said(), key="evil", binding=POST) is Reason.UNKNOWN_KEY
    assert refused_logout(said(OURS)) is Reason.WRONG_ISSUER
    assert refused_logout(said(to=SLO)) is Reason.WRONG_DESTINATION
    assert refused_logout(said(), NOW + timedelta(minutes=7)) is Reason.EXPIRED
    assert refused_logout(said(), NOW - timedelta(minutes=7)) is Reason.EXPIRED
    assert (
        refused_logout(logout_response("_1", idp, OURS.logout_url, NOW, good=True)) is Reason.NOT_A_RESPONSE
    )


def sent() -> str:
    said = logout_request("_1", replace(OURS, entity_id=IDP), OURS.logout_url, JANE, "_session1", NOW)
    return urlsplit(send("SAMLRequest", said, OURS.logout_url, REDIRECT, keys("idp"), "here").url).query


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (sent().partition("&SigAlg")[0], Reason.UNSIGNED_MESSAGE),
        (sent().replace("RelayState=here", "RelayState=there"), Reason.BAD_SIGNATURE),
        (sent() + "&SAMLRequest=AAAA", Reason.MISPLACED),  # which of the two was signed?
        (sent().replace("rsa-sha256", "rsa-sha1"), Reason.WEAK_ALGORITHM),
        ("SAMLRequest=!&SigAlg=a&Signature=b", Reason.NOT_BASE64),
        ("SAMLRequest=AAAA&SigAlg=a&Signature=b", Reason.NOT_BASE64),  # not packed
        ("", Reason.UNSIGNED_MESSAGE),
    ],
)
def test_a_query_that_was_altered_is_refused(query: str, why: Reason) -> None:
    with pytest.raises(SamlRefused) as refused:
        receive_redirect("SAMLRequest", query, [keys("idp").certificate])
    assert refused.value.reason is why


@given(st.text(max_size=200))
def test_arbitrary_queries_are_refused_and_nothing_worse(query: str) -> None:
    for text in (query, f"SAMLRequest={query}&SigAlg=x&Signature=y"):
        with pytest.raises(SamlRefused):
            receive_redirect("SAMLRequest", text, [keys("idp").certificate])


def test_a_redirect_is_signed_as_it_is_written() -> None:
    sending = send("SAMLRequest", authentication_request("_1", OURS, GOOD.sso_url, PERSISTENT, NOW),
                   "https://idp.example.org/sso?tenant=7", REDIRECT, keys("ours"), "/findings?q=a b")  # fmt: skip

    parts = parse_qs(urlsplit(sending.url).query)
    assert parts["tenant"] == ["7"]
    assert parts["RelayState"] == ["/findings?q=a b"]
    assert quote("/findings?q=a b", safe="") in sending.url
    written = bindings.inflate(base64.b64decode(parts["SAMLRequest"][0]))
    assert etree.fromstring(written).get("ID") == "_1"


def test_foreign_text_is_shown_on_one_line_and_short() -> None:
    assert (
        shown("a\nb\u202e" + "c" * 200)
        == f"“a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}{'c' * 116}…”"
    )
