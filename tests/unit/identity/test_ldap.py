"""What can be said about directories without one: escaping, settings, words."""

from __future__ import annotations

import re
import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentrikat.identity.group_rules import GroupRule, entitled, normal_group
from sentrikat.identity.ldap.authentication import name_to_bind
from sentrikat.identity.ldap.connection import escaped, escaped_in_dn
from sentrikat.identity.ldap.people import login_of
from sentrikat.identity.ldap.settings import LOGIN, LdapSettings
from sentrikat.identity.ldap.words import SUB_CODES, result_words, sub_code, tls_words

GOOD: dict[str, Any] = {
    "hosts": ["dc1.example.test", "dc2.example.test:3269"],
    "base_dn": "dc=example,dc=test",
    "bind_dn": "reader@example.test",
}
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def value_in(escaped_text: str) -> bytes:
    """Read a filter's value as RFC 4515 says."""
    return re.sub(
        rb"\\([0-9a-fA-F]{2})", lambda found: bytes([int(found[1], 16)]), escaped_text.encode("utf-8")
    )


@given(anything)
def test_a_value_in_a_filter_means_itself_and_nothing_else(text: str) -> None:
    written = escaped(text)

    assert not set(written) & set("()*\x00\n\r")
    assert value_in(written) == text.encode("utf-8")


@given(anything.filter(bool))
def test_a_filter_has_the_parts_its_author_gave_it_whatever_the_name(text: str) -> None:
    from ldap3.operation.search import parse_filter

    parsed = parse_filter(f"(&(objectClass=person)(uid={escaped(text)}))", None, False, False, None, False)

    assert len(parsed.elements) == 1
    assert len(parsed.elements[0].elements) == 2


@given(st.binary(max_size=40))
def test_bytes_in_a_filter_are_all_written_out(value: bytes) -> None:
    assert value_in(escaped(value)) == value
    assert re.fullmatch(r"(\\[0-9a-f]{2})*", escaped(value))


@given(anything.filter(lambda text: text.strip("\x00 ")))
def test_a_value_in_a_dn_stays_one_value(text: str) -> None:
    from ldap3.utils.dn import parse_dn

    parts = parse_dn(f"uid={escaped_in_dn(text)},ou=people,dc=example", escape=False, strip=False)

    assert [part[0] for part in parts] == ["uid", "ou", "dc"]
    assert [part[1] for part in parts[1:]] == ["people", "example"]


@given(anything)
def test_a_template_gets_the_name_as_one_value(text: str) -> None:
    settings = LdapSettings.model_validate(
        {**GOOD, "bind_dn": None, "bind_template": f"uid={LOGIN},dc=example"}
    )

    assert name_to_bind(settings, text) == f"uid={escaped_in_dn(text)},dc=example"


@given(anything)
def test_a_spelling_of_a_group_is_its_own_spelling(text: str) -> None:
    once = normal_group(text)
    assert normal_group(once) == once


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=3))
def test_more_groups_never_take_the_installation_away(groups: list[str]) -> None:
    rules = [GroupRule("b", installation_admin=True)]
    assert entitled(rules, [*groups, "b"]).installation_admin
    assert entitled(rules, groups).installation_admin == ("b" in groups)


@pytest.mark.parametrize(
    ("typed", "login"),
    [
        (" jane ", "jane"),
        ("EXAMPLE\\jane", "jane"),
        ("example\\jane", "jane"),
        ("OTHER\\jane", None),
        ("EXAMPLE\\", None),
        ("jane@example.test", "jane@example.test"),
        ("", None),
    ],
)
def test_a_name_with_another_domain_is_not_of_this_directory(typed: str, login: str | None) -> None:
    assert login_of(LdapSettings.model_validate({**GOOD, "domain": "EXAMPLE"}), typed) == login


def test_what_is_left_out_follows_from_the_kind_of_directory() -> None:
    ad = LdapSettings.model_validate(GOOD)
    openldap = LdapSettings.model_validate({**GOOD, "directory": "openldap", "id_attribute": ""})

    assert (ad.id_attribute, openldap.id_attribute) == ("objectGUID", "entryUUID")
    assert ad.endpoints == (("dc1.example.test", 636), ("dc2.example.test", 3269))
    assert "sAMAccountName={login}" in ad.user_filter
    assert LdapSettings.model_validate(ad.model_dump(mode="json")) == ad


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hosts": []}, "at least 1"),
        ({"hosts": ["ldap://dc1"]}, "is not a host"),
        ({"hosts": ["dc1:99999"]}, "is not a host"),
        ({"base_dn": "example.test"}, "This is no DN"),  # the domain, which is what people have at hand
        ({"group_base_dn": "groups"}, "This is no DN"),
        ({"security": "none"}, "ldaps"),  # there is no plain LDAP
        ({"user_filter": "(uid=jane)"}, "must contain"),
        ({"user_filter": "(uid={login}))((x"}, "every"),
        ({"user_filter": "uid={login}"}, "must begin"),
        ({"bind_dn": None}, "bind_template"),
        ({"bind_template": "x{login}"}, "not both"),
        ({"bind_dn": None, "bind_template": "cn=admin"}, "must contain"),
        ({"ca_pem": "hello"}, "holds no certificate"),
        ({"ca_file": "/nowhere/ca.pem"}, "there is no file"),
        ({"login_attribute": "uid)(x"}, "is not the name of an attribute"),
        ({"password": "secret"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        LdapSettings.model_validate({**GOOD, **changes})


@pytest.mark.parametrize("code", sorted(SUB_CODES))
def test_every_sub_code_has_its_words(code: str) -> None:
    message = f"80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data {code}, v3839"

    assert sub_code(message) == code
    assert SUB_CODES[code] in result_words(49, message)


@given(st.integers(), st.text())
def test_every_answer_of_a_directory_has_words(code: int, message: str) -> None:
    assert result_words(code, message)


@pytest.mark.parametrize("error", [TimeoutError(), ssl.SSLError(1, "x"), ConnectionResetError("gone")])
def test_every_trouble_of_tls_has_words(error: Exception) -> None:
    assert tls_words(error, "dc1")
