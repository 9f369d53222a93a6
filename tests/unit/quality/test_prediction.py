from __future__ import annotations

import pytest

from tests.quality.labels import Resolver
from tests.quality.prediction import best_cpe, prediction, product_of

NOTHING: dict[str, object] = {"findings": [], "unknown": [], "components": []}


def finding(name: str, *aliases: str, verdict: str = "affected") -> dict[str, object]:
    return {"vulnerability": name, "aliases": list(aliases), "verdict": verdict, "component": {"cpe": None}}


def test_one_flaw_under_two_names_is_predicted_once() -> None:
    record = NOTHING | {"findings": [finding("GHSA-a", "CVE-1"), finding("CVE-1", "GHSA-a")]}

    assert prediction(record, Resolver({}, frozenset())).vulnerabilities == {"CVE-1"}


def test_an_advisory_stands_for_the_flaws_it_is_about() -> None:
    resolve = Resolver({"GHSA-a": frozenset({"CVE-1", "CVE-2"})}, frozenset({"CVE-2"}))

    assert prediction(NOTHING | {"findings": [finding("GHSA-a")]}, resolve).vulnerabilities == {"CVE-1"}


def test_an_advisory_without_a_cve_keeps_its_own_name() -> None:
    assert Resolver({}, frozenset())(["GHSA-a", "USN-1-1"]) == {"GHSA-a"}  # a notice is no flaw


def test_what_is_not_affected_is_not_predicted() -> None:
    record = NOTHING | {"findings": [finding("CVE-1", verdict="unknown")]}

    assert not prediction(record, Resolver({}, frozenset())).vulnerabilities


def test_the_best_identification_is_read_also_where_nothing_was_found() -> None:
    record = NOTHING | {"components": [{"cpe": "cpe:2.3:a:zoom:zoom:5:*:*:*:*:*:*:*"}]}

    assert product_of(best_cpe(record)) == ("a", "zoom", "zoom")


def test_the_system_of_the_host_is_not_the_labeled_program() -> None:
    system = {
        "component": {"cpe": "cpe:2.3:o:apple:macos:13.0:*:*:*:*:*:*:*", "type": "os"},
        "reason": "undescribed",
    }

    assert best_cpe(NOTHING | {"unknown": [system]}) is None


@pytest.mark.parametrize(
    ("cpe", "product"),
    [
        (r"cpe:2.3:a:c\/c\+\+_project:c\/c\+\+:1:*:*:*:*:*:*:*", ("a", r"c\/c\+\+_project", r"c\/c\+\+")),
        (r"cpe:2.3:a:perl:test\:\:more:1:*:*:*:*:*:*:*", ("a", "perl", r"test\:\:more")),  # no separators
        (None, None),
    ],
)
def test_the_product_of_a_cpe_name_is_its_first_three_values(
    cpe: str | None, product: tuple[str, str, str] | None
) -> None:
    assert product_of(cpe) == product
