"""Directories that tests share: each is started at its first use and lives as long as the run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.peers import openldap as openldap_server
from tests.peers import samba
from tests.peers.certificates import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of our peers."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def openldap(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[openldap_server.OpenLdap]:
    """OpenLDAP with people and nested groups. Tests add what they change."""
    certificate = authority.issue("openldap", hosts=("localhost", "127.0.0.1"))
    folder = tmp_path_factory.mktemp("openldap")
    with openldap_server.openldap(folder, authority, certificate, furnished=True) as server:
        yield server


@pytest.fixture(scope="session")
def active_directory(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[samba.ActiveDirectory]:
    """A domain controller; its ports are fixed, so each worker's has an address of its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    folder = tmp_path_factory.mktemp("samba")
    with samba.active_directory(folder, f"127.0.1.{10 + int(worker)}", authority) as server:
        yield server
