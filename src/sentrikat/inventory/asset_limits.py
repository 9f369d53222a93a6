"""How many assets the keys of agents may bring in, so that a key that got out cannot flood the inventory.

Asked twice: at the door, where the sender hears of it, and exactly when the asset would be made. Assets that exist
already may go on reporting; a retired one makes room for another.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Forbidden, InvalidInput
from sentrikat.domain.inventory import Inventory
from sentrikat.identity.api_keys import AssetLimit, asset_limit

_COUNT = text(
    "select count(*) from asset where organization_id = :organization_id and key_family = :family"
    " and retired_at is null"
)
_KNOWN = text(
    "select exists (select from asset where organization_id = :organization_id and (hostname = any(:hostnames)"
    " or agent_id = :agent_id or machine_id = :machine_id))"
)


def require_room(session: Session, organization_id: int, key_id: int, inventory: Inventory) -> None:
    """Raise Forbidden for a report of a new machine with a key that has brought in all it may."""
    limit = asset_limit(session, key_id)
    if limit is None or _count(session, organization_id, limit) < limit.most:
        return
    names = {
        "organization_id": organization_id,
        "hostnames": list({inventory.hostname, inventory.hostname.lower(), inventory.hostname.upper()}),
        "agent_id": inventory.agent_id,
        "machine_id": inventory.machine_id,
    }
    if not session.scalar(_KNOWN, names):
        raise Forbidden(
            f"The report of {inventory.hostname} was not accepted: {_full(limit)}.",
            hint="Retire assets that are gone, or make a key with a higher limit under API keys. "
            "Nothing was changed.",
            code="key_asset_limit",
        )


def admit_new_asset(session: Session, organization_id: int, key_id: int | None) -> int | None:
    """Give the line of keys that a new asset is counted for, None without a limit; InvalidInput beyond it.

    Others of the same line wait until this transaction ends, so the limit holds however many report at once.
    """
    limit = asset_limit(session, key_id, hold=True) if key_id is not None else None
    if limit is None:
        return None
    if _count(session, organization_id, limit) >= limit.most:
        raise InvalidInput(f"not taken in: {_full(limit)}", code="key_asset_limit")
    return limit.family


def _count(session: Session, organization_id: int, limit: AssetLimit) -> int:
    found: int = session.execute(
        _COUNT, {"organization_id": organization_id, "family": limit.family}
    ).scalar_one()
    return found


def _full(limit: AssetLimit) -> str:
    return f"its API key has brought in {limit.most:,} assets, which is its limit"
