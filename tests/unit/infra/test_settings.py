"""Settings: read once, checked, and no typing error passes for a default."""

from __future__ import annotations

import pytest

from sentrikat.domain.errors import InvalidInput
from sentrikat.infra.settings import load


def test_without_variables_the_defaults_hold() -> None:
    settings = load()
    assert settings.port == 8420
    assert settings.database_url is None


def test_a_misspelled_variable_is_refused_and_the_nearest_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRIKAT_DATABSE_URL", "postgresql://db/x")
    with pytest.raises(InvalidInput, match="no setting SENTRIKAT_DATABSE_URL") as refused:
        load()
    assert "SENTRIKAT_DATABASE_URL" in (refused.value.hint or "")


def test_a_wrong_value_is_refused_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRIKAT_PORT", "eighty")
    monkeypatch.setenv("SENTRIKAT_PROXY", "proxy.example.org:3128")
    monkeypatch.setenv("SENTRIKAT_SECURITY_CONTACT", "security@example.org")
    with pytest.raises(InvalidInput) as refused:
        load()
    assert set(refused.value.fields) == {"SENTRIKAT_PORT", "SENTRIKAT_PROXY", "SENTRIKAT_SECURITY_CONTACT"}


def test_an_empty_address_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", "")
    assert load().database_url is None


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", "postgresql://u:hunter2@db/x")
    monkeypatch.setenv("SENTRIKAT_NVD_API_KEY", "hunter3")
    assert "hunter" not in repr(load())


@pytest.mark.parametrize(
    ("given", "secure"),
    [
        ({}, False),  # loopback without TLS: a Secure cookie would never come back
        ({"host": "192.0.2.7"}, True),  # reached from elsewhere, so behind TLS
        ({"public_url": "https://sentrikat.example.org"}, True),
        ({"public_url": "http://sentrikat.example.org"}, False),
        ({"public_url": "https://sentrikat.example.org", "cookie_secure": False}, False),  # said is said
    ],
)
def test_cookies_are_secure_wherever_they_can_be(given: dict[str, object], secure: bool) -> None:
    assert load(**given).secure_cookies is secure


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({}, "optional"),  # `make run`: whoever reaches it is on this machine
        ({"public_url": "http://localhost:8420"}, "optional"),
        ({"host": "192.0.2.7"}, "administrators"),
        ({"public_url": "https://sentrikat.example.org"}, "administrators"),
        (
            {"public_url": "https://sentrikat.example.org", "second_factor": "optional"},
            "optional",
        ),  # said is said
        ({"second_factor": "everybody"}, "everybody"),
    ],
)
def test_administrators_need_a_second_factor_where_others_reach_the_server(
    given: dict[str, object], rule: str
) -> None:
    assert load(**given).second_factor_of == rule


@pytest.mark.parametrize(
    "given",
    [
        "*",  # everybody could forge their address
        "0.0.0.0/0",
        "::/0",
        "proxy.example.org",  # a name is compared with no address, so nobody would be trusted
        "10.0.0.5, 10.0.0.256",
    ],
)
def test_whom_to_believe_about_addresses_is_named_exactly(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("SENTRIKAT_TRUSTED_PROXIES", given)
    with pytest.raises(InvalidInput, match="SENTRIKAT_TRUSTED_PROXIES"):
        load()


@pytest.mark.parametrize("given", ["", "127.0.0.1", "10.0.0.5,172.16.0.0/12", "2001:db8::5, 10.0.0.5"])
def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SENTRIKAT_TRUSTED_PROXIES", given)
    assert load().trusted_proxies == given
