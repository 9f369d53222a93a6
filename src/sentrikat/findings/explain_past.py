"""Why, as of a past moment: what was installed then, what the sources had said by then, and the verdict of that.

Installs, statements and listings carry the time they held, so the verdict is judged anew from them. What carries no
time is said: components are identified, and updates held, as
they are today, and a moved deadline's first date is not kept.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.errors import NotFound
from sentrikat.domain.matching.wording import source_name
from sentrikat.findings.claims import load_claims, load_components, load_held_updates, platform_of
from sentrikat.findings.reasoning import Explanation, Step, component_explanation

_ABOUT = """
select a.hostname, a.first_seen_at, o.time_zone, v.id, v.name,
    (select min(started_at) from feed_run where outcome = 'succeeded') as first_run_at
from asset a
join organization o on o.id = a.organization_id
cross join (
    select coalesce(same_as_id, id) as id, name from vulnerability where name = :name
) v
where a.organization_id = :organization_id and a.id = :asset_id
"""

_LISTED = """
select source, fact->>'since' as since, valid_from, valid_to from enrichment
where vulnerability_id = :id and kind = 'kev' order by valid_from
"""

_FINDING = """
select f.id, f.opened_at, f.closed_at, f.close_reason, f.due_at,
    (select count(*) from deadline_change d
     where d.organization_id = f.organization_id and d.finding_id = f.id) as changes,
    c.due_at as due_then, c.changed_at
from finding f
left join lateral (
    select d.due_at, d.changed_at from deadline_change d
    where d.organization_id = f.organization_id and d.finding_id = f.id and d.changed_at <= :as_of
    order by d.changed_at desc, d.id desc limit 1
) c on true
where f.organization_id = :organization_id and f.asset_id = :asset_id and f.component_id = :component_id
  and f.vulnerability_id = :id and f.opened_at <= :as_of
order by f.opened_at desc, f.id desc limit 1
"""


def explain_then(
    session: Session,
    organization_id: int,
    asset_id: int,
    vulnerability: str,
    as_of: datetime,
    *,
    component_id: int | None = None,
) -> list[Explanation]:
    """Explain what a flaw meant for an asset at a past moment, by component; or say that nothing was known."""
    about = session.execute(
        text(_ABOUT), {"organization_id": organization_id, "asset_id": asset_id, "name": vulnerability}
    ).one_or_none()
    if about is None:
        raise NotFound(
            f"There is no asset {asset_id} here, or no loaded feed names {vulnerability[:100]}.",
            hint="Check the spelling, and the age of the feeds.",
        )
    when = moment_words(as_of, ZoneInfo(about.time_zone))
    if (unheld := _before_anything(about, when, as_of)) is not None:
        return [unheld]
    components = load_components(session, organization_id, asset_id, as_of)
    claims = load_claims(session, about.id, [one.id for one in components], as_of)
    products = {claim.product for claim in claims}
    concerned = [
        one
        for one in components
        if (component_id is None or one.id == component_id)
        and any(each.product in products for each in one.identities)
    ]
    platform = platform_of(components, load_held_updates(session, organization_id, asset_id))
    found = []
    for one in concerned:
        answer = component_explanation(about.hostname, vulnerability, one, claims, platform, past=True)
        values = {
            "organization_id": organization_id,
            "asset_id": asset_id,
            "component_id": one.id,
            "id": about.id,
            "as_of": as_of,
        }
        steps = (_listing(session, about, when, as_of), _finding(session, values))
        found.append(_dated(answer, when, as_of, *steps))
    return found or [_not_concerned(about, when, as_of, len(components), component_id)]


def explain_finding_then(
    session: Session, organization_id: int, finding_id: int, as_of: datetime
) -> Explanation:
    """Explain a finding's software and flaw at a past moment; NotFound when the organization has none of that id."""
    row = session.execute(
        text(
            "select f.asset_id, f.component_id, v.name from finding f join vulnerability v"
            " on v.id = f.vulnerability_id where f.organization_id = :organization_id and f.id = :id"
        ),
        {"organization_id": organization_id, "id": finding_id},
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no finding {finding_id} here.")
    (answer,) = explain_then(
        session, organization_id, row.asset_id, row.name, as_of, component_id=row.component_id
    )
    return answer


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Give the last moment of a day, as people of that zone count days."""
    return datetime.combine(day, time.max, zone)


def moment_words(as_of: datetime, zone: ZoneInfo) -> str:
    """Write a past moment: `at the end of 29 April 2026`, `on 29 April 2026 at 18:00`."""
    local = as_of.astimezone(zone)
    if local.time() == time.max:
        return f"at the end of {local.day} {local:%B %Y}"
    return f"on {local.day} {local:%B %Y} at {local:%H:%M}"


def _before_anything(about: Any, when: str, as_of: datetime) -> Explanation | None:
    steps = []
    if about.first_run_at is None or as_of < about.first_run_at:
        began = f" The first was loaded on {about.first_run_at:%d %B %Y}." if about.first_run_at else ""
        steps.append(Step("Statements", f"No feed had been loaded {when}.{began}", at=about.first_run_at))
    if as_of < about.first_seen_at:
        steps.append(
            Step(
                "Inventory",
                f"{about.hostname} had not reported {when}; its first report came on"
                f" {about.first_seen_at:%d %B %Y}.",
                "inventory",
                about.first_seen_at,
            )
        )
    if not steps:
        return None
    return Explanation(
        f"Whether {about.hostname} had {about.name} {when} cannot be said: nothing was held then.",
        "unknown",
        tuple(steps),
        as_of=as_of,
    )


def _dated(answer: Explanation, when: str, as_of: datetime, *steps: Step) -> Explanation:
    """Say of an answer which moment it speaks of."""
    lead = Step(
        "As of",
        f"This speaks of what was installed and what the sources had said {when}."
        " What software is taken for, and which updates of Windows it holds, is today's knowledge.",
        at=as_of,
    )
    sentence = f"{when[:1].upper()}{when[1:]}, {answer.sentence}"
    return replace(answer, sentence=sentence, chain=(lead, *answer.chain, *steps), as_of=as_of)


def _listing(session: Session, about: Any, when: str, as_of: datetime) -> Step:
    rows = session.execute(text(_LISTED), {"id": about.id}).all()
    held = [one for one in rows if one.valid_from <= as_of and (one.valid_to is None or one.valid_to > as_of)]
    if held:
        names = ", ".join(f"{source_name(one.source)} since {one.since}" for one in held)
        return Step(
            "Exploitation", f"It was listed as known to be exploited: {names}.", at=held[0].valid_from
        )
    later = [one for one in rows if one.valid_from > as_of]
    after = f" {source_name(later[0].source)} brought it later." if later else ""
    return Step(
        "Exploitation",
        f"No catalog that was loaded listed it as exploited {when}.{after}",
        at=later[0].valid_from if later else None,
    )


def _finding(session: Session, values: dict[str, Any]) -> Step:
    row = session.execute(text(_FINDING), values).one_or_none()
    if row is None:
        return Step("Finding", "No finding had been opened for it.")
    if row.closed_at is not None and row.closed_at <= values["as_of"]:
        reason = (row.close_reason or "").replace("_", " ")
        return Step("Finding", f"Its finding had been closed: {reason}.", at=row.closed_at)
    if row.changed_at is None and row.changes:
        due = "; its deadline has been moved since, and the one of that day is not kept"
    else:
        date = row.due_then if row.changed_at is not None else row.due_at
        due = f", due by {date:%d %B %Y}" if date is not None else ", without a deadline"
    return Step("Finding", f"Its finding was open{due}.", at=row.opened_at)


def _not_concerned(
    about: Any, when: str, as_of: datetime, components: int, component_id: int | None
) -> Explanation:
    what = "this software" if component_id is not None else f"any of its {components} components"
    answer = Explanation(
        f"nothing held said that {about.hostname} had {about.name}.",
        "unknown" if component_id is None else "not_affected",
        (
            Step(
                "Statements",
                f"No statement held then was about {about.name} and {what}, as installed then.",
            ),
        ),
    )
    return _dated(answer, when, as_of)
