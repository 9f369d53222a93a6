"""Migrations: named by phase, one chain each, and in agreement with the models."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from sentrikat.infra.database import Base
from sentrikat.infra.jobs import schema as queue_schema
from sentrikat.migrations import all_metadata, runner
from tests.conftest import REPOSITORY
from tests.postgres import TEMPLATE, SharedServer

MODELS = sorted((REPOSITORY / "src/sentrikat").glob("*/models.py"))
VERSIONS = sorted((REPOSITORY / "src/sentrikat/migrations/versions").glob("*.py"))


@pytest.mark.parametrize("file", VERSIONS, ids=lambda file: file.name)
def test_a_revision_is_named_like_its_file(file: Path) -> None:
    name = re.fullmatch(r"((?:pre|post)_\d{4})_[a-z0-9_]+\.py", file.name)
    assert name, "a migration is called pre_NNNN_what.py or post_NNNN_what.py"
    assert re.search(rf'^revision(?:: str)? = "{name[1]}"$', file.read_text(encoding="utf-8"), re.MULTILINE)


def test_each_phase_is_one_chain() -> None:
    heads = runner.scripts().get_heads()
    assert len(heads) == len({head.split("_")[0] for head in heads})


def test_migrations_and_models_agree(database_server: SharedServer) -> None:
    assert runner.differences(database_server.url(TEMPLATE)) == []


def test_a_migrated_database_lacks_nothing(database_server: SharedServer) -> None:
    assert runner.pending(database_server.url(TEMPLATE)) == []


def test_the_queue_is_versioned_by_the_files_of_its_release() -> None:
    assert queue_schema.migration_files(), "procrastinate has moved its migrations"


def test_every_model_module_is_found() -> None:
    rooms = {path.parent.name for path in MODELS}
    all_metadata()
    assert {mapper.class_.__module__.split(".")[1] for mapper in Base.registry.mappers} == rooms


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.parent.name)
def test_the_tables_of_a_room_can_be_used_without_importing_another(file: Path) -> None:
    """A key to another room's table is its column, which is imported: by its name alone it may not be there yet."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    own = {
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and getattr(node.targets[0], "id", "") == "__tablename__"
        and isinstance(node.value, ast.Constant)
    }
    named = {
        column.value.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("ForeignKey")
        for argument in (node.args[-1:])
        for column in getattr(argument, "elts", [argument])
        if isinstance(column, ast.Constant) and isinstance(column.value, str)
    }
    # The rooms above the catalogue hold the products; its rows are only written by statements over all of them.
    assert named - own == ({"product"} if file.parent.name == "catalogue" else set())
