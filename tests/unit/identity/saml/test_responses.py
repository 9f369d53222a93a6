"""Responses: the good ones are read, every bad one is refused for its own reason."""

from __future__ import annotations

import base64
import copy
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sentrikat.identity.saml import second_opinion
from sentrikat.identity.saml.bindings import inflate
from sentrikat.identity.saml.documents import LARGEST_MESSAGE, parse
from sentrikat.identity.saml.names import EXCLUSIVE_C14N, NAMESPACES, PROTOCOL
from sentrikat.identity.saml.refusal import Reason, SamlRefused
from sentrikat.identity.saml.responses import Assertion, Expected, open_response, read_assertion
from tests.identity_provider import (
    ACS,
    IDP,
    SP,
    Says,
    assertion,
    encode,
    encrypted,
    find,
    keys,
    respond,
    wrap,
    wrappings,
)

NOW = datetime.now(UTC).replace(microsecond=0)
GOOD = Says(NOW)


def just_now() -> Says:
    """Give what is said at this moment: python3-saml knows no clock but the machine's."""
    return Says(datetime.now(UTC).replace(microsecond=0))


def expected(**changes: Any) -> Expected:
    return replace(
        Expected(
            provider=IDP,
            certificates=(keys("idp").certificate,),
            audience=SP,
            consumer_url=ACS,
            keys=(keys("ours"),),
            request_id="_asked",
            requested_at=NOW - timedelta(minutes=1),
        ),
        **changes,
    )


def read(message: Any, wanted: Expected | None = None, now: datetime = NOW) -> Assertion:
    wanted = wanted or expected()
    opened = open_response(message if isinstance(message, str) else encode(message))
    return read_assertion(opened, wanted, now)


def reason(message: Any, wanted: Expected | None = None, now: datetime = NOW) -> Reason:
    with pytest.raises(SamlRefused) as refused:
        read(message, wanted, now)
    return refused.value.reason


def test_what_the_provider_says_is_read() -> None:
    said = read(respond(GOOD))

    assert said.name_id.value == "jane-7f3a"
    assert said.attributes["groups"] == ("kat-analysts", "all")
    assert said.session_index == "_session1"
    assert said.usable_until == NOW + timedelta(minutes=5, seconds=60)


@pytest.mark.parametrize("signed_response", [True, False])
def test_an_encrypted_assertion_is_read_and_the_library_agrees(signed_response: bool) -> None:
    good = just_now()
    message = respond(
        good, encrypt_for=keys("ours").certificate, response_key="idp" if signed_response else None
    )
    wanted = expected(signed_response=signed_response, encrypted=True)
    opened = open_response(encode(message))

    said = read_assertion(opened, wanted, good.now)
    second_opinion.ask(opened, said, wanted)

    assert said.name_id.value == "jane-7f3a"


def test_the_library_agrees_on_a_plain_response() -> None:
    good = just_now()
    opened = open_response(encode(respond(good)))

    second_opinion.ask(opened, read_assertion(opened, expected(), good.now), expected())


def test_the_library_disagrees_when_two_readers_see_different_names() -> None:
    good = just_now()
    opened = open_response(encode(respond(good)))
    said = read_assertion(opened, expected(), good.now)
    other = replace(said, name_id=replace(said.name_id, value="admin"))

    with pytest.raises(SamlRefused) as refused:
        second_opinion.ask(opened, other, expected())
    assert refused.value.reason is Reason.SECOND_OPINION


def test_during_a_key_change_of_the_provider_both_its_certificates_count() -> None:
    both = expected(certificates=(keys("old").certificate, keys("idp").certificate))

    assert read(respond(GOOD), both).name_id.value == "jane-7f3a"


def test_during_our_own_key_change_both_our_keys_open() -> None:
    both = expected(keys=(keys("next"), keys("ours")))

    said = read(respond(GOOD, encrypt_for=keys("ours").certificate), both)

    assert said.opened_with == keys("ours")


def test_an_inclusive_prefix_that_the_response_declares_does_not_spoil_the_digest() -> None:
    """OpenSAML signs with PrefixList="xs" and may declare the prefix further out."""
    import xmlsec

    said = assertion(GOOD)
    root = wrap(GOOD, None, None)
    outer = etree.Element(
        root.tag, dict(root.attrib), nsmap={**root.nsmap, "xs": "http://www.w3.org/2001/XMLSchema"}
    )
    outer.extend(list(root))
    outer.append(said)
    signature = xmlsec.template.create(
        said, xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformRsaSha256
    )
    said.insert(1, signature)
    reference = xmlsec.template.add_reference(
        signature, xmlsec.constants.TransformSha256, uri=f"#{said.get('ID')}"
    )
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
    canonical = xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
    xmlsec.template.transform_add_c14n_inclusive_namespaces(canonical, ["xs"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(keys("idp").private, xmlsec.constants.KeyDataFormatPem)
    context.register_id(said, "ID")
    context.sign(signature)

    assert read(outer, expected(signed_response=False)).name_id.value == "jane-7f3a"


# What is said is wrong, though its signature holds.
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"audience": "https://other.example.org"}, Reason.WRONG_AUDIENCE),
        ({"audience": None}, Reason.WRONG_AUDIENCE),
        ({"recipient": "https://kat.example.org/saml/2/acs"}, Reason.WRONG_RECIPIENT),
        ({"recipient": None}, Reason.WRONG_RECIPIENT),
        ({"destination": "https://kat.example.org/saml/2/acs"}, Reason.WRONG_DESTINATION),
        ({"destination": f"{ACS}/more"}, Reason.WRONG_DESTINATION),
        ({"destination": None}, Reason.WRONG_DESTINATION),  # a signed response must have one
        ({"in_response_to": "_other"}, Reason.WRONG_REQUEST),
        ({"in_response_to": None}, Reason.UNSOLICITED),
        ({"confirmed_in_response_to": "_other"}, Reason.WRONG_REQUEST),
        ({"confirmed_in_response_to": None}, Reason.UNSOLICITED),
        ({"issuer": "https://evil.example.org"}, Reason.WRONG_ISSUER),
        ({"lasts": timedelta(seconds=-61)}, Reason.EXPIRED),
        ({"begins": timedelta(seconds=61)}, Reason.NOT_YET_VALID),
        ({"method": "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"}, Reason.NO_CONFIRMATION),
        ({"name_id": " "}, Reason.NO_NAME),
        ({"status": "urn:oasis:names:tc:SAML:2.0:status:Requester"}, Reason.PROVIDER_REFUSED),
        ({"attributes": {f"a{n}": ["x"] for n in range(201)}}, Reason.TOO_LARGE),
        ({"attributes": {"groups": ["x" * 2001]}}, Reason.TOO_LARGE),
    ],
)
def test_what_is_not_meant_for_us_now_is_refused(changes: dict[str, Any], why: Reason) -> None:
    assert reason(respond(GOOD.but(**changes))) is why


@pytest.mark.parametrize(
    ("off", "skew", "why"),
    [
        (timedelta(seconds=-60), 60, None),  # our clock is behind the provider's
        (timedelta(seconds=-61), 60, Reason.NOT_YET_VALID),
        (timedelta(seconds=-1), 0, Reason.NOT_YET_VALID),
        (timedelta(minutes=5, seconds=59), 60, None),  # our clock is ahead
        (timedelta(minutes=6), 60, Reason.EXPIRED),
        (timedelta(minutes=4, seconds=59), 0, None),
        (timedelta(minutes=5), 0, Reason.EXPIRED),  # the end itself is outside
    ],
)
def test_clocks_may_differ_by_the_skew_and_no_more(off: timedelta, skew: int, why: Reason | None) -> None:
    message, wanted = respond(GOOD.but(begins=timedelta(0))), expected(skew=timedelta(seconds=skew))

    if why is None:
        assert read(message, wanted, NOW + off).id
    else:
        assert reason(message, wanted, NOW + off) is why


def test_who_must_authenticate_again_must_have_done_so_after_being_asked() -> None:
    again = expected(again=True, requested_at=NOW - timedelta(seconds=10))

    assert read(respond(GOOD), again).name_id.value == "jane-7f3a"
    assert reason(respond(GOOD.but(authenticated=timedelta(minutes=-10))), again) is Reason.NOT_AGAIN


def test_nothing_asked_means_no_request_may_be_named() -> None:
    unasked = expected(request_id=None)

    assert read(respond(GOOD.but(in_response_to=None)), unasked).id
    assert reason(respond(GOOD), unasked) is Reason.WRONG_REQUEST


# Signatures.
def test_an_unsigned_assertion_is_refused_even_within_a_signed_response() -> None:
    assert reason(respond(GOOD, key=None)) is Reason.UNSIGNED_ASSERTION


def test_an_unsigned_response_is_refused_unless_the_provider_may_send_such() -> None:
    message = respond(GOOD, response_key=None)

    assert reason(message) is Reason.UNSIGNED_RESPONSE
    assert read(message, expected(signed_response=False)).id


@pytest.mark.parametrize(("key", "response_key"), [("evil", "idp"), ("idp", "evil")])
def test_the_key_of_a_stranger_is_refused_and_named(key: str, response_key: str) -> None:
    message = respond(GOOD, key=key, response_key=response_key)

    with pytest.raises(SamlRefused, match=keys("evil").certificate.fingerprint[:23]) as refused:
        read(message)
    assert refused.value.reason is Reason.UNKNOWN_KEY


def test_a_stranger_who_brings_no_certificate_is_refused() -> None:
    message = respond(GOOD, key="evil", response_key=None)
    info = find(message, "saml:Assertion/ds:Signature/ds:KeyInfo")
    info.getparent().remove(info)

    assert reason(message, expected(signed_response=False)) is Reason.BAD_SIGNATURE


def test_the_certificate_of_a_stranger_beside_a_known_key_does_not_matter() -> None:
    """Only the certificates entered here are believed, whatever the message brings along."""
    message = respond(GOOD, key="evil", response_key=None)
    find(message, ".//ds:X509Certificate").text = keys("idp").certificate.body

    assert reason(message, expected(signed_response=False)) is Reason.BAD_SIGNATURE


def _tamper_attribute(message: Any) -> None:
    find(message, ".//saml:AttributeValue").text = "admin"


def _tamper_name(message: Any) -> None:
    find(message, ".//saml:NameID").text = "admin"


def _tamper_condition(message: Any) -> None:
    find(message, ".//saml:Conditions").set("NotOnOrAfter", "2099-01-01T00:00:00Z")


def _tamper_space(message: Any) -> None:
    find(message, "saml:Assertion/ds:Signature").tail = " "


@pytest.mark.parametrize("tamper", [_tamper_attribute, _tamper_name, _tamper_condition, _tamper_space])
@pytest.mark.parametrize("response_key", ["idp", None])
def test_what_was_altered_is_refused(tamper: Callable[[Any], None], response_key: str | None) -> None:
    message = respond(GOOD, response_key=response_key)
    tamper(message)

    assert reason(message, expected(signed_response=False)) is Reason.ALTERED


def test_an_altered_signature_is_refused() -> None:
    message = respond(GOOD, response_key=None)
    value = find(message, ".//ds:SignatureValue")
    value.text = ("B" if value.text.strip()[0] == "A" else "A") + value.text.strip()[1:]

    assert reason(message, expected(signed_response=False)) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("path", "algorithm"),
    [
        ("ds:SignedInfo/ds:SignatureMethod", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        ("ds:SignedInfo/ds:SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"),
        ("ds:SignedInfo/ds:SignatureMethod", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
        ("ds:SignedInfo/ds:Reference/ds:DigestMethod", "http://www.w3.org/2000/09/xmldsig#sha1"),
    ],
)
def test_weak_signatures_are_refused(path: str, algorithm: str) -> None:
    message = respond(GOOD, response_key=None)
    find(message, f"saml:Assertion/ds:Signature/{path}").set("Algorithm", algorithm)

    assert reason(message, expected(signed_response=False)) is Reason.WEAK_ALGORITHM


@pytest.mark.parametrize(
    ("path", "algorithm"),
    [
        ("ds:SignedInfo/ds:CanonicalizationMethod", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        (
            "ds:SignedInfo/ds:Reference/ds:Transforms/ds:Transform",
            "http://www.w3.org/TR/1999/REC-xslt-19991116",
        ),
        (
            "ds:SignedInfo/ds:Reference/ds:Transforms/ds:Transform",
            "http://www.w3.org/TR/1999/REC-xpath-19991116",
        ),
    ],
)
def test_unusual_signatures_are_refused(path: str, algorithm: str) -> None:
    message = respond(GOOD, response_key=None)
    find(message, f"saml:Assertion/ds:Signature/{path}").set("Algorithm", algorithm)

    assert reason(message, expected(signed_response=False)) is Reason.UNUSUAL_SIGNATURE


# Wrapping.
@pytest.mark.parametrize("respelled", [False, True])
@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("signed_response", [True, False])
def test_no_wrapping_is_taken_for_what_was_signed(
    number: int, respelled: bool, signed_response: bool
) -> None:
    message = wrappings(respond(GOOD), respelled=respelled)[f"XSW{number}"]

    assert reason(message, expected(signed_response=signed_response)) in {
        Reason.SEVERAL_ASSERTIONS,
        Reason.MISPLACED,
        Reason.DUPLICATE_ID,
        Reason.UNSIGNED_RESPONSE,
    }


def test_a_forged_assertion_with_the_signature_of_another_element_is_refused() -> None:
    message = respond(GOOD, response_key=None)
    find(message, "saml:Assertion").set("ID", "_other")

    assert reason(message, expected(signed_response=False)) is Reason.MISPLACED


def test_an_assertion_of_another_namespace_is_refused() -> None:
    message = respond(GOOD, response_key=None)
    extensions = etree.Element("{urn:oasis:names:tc:SAML:2.0:protocol}Extensions")
    etree.SubElement(extensions, "{urn:other}Assertion")
    message.insert(1, extensions)

    assert reason(message, expected(signed_response=False)) is Reason.SEVERAL_ASSERTIONS


# Encryption.
def test_an_assertion_that_must_be_encrypted_is_refused_in_the_open() -> None:
    assert reason(respond(GOOD), expected(encrypted=True)) is Reason.NOT_ENCRYPTED


def test_an_assertion_encrypted_for_somebody_else_is_refused() -> None:
    assert reason(respond(GOOD, encrypt_for=keys("evil").certificate)) is Reason.NOT_DECRYPTED


def test_an_encrypted_assertion_must_be_signed_inside() -> None:
    message = respond(GOOD, key=None, encrypt_for=keys("ours").certificate)

    assert reason(message) is Reason.UNSIGNED_ASSERTION


def test_old_ciphers_are_taken_only_within_a_signed_response() -> None:
    cbc = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
    signed = respond(GOOD, encrypt_for=keys("ours").certificate, cipher=cbc)
    unsigned = respond(GOOD, encrypt_for=keys("ours").certificate, cipher=cbc, response_key=None)

    assert read(signed).id
    assert reason(unsigned, expected(signed_response=False)) is Reason.WEAK_ALGORITHM


def test_the_old_transport_of_keys_is_refused() -> None:
    message = respond(
        GOOD, encrypt_for=keys("ours").certificate, transport="http://www.w3.org/2001/04/xmlenc#rsa-1_5"
    )

    assert reason(message) is Reason.WEAK_ALGORITHM


def test_an_altered_cipher_text_is_refused() -> None:
    message = respond(GOOD, encrypt_for=keys("ours").certificate, response_key=None)
    value = message.findall(".//xenc:CipherValue", NAMESPACES)[-1]
    body = bytearray(base64.b64decode(value.text))
    body[40] ^= 1
    value.text = base64.b64encode(bytes(body)).decode()

    assert reason(message, expected(signed_response=False)) is Reason.NOT_DECRYPTED


def test_two_assertions_within_the_cipher_text_are_refused() -> None:
    from sentrikat.identity.saml import signatures

    said = assertion(GOOD)
    said.append(assertion(GOOD))
    signatures.sign(said, 1, keys("idp").private, keys("idp").certificate)
    message = wrap(GOOD, encrypted(said, keys("ours").certificate))

    assert reason(message) is Reason.SEVERAL_ASSERTIONS


# Documents.
def test_a_comment_within_a_name_is_refused_although_the_signature_holds() -> None:
    written = etree.tostring(respond(GOOD.but(name_id="jane@example.org.evil.example")))
    split = written.replace(b"jane@example.org.evil", b"jane@example.org<!-- -->.evil")
    assert split != written

    assert reason(base64.b64encode(split).decode()) is Reason.COMMENT


def test_without_the_comment_the_whole_name_is_read() -> None:
    said = read(respond(GOOD.but(name_id="jane@example.org.evil.example")))

    assert said.name_id.value == "jane@example.org.evil.example"


_BOMB = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><r>&b;</r>'


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (_BOMB.encode(), Reason.DTD),
        (b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>', Reason.DTD),
        (('<?xml version="1.0" encoding="UTF-16"?>' + _BOMB).encode("utf-16"), Reason.NOT_XML),
        (b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE r+AD4-<r/>', Reason.NOT_XML),
        (b"<r>" * 2000 + b"</r>" * 2000, Reason.NOT_XML),  # nested deeper than anybody's
        (b"<r a='&undefined;'/>", Reason.NOT_XML),
        (b"\x00", Reason.NOT_XML),
        (b"", Reason.NOT_XML),
        (b"<r/>", Reason.NOT_A_RESPONSE),
        (b"<r>" + b"x" * LARGEST_MESSAGE + b"</r>", Reason.TOO_LARGE),
    ],
)
def test_documents_that_mean_harm_are_refused(content: bytes, why: Reason) -> None:
    assert reason(base64.b64encode(content).decode()) is why


def _with(document: str, count: int, one: str) -> str:
    return document.replace("#", " ".join(one.replace("#", f"{number:x}") for number in range(count)))


# Each of these once took from seconds to a minute of a processor, and nobody had to be known to send it.
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (_with("<r #/>", 20_000, 'a#=""'), Reason.TOO_LARGE),  # attributes are compared each with each
        (_with("<r #/>", 9_000, 'xmlns:a#="u"'), Reason.TOO_LARGE),  # the canonical form looks each up
        (_with("<r #>", 40, 'xmlns:a#="u"') * 200 + "</r>" * 200, Reason.TOO_LARGE),
        (_with("<r>#</r>", 100_000, "<a/>"), Reason.TOO_LARGE),
        (
            _with(
                f"<p:Response xmlns:p='{PROTOCOL}' ID='r' Version='2.0'>#</p:Response>", 19_000, "<p:Status/>"
            ),
            None,
        ),
    ],
)
def test_a_shape_that_costs_minutes_is_refused_at_once(content: str, why: Reason | None) -> None:
    began = time.process_time()

    assert reason(base64.b64encode(content.encode()).decode()) is (why or Reason.MISPLACED)
    assert time.process_time() - began < 2


def test_a_signature_that_lists_thousands_of_prefixes_is_refused_before_it_is_checked() -> None:
    message = respond(GOOD)
    transform = message.findall("ds:Signature//ds:Transform", NAMESPACES)[1]
    listed = etree.SubElement(transform, f"{{{EXCLUSIVE_C14N}}}InclusiveNamespaces")
    listed.set("PrefixList", _with("#", 5_000, "a#"))

    assert reason(message) is Reason.UNUSUAL_SIGNATURE


def test_an_assertion_that_brings_hundreds_of_keys_is_refused_before_one_is_tried() -> None:
    message = respond(GOOD, encrypt_for=keys("ours").certificate, response_key=None)
    key = find(message, ".//xenc:EncryptedKey")
    for _number in range(500):
        key.addnext(copy.deepcopy(key))

    with pytest.raises(SamlRefused, match="501 encrypted keys") as refused:
        read(message, expected(signed_response=False))
    assert refused.value.reason is Reason.NOT_DECRYPTED


def test_as_many_groups_as_are_read_are_no_strange_shape() -> None:
    groups = tuple(f"group {number}" for number in range(2_000))

    assert read(respond(GOOD.but(attributes={"groups": groups}))).attributes["groups"] == groups


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        ("not base64!", Reason.NOT_BASE64),
        ("ü", Reason.NOT_BASE64),
        ("A" * (LARGEST_MESSAGE * 2 + 1), Reason.TOO_LARGE),
    ],
)
def test_what_is_not_base64_is_refused(encoded: str, why: Reason) -> None:
    assert reason(encoded) is why


def test_a_deflate_bomb_is_cut_off() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(b" " * 20_000_000) + packer.flush()

    with pytest.raises(SamlRefused) as refused:
        inflate(bomb)
    assert refused.value.reason is Reason.TOO_LARGE


@given(st.one_of(st.text(), st.binary().map(lambda b: base64.b64encode(b).decode())))
def test_arbitrary_messages_are_refused_and_nothing_worse(encoded: str) -> None:
    with pytest.raises(SamlRefused):
        read(encoded)


_WRITTEN = etree.tostring(respond(GOOD, response_key=None))


@given(st.integers(0, len(_WRITTEN) - 1), st.binary(max_size=6), st.integers(0, 20))
def test_damaged_responses_say_the_same_or_are_refused(at: int, put: bytes, cut: int) -> None:
    """Whatever is altered, nobody else is read out of it."""
    damaged = _WRITTEN[:at] + put + _WRITTEN[at + cut :]
    try:
        said = read(base64.b64encode(damaged).decode(), expected(signed_response=False))
    except SamlRefused:
        return
    assert said.name_id.value == "jane-7f3a"
    assert said.attributes["groups"] == ("kat-analysts", "all")


def test_reading_leaves_the_message_as_it_was() -> None:
    message = respond(GOOD, encrypt_for=keys("ours").certificate)
    opened = open_response(encode(message))
    before = etree.tostring(copy.deepcopy(opened.root))

    read_assertion(opened, expected(), NOW)

    assert etree.tostring(opened.root) == before


def test_metadata_may_have_comments() -> None:
    assert parse(b"<r><!-- ours --></r>", comments=True).tag == "r"
