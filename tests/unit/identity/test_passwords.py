from __future__ import annotations

import pytest

from sentrikat.identity.password_rules import require_good
from sentrikat.identity.passwords import (
    COST,
    LONGEST,
    hash_password,
    is_right,
    random_password,
)


def test_only_the_whole_password_is_right() -> None:
    stored = hash_password("correct horse battery")

    assert stored.startswith(f"$2b${COST}$")
    assert is_right("correct horse battery", stored)
    assert not is_right("correct horse batter", stored)


def test_what_stands_behind_72_bytes_counts() -> None:
    """Bcrypt alone reads 72 bytes and would take both."""
    stored = hash_password("é" * 40 + "a")

    assert is_right("é" * 40 + "a", stored)
    assert not is_right("é" * 40 + "b", stored)


def test_what_stands_behind_a_zero_byte_counts() -> None:
    assert not is_right("secret\x00b", hash_password("secret\x00a"))


@pytest.mark.parametrize("password", ["anything", "", "x" * (LONGEST + 1)])
def test_nothing_is_right_for_an_account_that_does_not_exist(password: str) -> None:
    assert not is_right(password, None)


def test_random_passwords_pass_our_own_rules_and_differ() -> None:
    made = {random_password() for _ in range(50)}

    assert len(made) == 50
    for password in made:
        require_good(password, login="admin", min_length=12)
