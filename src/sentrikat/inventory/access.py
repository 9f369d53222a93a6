"""The only way a door gets an asset or a receipt: caller, id, permission."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from sentrikat.domain.errors import NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.inventory.models import Asset, Receipt


def access_asset(session: Session, caller: Caller, asset_id: int, permission: Permission) -> Asset:
    """Give an asset of the caller's organization; NotFound for another's, Forbidden without the permission."""
    caller.require(permission)
    asset = session.scalar(
        select(Asset).where(Asset.organization_id == caller.organization_id, Asset.id == asset_id)
    )
    if asset is None:
        raise NotFound(f"There is no asset {asset_id} in this organization.")
    return asset


def access_receipt(session: Session, caller: Caller, receipt_id: int, permission: Permission) -> Receipt:
    """Give the receipt of a report to the caller's organization; as `access_asset`."""
    caller.require(permission)
    receipt = session.scalar(
        select(Receipt)
        .where(Receipt.organization_id == caller.organization_id, Receipt.id == receipt_id)
        .options(defer(Receipt.body))
    )
    if receipt is None:
        raise NotFound(f"There is no receipt {receipt_id} in this organization.")
    return receipt
