"""One-time codes against the vectors of RFC 6238, and what is no code."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.identity.second_factor import STEP_SECONDS, address_of, new_seed, step_of

# RFC 6238, appendix B: the SHA-1 seed, and the last six of its eight digits.
SEED = base64.b32encode(b"12345678901234567890").decode()
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


def at(seconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_vectors_of_rfc_6238_are_accepted(seconds: int, code: str) -> None:
    assert step_of(SEED, code, at(seconds)) == seconds // STEP_SECONDS


@pytest.mark.parametrize(
    ("late", "accepted"),
    [
        (-60, False),  # two steps before its time
        (-30, True),  # the phone is ahead
        (0, True),
        (30, True),  # the phone is behind, or the typing was slow
        (60, False),
    ],
)
def test_a_clock_may_be_off_by_one_step(late: int, accepted: bool) -> None:
    assert (step_of(SEED, "050471", at(1111111111 + late)) is not None) is accepted


@pytest.mark.parametrize("code", ["", "50471", "0050471", "05047l", "٠٥٠٤٧١", "-05047", "050471\x00"])
def test_what_is_not_six_digits_is_no_code(code: str) -> None:
    assert step_of(SEED, code, at(1111111111)) is None


def test_spaces_between_the_digits_do_not_matter() -> None:
    assert step_of(SEED, " 050 471 ", at(1111111111)) is not None


@given(st.text(max_size=40))
def test_no_text_breaks_the_check(code: str) -> None:
    assert step_of(SEED, code, at(59)) in {None, 0, 1, 2}


def test_every_seed_is_another_and_has_160_bits() -> None:
    seeds = {new_seed() for _ in range(50)}

    assert len(seeds) == 50
    assert {len(base64.b32decode(seed)) for seed in seeds} == {20}


def test_the_address_names_the_account_and_this_installation() -> None:
    address = urlsplit(address_of(SEED, "jane@acme", "kat.acme.example"))

    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert unquote(address.path) == "/SentriKat kat.acme.example:jane@acme"
    assert parse_qs(address.query) == {"secret": [SEED], "issuer": ["SentriKat kat.acme.example"]}
