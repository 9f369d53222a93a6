"""A scan result as the record the contract of `sentrikat scan --ndjson` promises."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sentrikat.domain.inventory import Component, Installed
from sentrikat.domain.matching.claim import Identity
from sentrikat.domain.matching.wording import fixed_words, statement_words
from sentrikat.domain.prioritization import severity, ssvc
from sentrikat.domain.prioritization.outcome import Outcome
from sentrikat.findings.facts import Flaw
from sentrikat.findings.scan import Hit, ScanResult, Unknown

_REASONS = {
    "unidentified": "No source's product could be told for certain from this name.",
    "no_version": "Without a version that can be ordered, nothing can be compared.",
    "undescribed": "A source names this product without saying which versions.",
    "unsupported": "No loaded feed makes statements about this release.",
    "end_of_life": "The release has ended, or is older than every one that still gets statements: no more advisories come.",
}


def scan_record(result: ScanResult) -> dict[str, Any]:
    """Give the record of one inventory."""
    return {
        "ref": result.inventory.report_id,
        "findings": [finding_record(hit) for hit in result.hits],
        "unknown": [unknown_record(one) for one in result.unknown],
        "missing_updates": [one.name for one in result.missing_updates],
        "missing_program_updates": [
            {"name": one.name, "product": one.product} for one in result.missing_program_updates
        ],
        "components": [component_record(item, identity) for item, identity in result.identified],
        "unsupported": [
            {
                "component": component_record(item, None),
                "support": str(past.support),
                "since": past.since.isoformat() if past.since else None,
                "extended_until": past.extended_until.isoformat() if past.extended_until else None,
                "product": past.product,
                "cycle": past.cycle,
                "sentence": past.sentence,
            }
            for item, past in result.unsupported
        ],
    }


def component_record(installed: Installed, identity: Identity | None) -> dict[str, Any]:
    """Give a component as reported, with the best identification as its CPE name."""
    component, software = installed.component, installed.software
    return {
        "name": software.name if software else component.name,
        "version": software.version if software else component.version,
        "type": component.kind,
        "purl": software.purl if software else component.purl,
        "cpe": best_cpe(component, identity),
    }


def best_cpe(component: Component, identity: Identity | None) -> str | None:
    """Give the CPE name of a component: what identification chose, else what it declared."""
    if identity is not None and identity.cpe is not None:
        return identity.cpe
    return component.cpe


def finding_record(hit: Hit) -> dict[str, Any]:
    """Give one flaw of one component."""
    fact, flaw, identity = hit.fact, hit.flaw, hit.identity
    versions = fact.versions
    outcome = deadline_of(flaw)
    repair = _repair(hit)
    return {
        "vulnerability": flaw.name,
        "aliases": list(flaw.aliases),
        "verdict": "affected",
        "component": component_record(hit.installed, identity),
        "product": {"ecosystem": fact.product.ecosystem, "name": fact.product.name},
        "source": fact.source,
        "statement": statement_words(
            fact.source, fact.product.name, fact.status, fact.described, versions, fact.remedy, repair
        ),
        "range": {
            "introduced": versions.introduced,
            "fixed": versions.fixed,
            "last_affected": versions.last_affected,
        },
        "fixed_version": repair,
        "kev": {
            "date_added": flaw.exploited_since.isoformat(),
            "due_date": flaw.exploited_due.isoformat() if flaw.exploited_due else None,
            "ransomware": flaw.ransomware,
        }
        if flaw.exploited_since
        else None,
        "epss": {
            "score": round(flaw.epss, 5),
            "percentile": round(flaw.epss_percentile or 0.0, 5),
            "model_version": flaw.epss_model,
        }
        if flaw.epss is not None
        else None,
        "cvss": {
            "score": round(flaw.cvss_score, 1),
            "severity": flaw.severity,
            "version": flaw.cvss_version,
            "vector": flaw.cvss_vector,
            "provider": flaw.cvss_provider,
        }
        if flaw.cvss_score is not None
        else None,
        "deadline": {"policy": outcome.policy, "outcome": outcome.outcome, "days": outcome.days},
        "confidence": round(identity.confidence * (0.8 if hit.assumed else 1.0), 2),
        "evidence": {
            "sentence": sentence(hit),
            "advisory": fact.advisory,
            "identified_by": identity.method,
            "compared": {"scheme": str(identity.scheme), "version": identity.version},
            "remedy": str(fact.remedy) if fact.remedy else None,
            "received_at": fact.received_at.isoformat() if fact.received_at else None,
            "binaries": hit.installed.binaries,
            "paths": hit.installed.paths,
            "assumed_platform": hit.assumed,
            "note": fact.note,
        },
    }


def _repair(hit: Hit) -> str | None:
    fact = hit.fact
    release = hit.installed.component.namespace
    return fixed_words(fact.product.ecosystem, fact.versions.fixed, fact.note, release)


def sentence(hit: Hit) -> str:
    """Give the finding as one sentence: what is there, who says what, what was compared."""
    fact, identity = hit.fact, hit.identity
    said = statement_words(
        fact.source,
        fact.product.name,
        fact.status,
        fact.described,
        fact.versions,
        fact.remedy,
        _repair(hit),
    )
    end = fact.versions.fixed
    comparison = f"; {identity.version} < {end}" if end else ""
    name = hit.installed.software.name if hit.installed.software else hit.installed.component.name
    return f"{name} {identity.version} is installed; {said}{comparison}."


def unknown_record(one: Unknown) -> dict[str, Any]:
    """Give a component nothing safe can be said of."""
    return {
        "component": component_record(one.installed, one.identity),
        "reason": one.reason,
        "hints": list(one.hints),
        "evidence": one.evidence or _REASONS[one.reason],
    }


def deadline_of(flaw: Flaw) -> Outcome:
    """Give the binding outcome for an asset whose exposure nobody stated: it counts as exposed."""
    return _deadline(
        flaw.exploited_since is not None, flaw.ssvc_automatable, flaw.ssvc_technical_impact, flaw.severity
    )


@lru_cache(maxsize=256)
def _deadline(kev: bool, automatable: bool | None, impact: str | None, word: str | None) -> Outcome:
    directive = ssvc.decide(ssvc.Inputs(kev, None, automatable, impact))
    level = severity.decide(word)
    if level is None or level.days is None:
        return directive
    return level if directive.days is None or level.days < directive.days else directive
