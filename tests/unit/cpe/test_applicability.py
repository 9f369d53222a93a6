"""Configurations: the tree and its flat form say the same, on trees of chance and on NVD's own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sentrikat.domain.advisory import Condition, Product, Remedy, Status, Term, TermGroup
from sentrikat.domain.cpe.applicability import (
    Configuration,
    covers,
    evaluate,
    holds,
    parse_configurations,
    statements,
)
from sentrikat.domain.cpe.name import CpeName, escape, parse
from sentrikat.domain.errors import FeedFormatError, InvalidInput, InvalidName
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme

NVD = Path(os.environ.get("SENTRIKAT_SHARED", "../shared")) / "data/nvd/cves-2.0.ndjson.zst"


def match(criteria: str, *, vulnerable: bool = True, **bounds: Any) -> dict[str, Any]:
    return {"vulnerable": vulnerable, "criteria": criteria, **bounds}


def node(*matches: dict[str, Any], operator: str = "OR", negate: bool = False) -> dict[str, Any]:
    return {"operator": operator, "negate": negate, "cpeMatch": list(matches)}


def either(*nodes: dict[str, Any]) -> tuple[Configuration, ...]:
    return parse_configurations([{"nodes": list(nodes)}])


def both(*nodes: dict[str, Any]) -> tuple[Configuration, ...]:
    return parse_configurations([{"operator": "AND", "negate": False, "nodes": list(nodes)}])


def cpe(vendor_product: str, version: str = "*", part: str = "a") -> CpeName:
    vendor, _, product = vendor_product.partition(":")
    return CpeName(part, vendor, product, version)


READER = "cpe:2.3:a:adobe:reader:*:*:*:*:*:*:*:*"
WINDOWS = "cpe:2.3:o:microsoft:windows:-:*:*:*:*:*:*:*"
ON_WINDOWS = both(node(match(READER, versionEndExcluding="11.0")), node(match(WINDOWS, vulnerable=False)))


def flat(trees: tuple[Configuration, ...], inventory: list[CpeName], os_family: str) -> frozenset[CpeName]:
    """Find the victims with the flat form alone."""
    return frozenset(
        name
        for statement in statements(trees)
        for name in inventory
        if covers(statement.product, statement.versions, statement.target, name, os_family)
        and holds(statement.condition, inventory, os_family)
    )


def test_the_application_is_the_victim_and_the_platform_its_condition() -> None:
    reader, windows = cpe("adobe:reader", "10.1"), cpe("microsoft:windows", "-", part="o")

    assert evaluate(ON_WINDOWS, [reader, windows]) == {reader}
    assert evaluate(ON_WINDOWS, [reader]) == frozenset()
    (statement,) = statements(ON_WINDOWS)
    assert statement.product == Product("cpe:a", "adobe:reader")
    assert statement.status is Status.AFFECTED
    assert statement.remedy is Remedy.FIXED
    assert statement.condition == Condition((TermGroup((Term(Product("cpe:o", "microsoft:windows")),)),))


def test_firmware_on_hardware_needs_the_hardware() -> None:
    trees = both(
        node(match("cpe:2.3:o:cisco:rv110w_firmware:1.2:*:*:*:*:*:*:*")),
        node(match("cpe:2.3:h:cisco:rv110w:-:*:*:*:*:*:*:*", vulnerable=False)),
    )
    firmware = cpe("cisco:rv110w_firmware", "1.2", part="o")

    assert evaluate(trees, [firmware, cpe("cisco:rv110w", "-", part="h")]) == {firmware}
    assert evaluate(trees, [firmware]) == frozenset()


def test_a_negated_node_is_a_denial() -> None:
    other = "cpe:2.3:a:x:shield:*:*:*:*:*:*:*:*"
    trees = both(node(match(READER)), node(match(other, vulnerable=False), negate=True))
    reader, shield = cpe("adobe:reader", "1"), cpe("x:shield", "2")

    assert evaluate(trees, [reader]) == {reader}
    assert evaluate(trees, [reader, shield]) == frozenset()
    (statement,) = statements(trees)
    assert statement.condition == Condition((TermGroup((Term(Product("cpe:a", "x:shield")),), negate=True),))


def test_a_denied_and_becomes_two_statements() -> None:
    one, two = "cpe:2.3:a:x:one:*:*:*:*:*:*:*:*", "cpe:2.3:a:x:two:*:*:*:*:*:*:*:*"
    trees = both(node(match(READER)), node(match(one), match(two), operator="AND", negate=True))

    denied = [statement.condition.groups for statement in statements(trees) if statement.condition]
    assert [groups[0].terms[0].product.name for groups in denied] == ["x:one", "x:two"]
    assert all(groups[0].negate for groups in denied)


def test_a_negated_configuration_has_no_victims() -> None:
    trees = tuple(replace(tree, negate=True) for tree in ON_WINDOWS)

    assert statements(trees) == ()
    assert evaluate(trees, [cpe("adobe:reader", "1")]) == frozenset()


@pytest.mark.parametrize(
    ("criteria", "bounds", "expected", "described"),
    [
        ("a:v:p:1.2:*", {}, {"introduced": "1.2", "last_affected": "1.2", "from_candidates": True}, True),
        ("a:v:p:1.2:-", {}, {"introduced": "1.2", "last_affected": "1.2"}, True),
        ("a:v:p:1.2:sp1", {}, {"introduced": "1.2-sp1", "last_affected": "1.2-sp1"}, True),
        (r"a:v:p:1.2\+b:rc\~1", {}, {"introduced": "1.2+b-rc~1", "last_affected": "1.2+b-rc~1"}, True),
        ("a:v:p:*:*", {"versionEndExcluding": "2"}, {"fixed": "2"}, True),
        ("a:v:p:*:*", {"versionEndIncluding": "2"}, {"last_affected": "2"}, True),
        (
            "a:v:p:*:*",
            {"versionStartIncluding": "1", "versionEndExcluding": "2"},
            {"introduced": "1", "fixed": "2"},
            True,
        ),
        ("a:v:p:*:*", {"versionStartExcluding": "1"}, {"introduced": "1", "introduced_excluded": True}, True),
        ("a:v:p:*:*", {"versionEndIncluding": r"2004\/11\/23"}, {"last_affected": "2004/11/23"}, True),
        ("a:v:p:*:*", {}, {}, False),  # nobody said which: review
        ("o:v:p:-:*", {}, {}, False),
        ("a:v:p:1.*:*", {}, {}, False),  # a pattern has no place in an order
        ("h:v:p:-:*", {}, {}, True),  # hardware has no versions
    ],
)
def test_versions_are_read_as_documented(
    criteria: str, bounds: dict[str, Any], expected: dict[str, Any], described: bool
) -> None:
    (statement,) = statements(either(node(match(f"cpe:2.3:{criteria}:*:*:*:*:*:*", **bounds))))

    assert statement.versions == VersionRange(Scheme.GENERIC, **expected)
    assert statement.described is described
    assert statement.target == ()


def test_an_update_without_a_version_stays_in_the_target() -> None:
    (statement,) = statements(
        either(node(match("cpe:2.3:o:microsoft:windows_server_2008:-:sp2:*:*:*:*:x64:*")))
    )

    assert statement.target == (("target_hw", "x64"), ("update", "sp2"))
    assert not statement.described


def test_a_wildcard_product_makes_no_statement() -> None:
    """Otherwise it would match every program there is."""
    assert statements(either(node(match("cpe:2.3:a:*:*:*:*:*:*:*:*:*:*")))) == ()
    assert statements(either(node(match("cpe:2.3:a:v:prod*:*:*:*:*:*:*:*:*")))) == ()


def test_an_empty_version_is_in_no_range() -> None:
    assert evaluate(ON_WINDOWS, [cpe("adobe:reader"), cpe("microsoft:windows", "-", part="o")]) == frozenset()


def test_repeated_criteria_make_one_statement() -> None:
    assert len(statements(either(node(match(READER), match(READER)), node(match(READER))))) == 1


@pytest.mark.parametrize(
    "broken",
    [
        "text",
        None,
        [1],
        [{"nodes": None}],
        [{"nodes": [{"operator": "XOR", "cpeMatch": []}]}],
        [{"nodes": [{"operator": "OR", "cpeMatch": [{"vulnerable": True}]}]}],
        [{"nodes": [{"operator": "OR", "cpeMatch": [match(READER, versionEndExcluding=7)]}]}],
        [{"nodes": [{"operator": "OR", "negate": "no", "cpeMatch": []}]}],
    ],
)
def test_a_broken_form_is_refused(broken: Any) -> None:
    with pytest.raises(FeedFormatError):
        parse_configurations(broken)


def test_a_broken_name_is_refused() -> None:
    with pytest.raises(InvalidName):
        either(node(match("cpe:2.3:a:v:p")))


def test_branching_without_end_is_refused() -> None:
    many = node(*[match(READER)] * 20, operator="AND", negate=True)

    with pytest.raises(FeedFormatError):
        statements(both(node(match(READER)), many, many))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(READER),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["nodes", "cpeMatch", "operator", "negate", "criteria", "vulnerable"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    with contextlib.suppress(InvalidInput):
        statements(parse_configurations(value))


# -- the tree and the flat form agree ----------------------------------------------------------------

PRODUCTS = st.sampled_from(["a:v:app", "a:v:plugin", "o:v:system", "h:v:box"])
VERSIONS = st.sampled_from(["*", "-", "1", "1.5", "2", "3"])
PLAIN = st.sampled_from(["1", "1.5", "2", "3"])
UPDATES = st.sampled_from(["*", "*", "-", "sp1"])
PLATFORMS = st.sampled_from(["*", "*", "*", "windows", "linux", "wordpress"])
NAMES = st.builds(
    lambda product, version, update, platform: f"cpe:2.3:{product}:{version}:{update}:*:*:*:{platform}:*:*",
    PRODUCTS,
    VERSIONS,
    UPDATES,
    PLATFORMS,
)
BOUNDS = st.dictionaries(
    st.sampled_from(
        ["versionStartIncluding", "versionStartExcluding", "versionEndIncluding", "versionEndExcluding"]
    ),
    PLAIN,
    max_size=2,
)
MATCHES = st.builds(
    lambda name, vulnerable, bounds: match(name, vulnerable=vulnerable, **bounds),
    NAMES,
    st.booleans(),
    BOUNDS,
)
OPERATORS = st.sampled_from(["AND", "OR"])
NODES = st.fixed_dictionaries(
    {"operator": OPERATORS, "negate": st.booleans(), "cpeMatch": st.lists(MATCHES, max_size=3)}
)
TREES = st.lists(
    st.fixed_dictionaries(
        {
            "operator": OPERATORS,
            "negate": st.sampled_from([False, False, True]),
            "nodes": st.lists(NODES, max_size=3),
        }
    ),
    max_size=2,
)


@settings(max_examples=400)
@given(TREES, st.lists(NAMES, max_size=5), st.sampled_from(["windows", "linux", "other"]))
def test_flat_statements_say_what_the_tree_says(
    tree: list[Any], inventory: list[str], os_family: str
) -> None:
    configurations = parse_configurations(tree)
    names = [parse(name) for name in inventory]

    assert flat(configurations, names, os_family) == evaluate(configurations, names, os_family)


def real_records(limit: int, step: int) -> Iterator[dict[str, Any]]:
    """Every `step`-th NVD record that has configurations."""
    with NVD.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as raw:
        for number, line in enumerate(io.TextIOWrapper(raw, encoding="utf-8")):
            if number >= limit:
                return
            if number % step == 0 and '"configurations"' in line:
                yield json.loads(line)


def imagined_inventory(configurations: tuple[Configuration, ...], chance: random.Random) -> list[CpeName]:
    """Some of what the record names, in versions at, below and above its bounds."""
    names = []
    for criterion in (c for tree in configurations for each in tree.nodes for c in each.matches):
        if chance.random() < 0.6:
            bounds = (
                criterion.versions.introduced,
                criterion.versions.fixed,
                criterion.versions.last_affected,
            )
            version = chance.choice(["0.0.1", "999999", *(bound for bound in bounds if bound)])
            names.append(replace(criterion.name, version=escape(version), update="*"))
    return names


@pytest.mark.skipif(not NVD.exists(), reason=f"no NVD data at {NVD}")
def test_flat_statements_say_what_real_trees_say() -> None:
    chance = random.Random(20261123)
    read = victims = conditional = 0
    for record in real_records(limit=120_000, step=97):
        configurations = parse_configurations(record["configurations"])
        if sum(len(each.matches) for tree in configurations for each in tree.nodes) > 60:
            continue
        read += 1
        conditional += any(statement.condition for statement in statements(configurations))
        for os_family in ("windows", "linux"):
            names = imagined_inventory(configurations, chance)
            expected = evaluate(configurations, names, os_family)
            assert flat(configurations, names, os_family) == expected, record["id"]
            victims += len(expected)
    assert read > 700
    assert victims > 1000
    assert conditional > 50
