"""Products and names of lists, as they come to stand in the catalogue."""

from __future__ import annotations

from sqlalchemy import text

from sentrikat.domain.advisory import CatalogueEntry, Product
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.vulnerabilities.run_record import RECORDS_HELD
from tests.builders import publish

VIEWER = Product("cpe:a", "example:viewer")
OLD = Product("cpe:a", "example:old_viewer")


def entry(
    product: Product = VIEWER, title: str | None = None, *targets: str, **more: object
) -> CatalogueEntry:
    return CatalogueEntry("nvd_cpe", product, title, "example", target_software=targets, **more)  # type: ignore[arg-type]


def held(database: Database) -> dict[str, tuple[object, ...]]:
    """Give what is held, by product: titles, target software, live, replacement."""
    with database.as_system() as session:
        rows = session.execute(
            text(
                "select p.name, array(select n.title from product_name n where n.product_id = p.id order by 1),"
                " c.target_software, c.live, r.name from catalogue_product c join product p on p.id = c.product_id"
                " left join product r on r.id = c.replaced_by_id"
            )
        )
        return {row[0]: tuple(row[1:]) for row in rows}


def test_the_portions_of_a_product_are_joined(database: Database, clock: FrozenClock) -> None:
    publish(
        database, clock, "nvd_cpe", entry(VIEWER, "Example Viewer for Windows", "windows"), entry(VIEWER, None, "*"),
        entry(VIEWER, "Example Viewer", "macos"),
    )  # fmt: skip

    assert held(database) == {"example:viewer": (["Example Viewer"], ["*", "macos", "windows"], True, None)}


def test_products_count_as_records_of_their_list(database: Database, clock: FrozenClock) -> None:
    """A dictionary that says “0 records” after it was loaded looks like one that is not there."""
    publish(database, clock, "nvd_cpe", entry(VIEWER, "Example Viewer"), entry(OLD, None))

    with database.as_system() as session:
        assert session.scalar(text(f"select {RECORDS_HELD}"), {"name": "nvd_cpe"}) == 2
        assert session.scalar(text(f"select {RECORDS_HELD}"), {"name": "nvd"}) == 0


def test_a_new_title_takes_the_place_of_the_old_one(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "nvd_cpe", entry(VIEWER, "Example Vewer"))
    publish(database, clock, "nvd_cpe", entry(VIEWER, "Example Viewer"))

    assert held(database)["example:viewer"][0] == ["Example Viewer"]


def test_a_run_without_titles_takes_none_away(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "nvd_cpe", entry(VIEWER, "Example Viewer"))
    publish(database, clock, "nvd_cpe", entry(VIEWER, None, "windows"))

    assert held(database)["example:viewer"][:2] == (["Example Viewer"], ["windows"])


def test_a_replaced_product_names_its_replacement(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "nvd_cpe", entry(OLD, None, live=False, replaced_by=VIEWER))

    assert held(database)["example:old_viewer"][2:] == (False, "example:viewer")


def test_a_product_with_a_live_name_stays_live_when_others_are_deprecated(
    database: Database, clock: FrozenClock
) -> None:
    """A later run shows what changed only: one deprecated version says nothing of the others."""
    publish(database, clock, "nvd_cpe", entry(OLD, None))
    publish(database, clock, "nvd_cpe", entry(OLD, None, live=False, replaced_by=VIEWER))

    assert held(database)["example:old_viewer"][2:] == (True, None)


def test_only_what_is_new_counts_as_changed(database: Database, clock: FrozenClock) -> None:
    publish(database, clock, "nvd_cpe", entry(VIEWER, None, "windows"))
    again = publish(database, clock, "nvd_cpe", entry(VIEWER, None, "windows"), entry(OLD, None))

    assert again.merged is not None
    assert again.merged.changed_names == 1
