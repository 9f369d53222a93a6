"""Products and their names as sources list them, merged into the catalogue.

A product may come in several portions of one run (feeds.nvd_cpe), each with a part of its names: what they are made
for is joined, and a product is live once any portion, or any earlier run, held a name that is not deprecated.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.infra.database.row_security import analyze

# Sorted by product, so that its rows lie together; the shortest title says most plainly what it is called.
_NAMES = """
insert into product_name (product_id, source, vendor, title, end_of_life)
select distinct on (p.id) p.id, :source, s.vendor, s.title, s.end_of_life
from staged_name s join product p on p.ecosystem = s.ecosystem and p.name = s.name
where s.title <> '' or s.end_of_life is not null
order by p.id, (s.title = ''), length(s.title), s.title collate "C"
on conflict (product_id, source, vendor, title) do update set end_of_life = excluded.end_of_life
where product_name.end_of_life is distinct from excluded.end_of_life
"""

_OTHER_TITLES = """
delete from product_name n using (
    select p.id, array_agg(s.title) as titles
    from staged_name s join product p on p.ecosystem = s.ecosystem and p.name = s.name group by p.id
) as said
where n.product_id = said.id and n.source = :source and n.title <> all(said.titles) and '' <> all(said.titles)
"""

_PRODUCTS = """
with said as (
    select p.id, bool_or(s.live) as live, min(r.id) as replaced_by_id,
        array(select distinct word from unnest(string_to_array(string_agg(
            array_to_string(s.target_software, ' '), ' '), ' ')) as word where word <> '' order by word) as targets
    from staged_name s join product p on p.ecosystem = s.ecosystem and p.name = s.name
    left join product r on r.ecosystem = s.replacement_ecosystem and r.name = s.replacement
    group by p.id
), merged as (
    insert into catalogue_product as held (product_id, source, target_software, live, replaced_by_id)
    select id, :source, targets, live, case when not live then replaced_by_id end from said order by id
    on conflict (product_id) do update set
        target_software = array(select distinct word
            from unnest(held.target_software || excluded.target_software) as word order by word),
        live = held.live or excluded.live,
        replaced_by_id = case when not (held.live or excluded.live)
            then coalesce(excluded.replaced_by_id, held.replaced_by_id) end
    where not held.target_software @> excluded.target_software or (excluded.live and not held.live)
        or (not held.live and not excluded.live
            and excluded.replaced_by_id is not null
            and held.replaced_by_id is distinct from excluded.replaced_by_id)
    returning product_id
)
insert into changed_name select product_id from merged
"""

_ANALYZED_ABOVE = 5_000  # products


def merge_names(session: Session, source: str) -> int:
    """Merge the staged names; leave changed products in `changed_name` and give how many there are."""
    session.execute(text("create index on staged_name (ecosystem, name)"))
    session.execute(text("analyze staged_name"))
    session.execute(text(_OTHER_TITLES), {"source": source})
    session.execute(text(_NAMES), {"source": source})
    session.execute(text(_PRODUCTS), {"source": source})
    changed: int = session.scalar(text("select count(*) from changed_name")) or 0
    if changed > _ANALYZED_ABOVE:
        for table in ("product", "product_name", "catalogue_product"):
            analyze(session, table)
    return changed
