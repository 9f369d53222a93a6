"""Whose bundles this installation takes: pinned roots, in the database beside the numbers that bar older bundles.

A backup holds both or neither, so bringing an old one back cannot revive a replaced key alone.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.feeds.bundle.root import Root, decoded, first_of, newest, read_chain


def trusted_roots(session: Session) -> dict[str, Root]:
    """Give the newest root of each origin trusted here."""
    rows = session.execute(text("select origin, document from bundle_root order by name, origin"))
    return {origin: decoded(bytes(document)) for origin, document in rows}


def pin(session: Session, caller: Caller, chain: bytes, *, fingerprint: str, now: datetime) -> Root:
    """Trust the origin of `chain`; Conflict where its newest key is not the one that `fingerprint` names.

    The fingerprint comes another way than the file, or the file proves nothing.
    """
    caller.require(Permission.INSTALLATION_MANAGE)
    envelopes = read_chain(chain)
    root = newest(first_of(envelopes), envelopes)
    given = "".join(fingerprint.split()).replace(":", "").lower()
    if not any(one.id == given for one in root.keys):
        raise Conflict(
            f"The origin {root.name} was not trusted: the fingerprint given is {given[:64] or 'empty'}, and the file"
            f" holds the key {root.keys[0].id}.",
            hint="Have the fingerprint read to you by whoever made the file. Nothing was changed.",
            code="fingerprint_differs",
        )
    held = trusted_roots(session).get(root.origin)
    if held is not None:
        root = newest(held, envelopes)
    _keep(session, root, now)
    record(
        session,
        caller,
        "bundle_root.pinned",
        f"bundle_root:{root.origin}",
        {"name": root.name, "version": root.version, "keys": [one.id for one in root.keys]},
        now=now,
    )
    return root


def follow(session: Session, caller: Caller, root: Root, *, now: datetime) -> bool:
    """Move on to `root`, which a bundle brought and a `Gate` has followed; give whether it was new."""
    held = trusted_roots(session)[root.origin]
    if root.version <= held.version:
        return False
    _keep(session, root, now)
    record(
        session,
        caller,
        "bundle_root.rotated",
        f"bundle_root:{root.origin}",
        {
            "name": root.name,
            "version": root.version,
            "old": [one.id for one in held.keys],
            "keys": [one.id for one in root.keys],
        },
        now=now,
    )
    return True


def distrust(session: Session, caller: Caller, origin: str, *, now: datetime) -> Root:
    """Take no bundle of an origin any more; its numbers stay known. `origin` may be its beginning."""
    caller.require(Permission.INSTALLATION_MANAGE)
    found = [root for name, root in trusted_roots(session).items() if origin and name.startswith(origin)]
    if len(found) != 1:
        raise NotFound(
            f"Nothing was changed: {len(found)} trusted origins begin with {origin!r}.",
            hint="List them with: sentrikat feeds bundle-key show",
        )
    session.execute(text("delete from bundle_root where origin = :origin"), {"origin": found[0].origin})
    record(
        session,
        caller,
        "bundle_root.removed",
        f"bundle_root:{found[0].origin}",
        {"name": found[0].name},
        now=now,
    )
    return found[0]


def _keep(session: Session, root: Root, now: datetime) -> None:
    session.execute(
        text(
            "insert into bundle_root (origin, name, version, document, pinned_at, changed_at)"
            " values (:origin, :name, :version, :document, :now, :now)"
            " on conflict (origin) do update set name = excluded.name, version = excluded.version,"
            " document = excluded.document, changed_at = excluded.changed_at"
            " where bundle_root.version <= excluded.version"
        ),
        {
            "origin": root.origin,
            "name": root.name,
            "version": root.version,
            "document": root.encoded(),
            "now": now,
        },
    )
