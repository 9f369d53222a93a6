"""Migrations: named by phase, one chain each, and in agreement with the models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sentrikat.infra.database import Base
from sentrikat.infra.jobs import schema as queue_schema
from sentrikat.migrations import all_metadata, runner
from tests.conftest import REPOSITORY
from tests.postgres import TEMPLATE, SharedServer

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
    rooms = {path.parent.name for path in (REPOSITORY / "src/sentrikat").glob("*/models.py")}
    all_metadata()
    assert {mapper.class_.__module__.split(".")[1] for mapper in Base.registry.mappers} == rooms
