"""Where feeds come from: the network, one file, or a bundle; all three end in `run_feed`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlsplit

from sentrikat.domain.errors import Conflict
from sentrikat.feeds.adapter import Feed, FetchOptions
from sentrikat.feeds.registry import FEEDS
from sentrikat.feeds.transports.http import HttpTransport
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.http import outbound_client
from sentrikat.infra.settings import Settings
from sentrikat.vulnerabilities.canary import Limits
from sentrikat.vulnerabilities.candidates import approved_feed
from sentrikat.vulnerabilities.pacing import NVD_INTERVAL, NVD_INTERVAL_WITH_KEY, pacer
from sentrikat.vulnerabilities.run import AfterMerge, Progress, run_feed
from sentrikat.vulnerabilities.run_record import RunReport

NOWHERE = DictTransport({})  # a candidate brings its documents itself


def hosts_of(feed: Feed) -> frozenset[str]:
    """Give the hosts a feed is allowed to ask."""
    return frozenset(host for source in feed.sources if (host := urlsplit(source).hostname))


def outbound_hosts() -> dict[str, frozenset[str]]:
    """Give every host this installation may ask, by feed: the whole list of what goes out."""
    return {feed.name: hosts_of(feed) for feed in FEEDS}


@contextmanager
def network(settings: Settings, feed: Feed, clock: Clock) -> Iterator[HttpTransport]:
    """Open the way to a feed's own servers, and to no others."""
    with (
        outbound_client(settings, hosts_of(feed)) as client,
        HttpTransport(
            client, clock.now, base=settings.feed_base_url, largest=settings.max_feed_bytes
        ) as transport,
    ):
        yield transport


def fetch_options(database: Database, settings: Settings, clock: Clock) -> FetchOptions:
    """Give what fetches need besides the way: the key for NVD and the pace all processes share."""
    api_key = settings.nvd_api_key.get_secret_value() if settings.nvd_api_key else None
    pace: Callable[[], None] = pacer(
        database, clock, "nvd", NVD_INTERVAL_WITH_KEY if api_key else NVD_INTERVAL
    )
    return FetchOptions(pace=pace, nvd_api_key=api_key)


def limits_of(settings: Settings) -> Limits:
    """Give from where on a run is held."""
    return Limits(
        withdrawn_share=settings.feed_hold_withdrawn_share,
        closing_share=settings.feed_hold_closing_share,
        opening_share=settings.feed_hold_opening_share,
        shrunken_share=settings.feed_hold_shrunken_share,
        quarantined_share=settings.feed_hold_quarantined_share,
        drift_share=settings.feed_drift_share,
        largest_candidate=settings.feed_hold_max_bytes,
        undoable_for=timedelta(days=settings.feed_rollback_days),
    )


def refresh(
    database: Database,
    settings: Settings,
    clock: Clock,
    feed: Feed,
    *,
    after: AfterMerge | None = None,
    progress: Progress | None = None,
    accepted_by: str | None = None,
) -> RunReport:
    """Bring one feed up to date from its own servers; Conflict where the installation connects to none."""
    if not settings.feeds_enabled:
        raise Conflict(
            f"{feed.title} was not fetched: SENTRIKAT_FEEDS_ENABLED is off, so nothing connects outwards.",
            hint="Bring data in with: sentrikat feeds import. Nothing was changed.",
            code="feeds_disabled",
        )
    with network(settings, feed, clock) as transport:
        return run_feed(
            database,
            feed,
            transport,
            clock,
            options=fetch_options(database, settings, clock),
            after=after,
            progress=progress,
            limits=limits_of(settings),
            accepted_by=accepted_by,
        )


def approve(
    database: Database,
    settings: Settings,
    clock: Clock,
    feed: Feed,
    *,
    accepted_by: str,
    after: AfterMerge | None = None,
    progress: Progress | None = None,
) -> RunReport:
    """Let the held run of a feed live, once that was decided (`candidates.decide_approval`)."""
    with approved_feed(database, feed) as one:
        return run_feed(
            database,
            one,
            NOWHERE,
            clock,
            transport_kind="approval",
            after=after,
            progress=progress,
            limits=limits_of(settings),
            accepted_by=accepted_by,
        )
