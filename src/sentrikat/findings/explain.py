"""Why: a finding, or the absence of one, replayed step by step with its evidence.

Nothing here decides. The steps are the ones `domain.matching.verdict.judge` went, shown with the inventory fact at
one end, the source's statement at the other, and what would change the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Condition, Remedy
from sentrikat.domain.errors import NotFound
from sentrikat.domain.matching.claim import Claim, Identity
from sentrikat.domain.matching.conditions import Platform, condition_holds
from sentrikat.domain.matching.lanes import lane_of
from sentrikat.domain.matching.precedence import PRECEDENCE_VERSION
from sentrikat.domain.matching.verdict import Outcome, Verdict, judge
from sentrikat.domain.matching.wording import fixed_words, source_name, statement_words
from sentrikat.domain.prioritization import severity, ssvc
from sentrikat.domain.ranges import VersionRange
from sentrikat.findings.claims import (
    KnownComponent,
    load_claims,
    load_components,
    load_held_updates,
    platform_of,
)
from sentrikat.findings.queries import INSTALL_OF_FINDING, FindingRow, get_finding
from sentrikat.findings.queue import QueueRow, list_possible

_METHODS = {
    "release_package": "the package manager names the package and its release",
    "release_source": "the package names the source package it is built from",
    "parent_package": "its release is made from this one, and its own data decides first",
    "parent_source": "its release is made from this one, and its own data decides first",
    "package": "the package manager of its language names it",
    "purl": "its package URL names it",
    "declared_cpe": "the report declares this CPE name",
    "title_and_vendor": "title and vendor agree with this product",
    "title": "the title belongs to this product alone",
    "artifact": "one group alone is known to publish an artifact of this name",
    "record_name": "CVE records speak of the declared product under this name",
    "operating_system": "its build or version names the release",
    "platform": "the operating system says so",
}

_IDENTIFICATION = {
    "unidentified": "could not be identified for certain, so nothing is known of its flaws",
    "no_version": "has no version that could be compared",
    "unsupported": "belongs to a release no loaded feed makes statements about",
    "pending": "has not been identified yet",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the reasoning: what it is about, the words, who says so, and when that was received."""

    title: str
    text: str
    source: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadlineExplanation:
    """How the date came about: the rule, its inputs as sentences, and when the clock began."""

    policy: str | None
    outcome: str | None
    due_at: datetime | None
    reasons: tuple[str, ...]
    compared: tuple[str, ...]  # what other policies would have allowed


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything behind one verdict."""

    sentence: str
    verdict: str
    chain: tuple[Step, ...]
    lost: tuple[Step, ...] = ()
    deadline: DeadlineExplanation | None = None
    history: tuple[Step, ...] = ()
    what_would_change: tuple[str, ...] = ()


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
    chain = (installed, *_verdict_steps(component, verdict, platform))
    return Explanation(
        sentence=row.sentence,
        verdict=row.verdict,
        chain=chain,
        lost=tuple(_statement_step("Said otherwise", claim) for claim in verdict.losing),
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
    answers = [_component_explanation(hostname, vulnerability, one, claims, platform) for one in concerned]
    judged = {one.id for one in concerned}
    by_name, _ = list_possible(session, organization_id, asset_id=asset_id, vulnerability_id=flaw.id)
    answers += [_by_name(hostname, vulnerability, one) for one in by_name if one.component_id not in judged]
    return answers or [_nothing_concerned(hostname, vulnerability, components)]


def _component_explanation(
    hostname: str, vulnerability: str, component: KnownComponent, claims: Sequence[Claim], platform: Platform
) -> Explanation:
    verdict = judge(component.identities, claims, component.module)
    outcome = verdict.outcome
    if outcome is not Outcome.NOT_AFFECTED and _conditions_fail(verdict, platform):
        outcome = Outcome.NOT_AFFECTED
    words = {
        Outcome.AFFECTED: "is affected by",
        Outcome.NOT_AFFECTED: "is not affected by",
        Outcome.UNKNOWN: "may be affected by",
    }[outcome]
    chain = (
        Step(
            "Inventory",
            f"{hostname} has {component.name} {component.version or 'without a version'} installed.",
        ),
        *_verdict_steps(component, verdict, platform),
    )
    change: tuple[str, ...] = ()
    if outcome is Outcome.NOT_AFFECTED and verdict.chosen is not None:
        change = (f"A statement of {source_name(verdict.chosen.source)} that covers this version would.",)
    return Explanation(
        sentence=f"{component.name} {component.version or ''} on {hostname} {words} {vulnerability}.",
        verdict=str(outcome),
        chain=chain,
        lost=tuple(_statement_step("Said otherwise", claim) for claim in verdict.losing),
        what_would_change=change,
    )


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


def _nothing_concerned(
    hostname: str, vulnerability: str, components: Sequence[KnownComponent]
) -> Explanation:
    unknown = [one for one in components if one.identified in _IDENTIFICATION]
    steps = [
        Step(
            "Statements",
            f"No loaded source makes a statement about {vulnerability} and any of the {len(components)}"
            f" components of {hostname}.",
        )
    ]
    if unknown:
        names = ", ".join(one.name for one in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        steps.append(
            Step("Not judged", f"{names}{more} could not be judged; one of them may still be concerned.")
        )
    verdict = "unknown" if unknown else "not_affected"
    words = "cannot be said for certain" if unknown else "is not affected, as far as any source knows"
    return Explanation(
        f"Whether {hostname} has {vulnerability} {words}."
        if unknown
        else f"{hostname} {words}, by {vulnerability}.",
        verdict,
        tuple(steps),
        what_would_change=("A statement about one of its components would.", "Identifying the rest would."),
    )


def _verdict_steps(component: KnownComponent, verdict: Verdict, platform: Platform) -> list[Step]:
    chosen, identity = verdict.chosen, verdict.identity
    if chosen is None or identity is None:
        if component.identified in _IDENTIFICATION:
            return [Step("Identity", f"{component.name} {_IDENTIFICATION[component.identified]}.")]
        return [Step("Statements", "No source makes a statement about this flaw and this software.")]
    steps = [_identity_step(component, identity), _statement_step("Statement", chosen)]
    steps.append(Step("Comparison", _comparison(chosen, identity, verdict)))
    steps.extend(
        _condition_step(claim.condition, platform)
        for claim in verdict.conditions
        if claim.condition is not None
    )
    if verdict.losing:
        steps.append(
            Step(
                "Precedence",
                f"{source_name(chosen.source)} is heard before {_sources(verdict.losing)} on"
                f" {lane_of(chosen.product.ecosystem)} software (precedence {PRECEDENCE_VERSION}).",
            )
        )
    return steps


def _sources(claims: Sequence[Claim]) -> str:
    return ", ".join(dict.fromkeys(source_name(claim.source) for claim in claims))


def _identity_step(component: KnownComponent, identity: Identity) -> Step:
    reason = _METHODS.get(identity.method, identity.method)
    sure = "" if identity.confidence >= 0.95 else f" (confidence {identity.confidence:.0%})"
    return Step(
        "Identity",
        f"{component.name} is taken for {identity.product.name} ({identity.product.ecosystem}), because"
        f" {reason}{sure}.",
    )


def _statement_step(title: str, claim: Claim) -> Step:
    repair = fixed_words(claim.product.ecosystem, claim.fixed, claim.note)
    words = statement_words(
        claim.source, claim.product.name, claim.status, claim.described, _range(claim), claim.remedy, repair
    )
    note = f" ({claim.note})" if claim.note and claim.note not in words else ""
    return Step(
        title, f"{words}{note}. Record {claim.advisory}.", source_name(claim.source), claim.received_at
    )


def _range(claim: Claim) -> VersionRange:
    return VersionRange(
        claim.scheme, claim.introduced, claim.fixed, claim.last_affected, claim.introduced_excluded
    )


def _comparison(chosen: Claim, identity: Identity, verdict: Verdict) -> str:
    version, order = identity.version, f"in {chosen.scheme} order"
    if not chosen.described:
        return f"Installed is {version}; the statement names no versions, so it is for people to review."
    if chosen.covers(identity.version_key):
        if chosen.fixed is not None and verdict.outcome is Outcome.AFFECTED:
            return f"{version} < {chosen.fixed} {order}: the version is inside the range."
        return f"{version} lies inside the range {order}."
    if chosen.hi is not None and identity.version_key >= chosen.hi:
        end = chosen.fixed or chosen.last_affected
        sign = ">=" if chosen.fixed else ">"
        return f"{version} {sign} {end} {order}: the version is past the range."
    return f"{version} < {chosen.introduced} {order}: the version is before the range."


def _update_step(condition: Condition, platform: Platform) -> Step:
    """Say whether the asset has one of the updates that repair, or one that supersedes it."""
    updates = list(dict.fromkeys(term.product for group in condition.groups for term in group.terms))
    held = [one for one in updates if one in platform.products]
    named = " or ".join(one.name.upper() for one in held or updates)
    if held:
        return Step("Updates", f"{named} is in effect on the asset, so it is repaired.")
    return Step(
        "Updates",
        f"Neither {named} nor an update that supersedes it is installed."
        if len(updates) == 1
        else f"None of {named}, nor an update that supersedes one, is installed.",
    )


def _condition_step(condition: Condition, platform: Platform) -> Step:
    if all(term.product.ecosystem == "update" for group in condition.groups for term in group.terms):
        return _update_step(condition, platform)
    groups = [
        ("none of " if group.negate else "")
        + " or ".join(dict.fromkeys(term.product.name for term in group.terms))
        for group in condition.groups
    ]
    answer = condition_holds(condition, platform)
    held = {
        True: "The asset does.",
        False: "The asset does not.",
        None: "The inventory cannot tell, so it is assumed.",
    }[answer]
    return Step("Platform", f"The statement applies where the asset runs {' and '.join(groups)}. {held}")


def _conditions_fail(verdict: Verdict, platform: Platform) -> bool:
    conditions = [claim.condition for claim in verdict.conditions if claim.condition is not None]
    return bool(conditions) and all(condition_holds(one, platform) is False for one in conditions)


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
