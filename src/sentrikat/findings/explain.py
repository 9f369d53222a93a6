"""Why: a finding, or the absence of one, replayed step by step with its evidence.

Nothing here decides. The steps are the ones `domain.matching.verdict.judge` went, shown with the inventory fact at
one end, the source's statement at the other, and what would change the answer.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Remedy
from sentrikat.domain.errors import NotFound
from sentrikat.domain.matching.claim import LATER_METHODS
from sentrikat.domain.matching.verdict import Verdict, judge
from sentrikat.domain.matching.wording import source_name
from sentrikat.domain.prioritization import severity, ssvc
from sentrikat.findings.claims import load_claims, load_components, load_held_updates, platform_of
from sentrikat.findings.queries import INSTALL_OF_FINDING, FindingRow, get_finding
from sentrikat.findings.queue import QueueRow, list_possible
from sentrikat.findings.reasoning import (
    DeadlineExplanation,
    Explanation,
    Step,
    component_explanation,
    nothing_concerned,
    statement_step,
    verdict_steps,
)


def explain_finding(session: Session, organization_id: int, finding_id: int) -> Explanation:
    """Explain one finding, open or closed; NotFound when the organization has none of that id."""
    row = get_finding(session, organization_id, finding_id)
    if row is None:
        raise NotFound(f"There is no finding {finding_id} here.")
    context = _context(session, organization_id, finding_id)
    component_id, vulnerability_id = context.component_id, context.vulnerability_id
    components = load_components(session, organization_id, row.asset_id)
    component = next((one for one in components if one.id == component_id), None)
    installed = _installed_step(row, context)
    deadline = _deadline(row, context)
    history = _history(session, organization_id, finding_id, context)
    if component is None:
        # The software is gone from the asset; the statement of the time is still named by the finding.
        return Explanation(row.sentence, row.verdict, (installed,), deadline=deadline, history=history)
    claims = load_claims(session, vulnerability_id, [component_id])
    verdict = judge(component.identities, claims, component.module)
    platform = platform_of(components, load_held_updates(session, organization_id, row.asset_id))
    chain = (installed, *verdict_steps(component, verdict, platform))
    return Explanation(
        sentence=row.sentence,
        verdict=row.verdict,
        chain=chain,
        lost=tuple(statement_step("Said otherwise", claim) for claim in verdict.losing),
        deadline=deadline,
        history=history,
        what_would_change=_what_would_change(row, verdict, context),
    )


def explain(session: Session, organization_id: int, asset_id: int, vulnerability: str) -> list[Explanation]:
    """Explain what a flaw means for an asset: one answer for each component some statement is about.

    With no such component, one answer that says so, and what it rests on.
    """
    flaw = session.execute(
        text(
            "select coalesce(same_as_id, id) as id, name, rejected_at from vulnerability where name = :name"
        ),
        {"name": vulnerability},
    ).one_or_none()
    hostname = session.scalar(
        text("select hostname from asset where organization_id = :organization_id and id = :id"),
        {"organization_id": organization_id, "id": asset_id},
    )
    if hostname is None:
        raise NotFound(f"There is no asset {asset_id} here.")
    if flaw is None:
        raise NotFound(
            f"No loaded feed names {vulnerability}.", hint="Check the spelling, and the age of the feeds."
        )
    components = load_components(session, organization_id, asset_id)
    claims = load_claims(session, flaw.id, [one.id for one in components])
    products = {claim.product for claim in claims}
    concerned = [one for one in components if any(each.product in products for each in one.identities)]
    platform = platform_of(components, load_held_updates(session, organization_id, asset_id))
    answers = [component_explanation(hostname, vulnerability, one, claims, platform) for one in concerned]
    judged = {one.id for one in concerned}
    by_name, _ = list_possible(session, organization_id, asset_id=asset_id, vulnerability_id=flaw.id)
    answers += [_by_name(hostname, vulnerability, one) for one in by_name if one.component_id not in judged]
    return answers or [nothing_concerned(hostname, vulnerability, components)]


def _by_name(hostname: str, vulnerability: str, entry: QueueRow) -> Explanation:
    """Explain what only a name speaks for."""
    software = f"{entry.component_name} {entry.component_version or ''}".strip()
    return Explanation(
        f"{software} on {hostname} is possibly affected by {vulnerability}.",
        "unknown",
        (
            Step("Inventory", f"{hostname} has {software} installed."),
            Step("Name", entry.evidence, source_name(entry.source or ""), entry.since),
            Step("Not judged", "Without versions nothing can be compared, so people decide."),
        ),
        what_would_change=(
            "A statement that names affected versions would decide it.",
            "A person may dismiss it with a reason.",
        ),
    )


_CONTEXT = """
select f.component_id, f.vulnerability_id, f.opened_at, f.closed_at, f.close_reason, i.first_seen_at,
    i.removed_at, i.paths, o.time_zone, v.ssvc_automatable, v.ssvc_technical_impact, v.severity,
    v.exploited_since, v.exploited_due, v.enisa_exploited_since, v.published_at, a.last_report_at
from finding f
join vulnerability v on v.id = f.vulnerability_id
join organization o on o.id = f.organization_id
join asset a on a.id = f.asset_id
{install}
where f.organization_id = :organization_id and f.id = :id
"""


def _context(session: Session, organization_id: int, finding_id: int) -> Any:
    return session.execute(
        text(_CONTEXT.format(install=INSTALL_OF_FINDING)),
        {"organization_id": organization_id, "id": finding_id},
    ).one()


def _installed_step(row: FindingRow, context: Any) -> Step:
    where = f" in {', '.join(context.paths[:3])}" if context.paths else ""
    named = ", ".join(row.binaries[:5]) or row.component_name
    gone = f" It was last seen before {context.removed_at:%d %B %Y}." if context.removed_at else ""
    return Step(
        "Inventory",
        f"{row.hostname} reported {named} {row.component_version or 'without a version'}{where}.{gone}",
        "inventory",
        context.first_seen_at,
    )


def _deadline(row: FindingRow, context: Any) -> DeadlineExplanation:
    exposed = {"public": True, "internal": False}.get(row.exposure)
    directive = ssvc.decide(
        ssvc.Inputs(
            context.exploited_since is not None,
            exposed,
            context.ssvc_automatable,
            context.ssvc_technical_impact,
        )
    )
    level = severity.decide(context.severity)
    binding = level if level is not None and row.policy == level.policy else directive
    if context.exploited_since is not None:
        start = f"Counting starts on {context.exploited_since:%d %B %Y}, the day it was listed as exploited."
    else:
        start = f"Counting starts on {row.opened_at:%d %B %Y}, the day the finding was opened."
    compared = [
        f"{other.policy}: {other.outcome.replace('_', ' ')}"
        for other in (directive, level)
        if other is not None and other is not binding
    ]
    if context.exploited_due is not None:
        compared.append(
            f"BOD 22-01 (revoked): by {context.exploited_due:%d %B %Y}, as the catalog printed it"
        )
    return DeadlineExplanation(
        row.policy, row.outcome, row.due_at, (*binding.reasons, start), tuple(compared)
    )


def _history(session: Session, organization_id: int, finding_id: int, context: Any) -> tuple[Step, ...]:
    steps = [Step("Opened", "The finding was opened.", at=context.opened_at)]
    changes = session.execute(
        text(
            "select changed_at, policy, outcome, due_at, cause from deadline_change"
            " where organization_id = :organization_id and finding_id = :id order by changed_at, id limit 200"
        ),
        {"organization_id": organization_id, "id": finding_id},
    )
    for change in changes:
        due = f"due {change.due_at:%d %B %Y}" if change.due_at else "without a date"
        outcome = (change.outcome or "").replace("_", " ")
        steps.append(
            Step(
                "Deadline moved",
                f"Now {due} ({outcome}), because of {change.cause}.",
                change.policy,
                change.changed_at,
            )
        )
    if context.closed_at is not None:
        reason = (context.close_reason or "").replace("_", " ")
        steps.append(Step("Closed", f"The finding was closed: {reason}.", at=context.closed_at))
    earlier = session.execute(
        text(
            "select e.opened_at, e.closed_at, e.close_reason from finding f join finding e"
            " on e.organization_id = f.organization_id and e.asset_id = f.asset_id"
            " and e.vulnerability_id = f.vulnerability_id and e.id < f.id"
            " where f.organization_id = :organization_id and f.id = :id and e.closed_at is not null"
            " order by e.opened_at limit 50"
        ),
        {"organization_id": organization_id, "id": finding_id},
    )
    for one in earlier:
        reason = (one.close_reason or "").replace("_", " ")
        steps.append(
            Step(
                "Earlier",
                f"Open from {one.opened_at:%d %B %Y} to {one.closed_at:%d %B %Y}: {reason}.",
                at=one.opened_at,
            )
        )
    return tuple(sorted(steps, key=lambda step: step.at or context.opened_at))


_NO_REPAIR: dict[Remedy | None, str] = {
    Remedy.OPEN: "No repair is published yet; ",
    Remedy.DEFERRED: "The repair is postponed; ",
    Remedy.WILL_NOT_FIX: "This release will not be repaired; a later one, ",
    Remedy.END_OF_LIFE: "The support of this release has ended; moving to one that is supported, ",
}


def _what_would_change(row: FindingRow, verdict: Verdict, context: Any) -> tuple[str, ...]:
    chosen = verdict.chosen
    words = []
    if chosen is not None and chosen.fixed is not None:
        if verdict.identity is not None and verdict.identity.method in LATER_METHODS:
            later = f"such as {chosen.product.ecosystem}, which has {chosen.fixed}, would close this finding."
            words.append(f"{_NO_REPAIR[Remedy.END_OF_LIFE]}{later}")
        else:
            words.append(f"Updating {row.component_name} to {chosen.fixed} or newer closes this finding.")
    elif chosen is not None:
        words.append(
            f"{_NO_REPAIR.get(chosen.remedy, 'No fixed version is named; ')}removing {row.component_name}, or a"
            f" statement of {source_name(chosen.source)} that names a repaired version, would close this finding."
        )
    if row.exposure != "internal":
        words.append("If the asset is recorded as internal, the deadline is computed anew.")
    if context.exploited_since is None:
        words.append("A listing as known exploited would bring the deadline forward.")
    if context.ssvc_automatable is None or context.ssvc_technical_impact is None:
        words.append("CISA's decision points, once published, replace the 60-day default.")
    return tuple(words)
