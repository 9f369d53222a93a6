"""Release cycles as a source lists them, merged into the catalogue with their history.

A document lists all releases of its product, so one it lists no longer ends with it. What changed ends and begins
anew: what was known of an end on a past day stays known.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

_FACTS = (
    "label",
    "latest",
    "released_on",
    "security_ends_on",
    "security_over",
    "support_ends_on",
    "support_over",
    "extended_ends_on",
    "extended_over",
)
_HELD = ", ".join(f"h.{name}" for name in _FACTS)
_SAID = ", ".join(f"s.{name}" for name in _FACTS)
_COLUMNS = ", ".join(_FACTS)

_CLOSE = f"""
update release_cycle h set valid_to = :now
where h.source = :source and h.valid_to is null
  and h.product in (select product from staged_cycle)
  and not exists (
    select from staged_cycle s
    where s.product = h.product and s.cycle = h.cycle and ({_SAID}) is not distinct from ({_HELD}))
  -- A release that was there and could not be read stays as it was held.
  and not exists (select from seen where seen.external_id = h.product || ' ' || h.cycle)
"""  # noqa: S608

_OPEN = f"""
insert into release_cycle (source, product, cycle, {_COLUMNS}, valid_from)
select distinct on (s.product, s.cycle) :source, s.product, s.cycle, {_SAID}, cast(:now as timestamptz)
from staged_cycle s
where not exists (
    select from release_cycle h where h.product = s.product and h.cycle = s.cycle and h.valid_to is null)
order by s.product, s.cycle
"""  # noqa: S608

_NEW_PRODUCTS = """
insert into product (ecosystem, name)
select distinct ecosystem, name from staged_cycle_product s
where not exists (select from product p where p.ecosystem = s.ecosystem and p.name = s.name)
on conflict (ecosystem, name) do nothing
"""

_PRODUCTS = """
insert into cycle_product (product_id, product)
select distinct on (p.id) p.id, s.product
from staged_cycle_product s join product p on p.ecosystem = s.ecosystem and p.name = s.name
order by p.id, s.product
on conflict (product_id) do update set product = excluded.product where cycle_product.product <> excluded.product
"""

_OTHER_PRODUCTS = """
delete from cycle_product c
where c.product in (select product from staged_cycle) and not exists (
    select from staged_cycle_product s join product p on p.ecosystem = s.ecosystem and p.name = s.name
    where s.product = c.product and p.id = c.product_id)
"""


def merge_cycles(session: Session, source: str, *, now: datetime) -> int:
    """Merge the staged cycles; give how many rows of the catalogue came, went or changed."""
    changed = 0
    for statement in (_NEW_PRODUCTS, _OTHER_PRODUCTS, _PRODUCTS, _CLOSE, _OPEN):
        wanted = {
            name: value for name, value in (("source", source), ("now", now)) if f":{name}" in statement
        }
        result: Any = session.execute(text(statement), wanted)
        if statement is not _NEW_PRODUCTS:
            changed += int(result.rowcount)
    return changed
