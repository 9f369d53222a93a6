"""A small furnished installation for flow and browser tests, made through the real ways in.

Two organizations, one person per role, recorded feeds, three hosts of ours and one of the others.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from sentrikat.domain.permissions import COMMAND_LINE, INSTALLATION_ADMINISTRATOR, Caller, Permission, Role
from sentrikat.feeds.registry import feed
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.identity.accounts import set_role
from sentrikat.identity.api_keys import Made, create_key
from sentrikat.identity.models import UserAccount
from sentrikat.identity.organizations import create_organization
from sentrikat.identity.passwords import hash_password
from sentrikat.identity.web_sessions import SessionLimits, open_session
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.inventory.ingest import ingest
from sentrikat.inventory.receipts import accept
from sentrikat.reactions import after_ingest, after_merge
from sentrikat.vulnerabilities.canary import FindingsChange
from sentrikat.vulnerabilities.merge import Merged
from sentrikat.vulnerabilities.run import run_feed

PEPPER = b"a pepper for tests that is long enough"  # as tests/conftest.py sets it
PASSWORD = "correct horse battery"
LIMITS = SessionLimits(idle=timedelta(minutes=60), lifetime=timedelta(hours=12))
SAMPLES = Path(__file__).parent.parent / "samples"

DEBIAN_12 = {"family": "linux", "name": "debian", "version": "12", "arch": "x86_64"}
WEB_03: list[dict[str, Any]] = [
    {"type": "deb", "name": "libssl3", "version": "3.0.9-1", "source_name": "openssl"},
    {"type": "deb", "name": "openssl", "version": "3.0.9-1", "source_name": "openssl"},
    {"type": "deb", "name": "libvpx7", "version": "1.12.0-1", "source_name": "libvpx"},
    {"type": "deb", "name": "curl", "version": "7.88.1-10+deb12u1", "source_name": "curl"},
    {"type": "deb", "name": "openssh-server", "version": "1:9.2p1-2", "source_name": "openssh"},
    {"type": "application", "name": "Hausverwaltung Pro <Client> Ümläut & Söhne", "version": "7.1"},
]
# Beside the recorded documents, which hold old flaws only: package, flaw, first good version, CVSS 3.1 vector.
FLAWS = (
    (
        "libvpx",
        "CVE-2023-5217",
        "1.12.0-1+deb12u2",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H",
        8.8,
        "HIGH",
    ),
    (
        "openssl",
        "CVE-2024-0727",
        "3.0.13-1~deb12u1",
        "CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:N/I:N/A:H",
        5.5,
        "MEDIUM",
    ),
    (
        "curl",
        "CVE-2023-38545",
        "7.88.1-10+deb12u4",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        9.8,
        "CRITICAL",
    ),
    (
        "openssh",
        "CVE-2024-6387",
        "1:9.2p1-2+deb12u3",
        "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H",
        8.1,
        "HIGH",
    ),
)
LONG_NAME = "build-worker-with-a-very-long-name-0042.internal.zurich.example.corp.acme-holdings.example.org"


@dataclass(slots=True)
class Estate:
    """What there is, by name."""

    acme: int
    other: int
    users: dict[str, int] = field(default_factory=dict)
    assets: dict[str, int] = field(default_factory=dict)

    def caller(self, organization_id: int | None = None) -> Caller:
        """Somebody who may do everything in an organization."""
        return Caller(organization_id or self.acme, "user:1", INSTALLATION_ADMINISTRATOR)


def furnish(database: Database, clock: FrozenClock) -> Estate:
    """Make the installation."""
    estate = people(database, clock)
    feeds(database, clock)
    for hostname, software in (
        ("web-03", WEB_03),
        (LONG_NAME, WEB_03[:3]),
        ("clean-01", [{"type": "deb", "name": "curl", "version": "999.1-1", "source_name": "curl"}]),
    ):
        estate.assets[hostname] = report(database, clock, estate.acme, hostname, software)
    estate.assets["theirs"] = report(database, clock, estate.other, "theirs", WEB_03[:2])
    return estate


def people(database: Database, clock: FrozenClock) -> Estate:
    """Make two organizations and one person per role; `admin` runs the installation."""
    now = clock.now()
    with database.as_system() as session:
        acme = create_organization(
            session, COMMAND_LINE, name="Acme", slug="acme", time_zone="Europe/Zurich", now=now
        )
        other = create_organization(session, COMMAND_LINE, name="Other Ltd", slug="other", now=now)
        estate = Estate(acme.id, other.id)
        for login, memberships in {
            **{role.value: {acme.id: role} for role in Role},
            "admin": {},
            "theirs": {other.id: Role.ADMINISTRATOR},
            "both": {acme.id: Role.VIEWER, other.id: Role.ANALYST},
            "nowhere": {},
        }.items():
            user = UserAccount(
                login=login,
                display_name=login.capitalize(),
                password_hash=_hashed(),
                password_changed_at=now,
                installation_admin=login == "admin",
                created_at=now,
            )
            session.add(user)
            session.flush()
            estate.users[login] = user.id
            for organization_id, role in memberships.items():
                set_role(session, COMMAND_LINE, user, organization_id, role, now=now)
    return estate


def feeds(database: Database, clock: FrozenClock) -> None:
    """Run the recorded feeds, the way the worker does."""
    kev = json.loads((SAMPLES / "kev" / "known_exploited_vulnerabilities_2026-05-30.json").read_bytes())
    entry = kev["vulnerabilities"][0]
    kev["vulnerabilities"].append(
        {
            **entry,
            "cveID": "CVE-2023-5217",
            "vulnerabilityName": "Google Chromium libvpx Heap Buffer Overflow Vulnerability",
            "dateAdded": "2026-05-25",
            "dueDate": "2026-06-15",
            "knownRansomwareCampaignUse": "Known",
        }
    )
    kev["count"] = len(kev["vulnerabilities"])
    tracker = json.loads((SAMPLES / "debian" / "tracker.json").read_bytes())
    for package, flaw, fixed, *_ in FLAWS:
        release = {
            "status": "resolved",
            "repositories": {},
            "fixed_version": fixed,
            "urgency": "not yet assigned",
        }
        tracker[package][flaw] = {"description": f"A flaw of {package}.", "releases": {"bookworm": release}}
    documents = {
        "kev": {feed("kev").sources[0]: json.dumps(kev).encode()},
        "debian": {feed("debian").sources[0]: json.dumps(tracker).encode()},
        "nvd": {f"{feed('nvd').sources[0]}nvdcve-2.0-2023.json.gz": gzip.compress(_nvd())},
    }

    def after(session: Session, merged: Merged) -> FindingsChange:
        return after_merge(session, merged, now=clock.now())

    for name, content in documents.items():
        transport = DictTransport(content, live=False, fetched_at=clock.now())
        outcome = run_feed(database, feed(name), transport, clock, after=after)
        assert outcome.outcome == "succeeded", outcome


def report(
    database: Database,
    clock: FrozenClock,
    organization_id: int,
    hostname: str,
    software: list[dict[str, Any]],
    *,
    at: datetime | None = None,
) -> int:
    """Send an agent's report and take it in; give the asset."""
    now = at or clock.now()
    body = {
        "report_id": f"{organization_id}-{hostname}-{now:%Y%m%d%H%M%S}"[:120],
        "agent_id": f"agent-{organization_id}-{hostname}"[:100],
        "hostname": hostname,
        "os": DEBIAN_12,
        "collected_at": now.isoformat(),
        "complete": True,
        "software": software,
    }
    with database.as_organization(organization_id) as session:
        receipt = accept(session, organization_id, json.dumps(body).encode(), now=now)
    with database.as_system() as session:
        result = ingest(session, receipt.id, now=now)
        if result.changed:
            after_ingest(session, result, now=now)
        return result.asset_id


def key(
    database: Database,
    clock: FrozenClock,
    estate: Estate,
    *scopes: Permission,
    organization_id: int | None = None,
) -> Made:
    """Make an API key."""
    caller = estate.caller(organization_id)
    with database.as_organization(caller.organization_id) as session:
        return create_key(
            session,
            caller,
            pepper=PEPPER,
            name="test",
            scopes=scopes,
            expires_at=clock.now() + timedelta(days=1),
            now=clock.now(),
        )


def session_of(
    database: Database, clock: FrozenClock, estate: Estate, login: str, *, factor: str | None = None
) -> str:
    """Open a browser session; give its cookie."""
    with database.as_system() as session:
        user = session.get_one(UserAccount, estate.users[login])
        opened = open_session(
            session,
            user,
            None,
            LIMITS,
            now=clock.now(),
            address="127.0.0.1",
            user_agent="test",
            factor=factor,
        )
    return opened.token


@cache
def _hashed() -> str:
    return hash_password(PASSWORD)


def _nvd() -> bytes:
    """The flaws as NVD words and scores them."""
    recorded = json.loads((SAMPLES / "nvd" / "nvdcve-2.0.json").read_bytes())
    recorded["vulnerabilities"] = [
        {
            "cve": {
                "id": flaw,
                "sourceIdentifier": "cve@mitre.org",
                "published": "2024-01-26T09:15:07.637",
                "lastModified": "2026-05-01T14:12:00.000",
                "vulnStatus": "Analyzed",
                "descriptions": [{"lang": "en", "value": f"A heap overflow in {package} before {fixed}."}],
                "metrics": {
                    "cvssMetricV31": [
                        {
                            "source": "nvd@nist.gov",
                            "type": "Primary",
                            "cvssData": {
                                "version": "3.1",
                                "vectorString": vector,
                                "baseScore": score,
                                "baseSeverity": severity,
                            },
                        }
                    ]
                },
                "weaknesses": [],
                "references": [{"url": f"https://nvd.nist.gov/vuln/detail/{flaw}", "source": "nvd@nist.gov"}],
            }
        }
        for package, flaw, fixed, vector, score, severity in FLAWS
    ]
    recorded["totalResults"] = recorded["resultsPerPage"] = len(FLAWS)
    return json.dumps(recorded).encode()
