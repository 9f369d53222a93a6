"""The steps behind a verdict in words: identity, statement, comparison, platform, precedence.

Nothing here decides. The steps are the ones `domain.matching.verdict.judge` went, for the present (findings.explain)
and for a past day (findings.explain_past) alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sentrikat.domain.advisory import Condition
from sentrikat.domain.matching.claim import Claim, Identity
from sentrikat.domain.matching.conditions import Platform, condition_holds
from sentrikat.domain.matching.lanes import lane_of
from sentrikat.domain.matching.precedence import PRECEDENCE_VERSION
from sentrikat.domain.matching.verdict import Outcome, Verdict, judge
from sentrikat.domain.matching.wording import fixed_words, source_name, statement_words
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import key
from sentrikat.findings.claims import KnownComponent

METHODS = {
    "local_correction": "your organization said so",
    "correction": "a reviewed correction of names says so",
    "package_index": "a reviewed index of packages names this product",
    "likeness": "title and publisher resemble this product and no other as much",
    "maker_title": "its title is one its maker's advisories use",
    "release_package": "the package manager names the package and its release",
    "release_source": "the package names the source package it is built from",
    "parent_package": "its release is made from this one, and its own data decides first",
    "parent_source": "its release is made from this one, and its own data decides first",
    "later_package": "its own release has ended and is judged no more, so what is said of later ones counts by version",
    "later_source": "its own release has ended and is judged no more, so what is said of later ones counts by version",
    "package": "the package manager of its language names it",
    "purl": "its package URL names it",
    "declared_cpe": "the report declares this CPE name",
    "title_and_vendor": "title and vendor agree with this product",
    "title": "the title belongs to this product alone",
    "artifact": "one group alone is known to publish an artifact of this name",
    "artifact_homes": "every group known to publish an artifact of this name is named for it, so all of them count",
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
    as_of: datetime | None = None  # the past moment this speaks of; None: the present


def component_explanation(
    hostname: str,
    vulnerability: str,
    component: KnownComponent,
    claims: Sequence[Claim],
    platform: Platform,
    *,
    past: bool = False,
) -> Explanation:
    """Explain one component of an asset by these statements; `past`: both are of a past moment."""
    verdict = judge(component.identities, claims, component.module)
    outcome = verdict.outcome
    if outcome is not Outcome.NOT_AFFECTED and _conditions_fail(verdict, platform):
        outcome = Outcome.NOT_AFFECTED
    words = {
        Outcome.AFFECTED: ("is affected by", "was affected by"),
        Outcome.NOT_AFFECTED: ("is not affected by", "was not affected by"),
        Outcome.UNKNOWN: ("may be affected by", "may have been affected by"),
    }[outcome][past]
    chain = (
        Step(
            "Inventory",
            f"{hostname} {'had' if past else 'has'} {component.name} {component.version or 'without a version'} installed.",
        ),
        *verdict_steps(component, verdict, platform),
    )
    change: tuple[str, ...] = ()
    if outcome is Outcome.NOT_AFFECTED and verdict.chosen is not None and not past:
        change = (f"A statement of {source_name(verdict.chosen.source)} that covers this version would.",)
    return Explanation(
        sentence=f"{component.name} {component.version or ''} on {hostname} {words} {vulnerability}.",
        verdict=str(outcome),
        chain=chain,
        lost=tuple(statement_step("Said otherwise", claim) for claim in verdict.losing),
        what_would_change=change,
    )


def nothing_concerned(hostname: str, vulnerability: str, components: Sequence[KnownComponent]) -> Explanation:
    """Explain that no statement is about anything an asset has, and what that rests on."""
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


def verdict_steps(component: KnownComponent, verdict: Verdict, platform: Platform) -> list[Step]:
    """Give the steps from a component's identity to its verdict."""
    chosen, identity = verdict.chosen, verdict.identity
    if chosen is None or identity is None:
        if component.identified in _IDENTIFICATION:
            return [Step("Identity", f"{component.name} {_IDENTIFICATION[component.identified]}.")]
        return [Step("Statements", "No source makes a statement about this flaw and this software.")]
    steps = [_identity_step(component, identity), statement_step("Statement", chosen)]
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
    reason = METHODS[identity.method]
    sure = "" if identity.confidence >= 0.95 else f" (confidence {identity.confidence:.0%})"
    return Step(
        "Identity",
        f"{component.name} is taken for {identity.product.name} ({identity.product.ecosystem}), because"
        f" {reason}{sure}.{_read_as(component, identity)}",
    )


def _read_as(component: KnownComponent, identity: Identity) -> str:
    if identity.version == component.version or identity.product.ecosystem not in {"cpe:a", "cve5"}:
        return ""
    return f" Its version is read as {identity.version}."


def statement_step(title: str, claim: Claim) -> Step:
    """Give what a source states, with its record and when that was received."""
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
        if chosen.introduced is not None and identity.version_key < key(chosen.scheme, chosen.introduced):
            return f"{version} is a pre-release of {chosen.introduced}, which is named with any update of it."
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
