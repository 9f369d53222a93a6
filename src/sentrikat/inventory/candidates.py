"""Products that a title may mean though its letters are not theirs, looked up set-based for many titles at once.

Three ways lead to a candidate: its vendor is one that the component names and its name shares a word with the title;
it is made for the program that the component extends; or, for people to choose from, it has a rare word of the title.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.likeness import Candidate, Likeness, Named, is_filler, product_words, rank
from sentrikat.domain.matching.titles import letters_of, words_of

MOST_SHOWN = 5  # candidates kept of a title
_SHORTEST = 4  # letters of a word that is looked for whoever made the product
_MOST_PER_WORD = 40  # a word of more products tells none apart
_MOST_SCORED = 40  # candidates of one title
_STATEMENTS_COUNTED = 200  # beyond, more makes no difference to a score

_LOOK_UP = text(
    """
with wanted as (
    select p.id from product p
    where p.ecosystem = 'cpe:a'
      and regexp_replace(split_part(p.name, ':', 1), '[^a-z0-9+#]', '', 'g') = any(cast(:vendors as text[]))
      -- A hash of the words, made once: the overlap of two arrays compares each with each.
      and exists (select from regexp_split_to_table(p.name, '[^a-z0-9+#]+') as own(word)
        where own.word in (select unnest(cast(:words as text[]))))
    union
    select found.id from unnest(cast(:telling as text[])) as w(word) cross join lateral (
        select p.id from product p
        where p.ecosystem = 'cpe:a' and regexp_split_to_array(p.name, '[^a-z0-9+#]+') @> array[w.word]
        limit :most) as found
    union
    select c.product_id from catalogue_product c join product p on p.id = c.product_id and p.ecosystem = 'cpe:a'
    where cardinality(cast(:hosts as text[])) > 0 and c.target_software && cast(:hosts as text[])
)
select p.name, coalesce(c.target_software, '{}') as target_software,
    array(select n.title from product_name n where n.product_id = p.id and n.title <> '' limit 3) as titles,
    (select count(*) from (select from affected_range r where r.product_id = p.id and r.valid_to is null
        limit :counted) as counted) as statements,
    c.product_id is not null as listed
from wanted join product p on p.id = wanted.id
left join catalogue_product c on c.product_id = p.id
"""
)


def ranked_candidates(session: Session, components: Iterable[Component]) -> dict[Component, list[Likeness]]:
    """Give the likeliest products of each component, best first."""
    named = {component: Named.of(component) for component in components}
    if not named:
        return {}
    rows = session.execute(
        _LOOK_UP,
        {
            "vendors": sorted({vendor for one in named.values() for vendor in _vendors(one)}),
            "words": sorted({word for one in named.values() for word in one.words}),
            "telling": sorted({word for one in named.values() for word in one.words if _tells(word)}),
            "hosts": sorted({host for one in named.values() for host in _hosts(one)}),
            "most": _MOST_PER_WORD,
            "counted": _STATEMENTS_COUNTED,
        },
    )
    by_vendor: dict[tuple[str, str], list[Candidate]] = defaultdict(list)  # vendor and word
    by_word: dict[str, list[Candidate]] = defaultdict(list)
    by_host: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for row in rows:
        if not row.statements and not row.listed:
            continue  # named by somebody's condition only
        vendor, _, product = row.name.partition(":")
        candidate = Candidate(
            vendor, product, tuple(row.titles), tuple(row.target_software), int(row.statements)
        )
        maker = letters_of(vendor)
        for word in {*product_words(candidate), letters_of(product)}:
            by_vendor[maker, word].append(candidate)
            for host in candidate.target_software:
                by_host[host, word].append(candidate)
        for word in set(words_of(row.name)):
            by_word[word].append(candidate)
    found: dict[Component, list[Likeness]] = {}
    for component, one in named.items():
        hits: Counter[Candidate] = Counter()
        for word in sorted(one.runs):  # in one order, so that ties end the same way every time
            for index, keys in ((by_vendor, _vendors(one)), (by_host, _hosts(one))):
                for key in sorted(keys):
                    hits.update(index.get((key, word), ()))
            if _tells(word):
                hits.update(by_word.get(word, ()))
        # What shares more words is likelier; holding all of Microsoft's products against each title takes minutes.
        possible = [candidate for candidate, _ in hits.most_common(_MOST_SCORED)]
        found[component] = rank(one, possible)[:MOST_SHOWN]
    return found


def possible_vendors(component: Component) -> set[str]:
    """Give the vendors whose products a component may be, as letters."""
    return _vendors(Named.of(component))


def _vendors(named: Named) -> set[str]:
    """Give the vendors a component may have, as letters: those it names, and what its title begins with."""
    words: Sequence[str] = named.words[:3]
    begins = {"".join(words[:end]) for end in range(1, len(words) + 1)}
    return {*named.makers, *begins, *(f"{one}project" for one in begins)}


def _tells(word: str) -> bool:
    return len(word) >= _SHORTEST and not word.isdigit() and not is_filler(word)


def _hosts(named: Named) -> tuple[str, ...]:
    return (named.host, "visual_studio") if named.host == "visual_studio_code" else ()


def store_candidates(session: Session, found: Mapping[int, Sequence[Likeness]]) -> None:
    """Keep what people may choose from, in place of what was kept of these components."""
    session.execute(
        text("delete from identification_candidate where component_id = any(cast(:ids as bigint[]))"),
        {"ids": list(found)},
    )
    rows = [
        {
            "component": component_id,
            "name": one.candidate.name,
            "score": one.score,
            "evidence": list(one.evidence),
        }
        for component_id, ranked in found.items()
        for one in ranked
    ]
    if rows:
        session.execute(
            text(
                "insert into identification_candidate (component_id, product_id, score, evidence)"
                " select r.component, p.id, r.score, r.evidence"
                " from json_to_recordset(cast(:rows as json))"
                "   as r(component bigint, name text, score real, evidence text[])"
                " join product p on p.ecosystem = 'cpe:a' and p.name = r.name"
                " order by r.component, p.id on conflict do nothing"
            ),
            {"rows": orjson.dumps(rows).decode()},
        )
