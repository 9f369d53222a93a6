"""The second factor: six digits of an app on the phone (TOTP, RFC 6238), or a recovery code when it is lost.

    new_seed()                          shown to one browser, as a picture and as letters
    set_up(session, ..., seed, code)    the app's first code proves that it was read; gives recovery codes
    accept(session, vault, ...)         a code of either kind, each taken once

SHA-1, six digits and thirty seconds are what every app understands; the seed has 160 random bits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

import pyotp
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.identity import owner_mail, web_sessions
from sentrikat.identity.models import TOTP_PURPOSE, RecoveryCode, TotpFactor, UserAccount
from sentrikat.identity.owner_mail import Change
from sentrikat.infra.encryption import Vault

STEP_SECONDS = 30
DRIFT = 1  # steps that a phone's clock may be off, either way (RFC 6238, 5.2)
RECOVERY_CODES = 10

WRONG_FIRST_CODE = "This code is not right. Read a new one; the phone's clock may be off by half a minute."

_CODE = re.compile(r"[0-9]{6}")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without the pairs people mix up
_RECOVERY = re.compile(rf"[{_ALPHABET}]{{16}}")


class Factor(StrEnum):
    """What was given beside the password."""

    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"


def new_seed() -> str:
    """Make a seed: 32 letters and digits of base 32."""
    return pyotp.random_base32()


def address_of(seed: str, login: str, installation: str = "") -> str:
    """Give the address that apps read from the picture; `installation` tells several servers apart."""
    issuer = f"SentriKat {installation}".replace(":", " ").strip()
    return pyotp.TOTP(seed).provisioning_uri(name=login, issuer_name=issuer)


def step_of(seed: str, code: str, now: datetime) -> int | None:
    """Give the time step that a code belongs to, or None when it belongs to none near `now`."""
    code = re.sub(r"\s", "", code)
    if not _CODE.fullmatch(code):
        return None
    totp = pyotp.TOTP(seed)
    present = int(now.timestamp()) // STEP_SECONDS
    found = None
    for step in range(present - DRIFT, present + DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            found = step  # no early way out: each code takes as long
    return found


def is_set_up(session: Session, user_id: int) -> bool:
    """Say whether a person has a second factor."""
    return session.scalar(select(TotpFactor.user_id).where(TotpFactor.user_id == user_id)) is not None


def set_up(
    session: Session,
    caller: Caller,
    vault: Vault,
    user: UserAccount,
    *,
    seed: str,
    code: str,
    but_session: int | None,
    but_half_open: int | None = None,
    now: datetime,
) -> list[str] | None:
    """Store the factor if `code` shows that the app holds the seed, and give recovery codes; else None.

    Every other session of the person ends: it was opened with less.
    """
    step = step_of(seed, code, now)
    if step is None:
        return None
    session.refresh(user, with_for_update={"key_share": True})  # of two at once, the second is told
    if is_set_up(session, user.id):
        raise Conflict(
            "The second factor was not set up: the account has one already.",
            hint="Remove it first. Nothing was changed.",
        )
    session.execute(
        insert(TotpFactor).values(
            user_id=user.id,
            secret=vault.encrypt(seed, purpose=TOTP_PURPOSE),
            last_step=step,
            created_at=now,
        )
    )
    codes = _store_codes(session, user.id)
    web_sessions.end_all(session, user.id, but=but_session, but_half_open=but_half_open)
    _record(session, caller, "second_factor.set_up", user, now)
    owner_mail.tell(session, Change.FACTOR_SET_UP, user, caller, now)
    return codes


def accept(session: Session, vault: Vault, user_id: int, given: str, now: datetime) -> Factor | None:
    """Take a code of either kind, once, or give None. Throttling is the caller's.

    Two requests with the same code at the same time: the row's own lock lets one of them through.
    """
    bare = re.sub(r"[\s-]", "", given).casefold()
    if _RECOVERY.fullmatch(bare):
        used = session.scalar(
            update(RecoveryCode)
            .where(
                RecoveryCode.user_id == user_id,
                RecoveryCode.code_hash == _hash(bare),
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=now)
            .returning(RecoveryCode.user_id)
        )
        return Factor.RECOVERY_CODE if used is not None else None
    held = session.scalar(select(TotpFactor.secret).where(TotpFactor.user_id == user_id))
    if held is None:
        return None
    step = step_of(vault.decrypt(held, purpose=TOTP_PURPOSE), given, now)
    if step is None:
        return None
    taken = session.scalar(
        update(TotpFactor)
        .where(TotpFactor.user_id == user_id, TotpFactor.last_step < step)
        .values(last_step=step)
        .returning(TotpFactor.user_id)
    )
    return Factor.TOTP if taken is not None else None


def codes_left(session: Session, user_id: int) -> int:
    """Give how many recovery codes are unused."""
    query = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return session.scalar(query) or 0


def renew_codes(session: Session, caller: Caller, user: UserAccount, *, now: datetime) -> list[str]:
    """Give ten new recovery codes; those of before are void."""
    if not is_set_up(session, user.id):
        raise Conflict(
            "No recovery codes were made: the account has no second factor.", hint="Set one up first."
        )
    codes = _store_codes(session, user.id)
    _record(session, caller, "second_factor.codes_renewed", user, now)
    owner_mail.tell(session, Change.CODES_RENEWED, user, caller, now)
    return codes


def remove(
    session: Session, caller: Caller, user: UserAccount, *, but_session: int | None, now: datetime
) -> bool:
    """Take a person's second factor away, by themselves; every other session ends. Say whether there was one."""
    gone = session.scalar(
        delete(TotpFactor).where(TotpFactor.user_id == user.id).returning(TotpFactor.user_id)
    )
    if gone is None:
        return False
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    web_sessions.end_all(session, user.id, but=but_session)
    _record(session, caller, "second_factor.removed", user, now)
    owner_mail.tell(session, Change.FACTOR_REMOVED, user, caller, now)
    return True


def reset(session: Session, caller: Caller, user: UserAccount, *, now: datetime) -> bool:
    """Take away somebody else's second factor, which they lost; every session of theirs ends."""
    caller.require(Permission.INSTALLATION_MANAGE)
    if caller.actor == f"user:{user.id}":
        raise Conflict(
            f"The second factor of “{user.login}” was not reset: it is your own account.",
            hint="Remove it under Profile. Nothing was changed.",
        )
    return remove(session, caller, user, but_session=None, now=now)


def _store_codes(session: Session, user_id: int) -> list[str]:
    bare = ["".join(secrets.choice(_ALPHABET) for _ in range(16)) for _ in range(RECOVERY_CODES)]
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    session.execute(insert(RecoveryCode), [{"user_id": user_id, "code_hash": _hash(code)} for code in bare])
    return ["-".join(code[i : i + 4] for i in range(0, 16, 4)) for code in bare]


def _hash(code: str) -> bytes:
    # 79 random bits: too many to try, so a plain hash does.
    return hashlib.sha256(b"sentrikat recovery code\x00" + code.encode()).digest()


def _record(session: Session, caller: Caller, action: str, user: UserAccount, now: datetime) -> None:
    installation = replace(caller, organization_id=0)
    record(session, installation, action, f"user:{user.id}", {"login": user.login}, now=now)
