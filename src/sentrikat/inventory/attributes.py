"""What people know of an asset and no agent can report: how exposed and how important it is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.inventory.access import access_asset
from sentrikat.inventory.models import Asset

EXPOSURES = ("public", "internal", "unknown")
CRITICALITIES = {1: "low", 2: "normal", 3: "high", 4: "mission-critical"}


def change_attributes(
    session: Session,
    caller: Caller,
    asset_id: int,
    *,
    exposure: str | None = None,
    criticality: int | None = None,
    now: datetime,
) -> tuple[Asset, bool]:
    """Set what is given; say whether anything changed, for then deadlines must follow."""
    asset = access_asset(session, caller, asset_id, Permission.INVENTORY_WRITE)
    wrong = {}
    if exposure is not None and exposure not in EXPOSURES:
        wrong["exposure"] = f"is one of {', '.join(EXPOSURES)}"
    if criticality is not None and criticality not in CRITICALITIES:
        wrong["criticality"] = "is 1 (low) to 4 (mission-critical)"
    if wrong:
        raise InvalidInput(
            f"The asset {asset.hostname} was not changed: {'; '.join(f'{k} {v}' for k, v in wrong.items())}.",
            hint="Nothing was changed.",
            fields=wrong,
        )
    before = (asset.exposure, asset.criticality)
    asset.exposure = exposure if exposure is not None else asset.exposure
    asset.criticality = criticality if criticality is not None else asset.criticality
    after = (asset.exposure, asset.criticality)
    if after == before:
        return asset, False
    session.flush()
    changes = {
        name: [old, new]
        for name, old, new in zip(("exposure", "criticality"), before, after, strict=True)
        if old != new
    }
    record(
        session,
        caller,
        "asset.changed",
        f"asset:{asset.id}",
        {"hostname": asset.hostname, **changes},
        now=now,
    )
    return asset, True
