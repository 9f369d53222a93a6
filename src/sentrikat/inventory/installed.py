"""Software by its name, over all assets: what of that name is installed, how far it was judged, and where."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.inventory.coverage import NOT_JUDGED

MOST = 20  # names given
ASSETS_CAP = 1_000  # counted of one component
_LOOKS = 500  # components of such a name that are looked at
_HOSTS = 5  # named of each

# By letters in the components, which are few beside the installs; each then counts its assets up to a cap.
_NAMED = text("""
with named as (
    select c.id, c.kind, c.name, c.version, c.identified from component c
    where lower(c.name) like :pattern and exists (
        select from install i where i.component_id = c.id and i.organization_id = :organization_id
          and i.removed_at is null)
    order by length(c.name), c.name, c.id limit :looks
)
select n.kind, n.name, array_agg(distinct n.version) filter (where n.version is not null) as versions,
    array_agg(distinct n.identified) as states, array_agg(distinct n.id) as components,
    count(distinct p.asset_id) as assets, max(p.found) as most
from named n
cross join lateral (
    select i.asset_id, row_number() over () as found from install i
    join asset a on a.id = i.asset_id and a.organization_id = i.organization_id and a.retired_at is null
    where i.component_id = n.id and i.organization_id = :organization_id and i.removed_at is null limit :cap
) p
group by n.kind, n.name order by length(n.name), n.name, n.kind limit :most
""")
_HOSTS_OF = text("""
select distinct a.id, a.hostname from install i
join asset a on a.id = i.asset_id and a.organization_id = i.organization_id and a.retired_at is null
where i.component_id = any(:components) and i.organization_id = :organization_id and i.removed_at is null
order by a.hostname, a.id limit :hosts
""")


@dataclass(frozen=True, slots=True)
class Installed:
    """Software of one name. `states` say how far its versions were judged; `more`: it is on more assets than said."""

    kind: str
    name: str
    versions: tuple[str, ...]
    states: frozenset[str]
    assets: int
    more: bool
    hosts: tuple[tuple[int, str], ...]  # the first of them

    @property
    def judged(self) -> bool | None:
        """Say whether every version could be judged; None: some of them."""
        unjudged = self.states & set(NOT_JUDGED)
        if not unjudged:
            return True
        return False if unjudged == self.states else None


def find_installed(session: Session, organization_id: int, words: str) -> tuple[Installed, ...]:
    """Give the installed software whose name holds the words, the shortest names first, up to MOST."""
    pattern = words.lower().replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    rows = session.execute(
        _NAMED,
        {
            "organization_id": organization_id,
            "pattern": f"%{pattern}%",
            "looks": _LOOKS,
            "cap": ASSETS_CAP,
            "most": MOST,
        },
    ).all()
    found = []
    for row in rows:
        hosts = session.execute(
            _HOSTS_OF, {"organization_id": organization_id, "components": row.components, "hosts": _HOSTS}
        )
        found.append(
            Installed(
                row.kind,
                row.name,
                tuple(row.versions or ()),
                frozenset(row.states),
                row.assets,
                row.most >= ASSETS_CAP,
                tuple((host.id, host.hostname) for host in hosts),
            )
        )
    return tuple(found)
