"""Make a bundle: fetch what an installation in a known state would fetch, and record it instead of storing it.

A full bundle is what an empty installation fetches. A delta is what an installation fetches that has taken in the
bundle it continues: validators and cursors are those the base leaves behind. So importing is the run that would have
been made online, document by document, whatever a feed's own rules for what is new are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, FeedFormatError, NotFound, Unavailable
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.feeds.adapter import Document, Feed, FeedState
from sentrikat.feeds.bundle.keyring import Keyring
from sentrikat.feeds.bundle.manifest import Base, Manifest, Place
from sentrikat.feeds.bundle.root import encoded_chain
from sentrikat.feeds.bundle.writer import Chosen, Signing, write_bundle
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import Settings
from sentrikat.vulnerabilities.sources import fetch_options, network

Tell = Callable[[Document, Feed], None]


@dataclass(frozen=True, slots=True)
class _Known:
    """A bundle made here earlier."""

    base: Base | None
    states: dict[str, FeedState]


def export_bundle(
    database: Database,
    settings: Settings,
    clock: Clock,
    caller: Caller,
    path: Path,
    feeds: Sequence[Feed],
    *,
    since: int | None = None,
    tell: Tell | None = None,
) -> Manifest:
    """Fetch `feeds` and write them to `path`, signed; with `since`, only what changed after that number.

    Every document is parsed on the way: one that nobody could read is not worth carrying. Trouble with any feed
    ends the export, so a bundle never lacks a feed in silence.
    """
    caller.require(Permission.INSTALLATION_MANAGE)
    if not settings.feeds_enabled:
        raise Conflict(
            "No bundle was made: SENTRIKAT_FEEDS_ENABLED is off, so nothing connects outwards.",
            hint="Make it on a connected installation. Nothing was changed.",
            code="feeds_disabled",
        )
    key, chain = keyring_of(settings).signer()
    origin = keyring_of(settings).root().origin
    with database.as_system() as session:
        number = _last_number(session, origin) + 1
        known = _known(session, origin, since)
    fetched: dict[str, list[Document]] = {}
    made_at = clock.now().replace(microsecond=0)
    manifest = write_bundle(
        path,
        _documents(database, settings, clock, feeds, known.states, fetched, tell),
        made_at,
        signing=Signing(Place(origin, number, known.base), key, encoded_chain(chain)),
    )
    states = dict(known.states)
    for name, documents in fetched.items():
        states[name] = states.get(name, FeedState()).after(documents)
    with database.as_system() as session:
        session.execute(
            text(
                "insert into bundle_export (origin, sequence, sha256, made_at, base_sequence, states)"
                " values (:origin, :sequence, :sha256, :made_at, :base, cast(:states as jsonb))"
            ),
            {
                "origin": origin,
                "sequence": number,
                "sha256": hashlib.sha256(manifest.encoded()).hexdigest(),
                "made_at": made_at,
                "base": known.base.sequence if known.base else None,
                "states": orjson.dumps({name: one.as_json() for name, one in states.items()}).decode(),
            },
        )
        record(
            session,
            caller,
            "bundle.exported",
            f"bundle:{origin[:8]}/{number}",
            {"documents": len(manifest.documents), "feeds": sorted(manifest.feeds)},
            now=clock.now(),
        )
    return manifest


def keyring_of(settings: Settings) -> Keyring:
    """Give the keyring of this installation."""
    return Keyring(settings.data_dir / "bundle-keys")


def last_export(database: Database, settings: Settings) -> int:
    """Give the number of the newest bundle made here; 0 where there is none."""
    with database.as_system() as session:
        return _last_number(session, keyring_of(settings).root().origin)


def _documents(
    database: Database,
    settings: Settings,
    clock: Clock,
    feeds: Sequence[Feed],
    states: dict[str, FeedState],
    fetched: dict[str, list[Document]],
    tell: Tell | None,
) -> Iterator[Chosen]:
    for feed in feeds:
        options = replace(fetch_options(database, settings, clock), now=clock.now())
        state = states.get(feed.name, FeedState())
        with _naming(feed), network(settings, feed, clock) as transport:
            for document in feed.fetch(transport, state, options):
                for _ in feed.parse(document):
                    pass
                if tell is not None:
                    tell(document, feed)
                fetched.setdefault(feed.name, []).append(document)
                yield Chosen(feed, document)


@contextmanager
def _naming(feed: Feed) -> Iterator[None]:
    """Say of trouble with a source that it ended the export, and how to go on without it."""
    try:
        yield
    except (Unavailable, FeedFormatError, Conflict) as trouble:
        raise Unavailable(
            f"No bundle was made, because of the feed {feed.name}: {trouble.message}",
            hint="Try again later, or name the feeds to export with --feed. A file of that name is as it was.",
            code="bundle_source",
        ) from trouble


def _last_number(session: Session, origin: str) -> int:
    return (
        session.scalar(
            text("select max(sequence) from bundle_export where origin = :origin"), {"origin": origin}
        )
        or 0
    )


def _known(session: Session, origin: str, sequence: int | None) -> _Known:
    if sequence is None:
        return _Known(None, {})
    row = session.execute(
        text("select sha256, states from bundle_export where origin = :origin and sequence = :sequence"),
        {"origin": origin, "sequence": sequence},
    ).one_or_none()
    if row is None:
        raise NotFound(
            f"No bundle was made: there is none with the number {sequence} to continue; the newest is"
            f" {_last_number(session, origin)}.",
            hint="Make a full one by leaving out --since. Nothing was changed.",
        )
    return _Known(
        Base(sequence, row.sha256), {name: FeedState.from_json(one) for name, one in row.states.items()}
    )
