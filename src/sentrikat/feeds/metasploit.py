"""Metasploit Framework: which flaws it has a module for. The list of modules only, never their code.

Source  https://raw.githubusercontent.com/rapid7/metasploit-framework/master/db/modules_metadata_base.json
Pace    working days; one file, every module
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import ijson

from sentrikat.domain.advisory import Enrichment, PublishedExploit, Record
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import (
    Document,
    FeedState,
    FetchOptions,
    Quarantined,
    Transport,
    attempt,
    familiar,
    mostly_good,
    reading,
)
from sentrikat.feeds.unpacking import unpacked_json

NAME = "metasploit"
TITLE = "Metasploit modules"
URL = "https://raw.githubusercontent.com/rapid7/metasploit-framework/master/db/modules_metadata_base.json"
SOURCES = (URL,)
LICENSE = "BSD-3-Clause"
TERMS = (
    "Metasploit Framework, copyright Rapid7, Inc., BSD 3-clause; its list of modules is read, no module is."
)
PACE = timedelta(days=14)
COMPLETE = True

PAGE = "https://github.com/rapid7/metasploit-framework/blob/master"
MOST_REFERENCES = 5  # of one flaw; the rest is counted

_FIELDS = frozenset(
    {
        "actions",
        "aliases",
        "arch",
        "author",
        "autofilter_ports",
        "autofilter_services",
        "check",
        "default_credential",
        "description",
        "disclosure_date",
        "fullname",
        "is_install_path",
        "mod_time",
        "name",
        "needs_cleanup",
        "notes",
        "path",
        "platform",
        "post_auth",
        "rank",
        "ref_name",
        "references",
        "rport",
        "session_types",
        "targets",
        "type",
    }
)


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the list, or nothing if it is the one `state` remembers."""
    if document := transport.get(URL, state.of(URL)):
        yield document


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield a PublishedExploit per CVE that a module refers to; modules are gathered, so all come at the end.

    Input   JSON object of modules by name; `references` holds ids of all kinds, "CVE-2021-44228" among them.
    Output  one Enrichment per CVE id. `first_published` is None: the list tells when a flaw was disclosed and when a
            module last changed, and neither is the day that the module appeared.
    Raises  FeedFormatError for another shape, or without any module.
    """
    yield from mostly_good(document, _records(document))


def _records(document: Document) -> Iterator[Record | Quarantined]:
    found: dict[str, list[str]] = {}
    with reading(document), unpacked_json(document) as stream:
        count = 0
        for _, module in ijson.kvitems(stream, "", use_float=True):
            count += 1
            read = attempt(module, lambda: None, lambda module=module: _module(fields.mapping(module)))  # type: ignore[misc]
            if isinstance(read, Quarantined):
                yield read
                continue
            for flaw in read[0]:
                found.setdefault(flaw, []).append(read[1])
        if not count:
            raise ValueError("it holds no module at all")
        if not found:
            # Being complete, a list whose references are named otherwise would clear every mark.
            raise ValueError(f"none of its {count} modules refers to a CVE")
    for flaw, paths in found.items():
        paths.sort()
        yield Enrichment(
            NAME,
            flaw,
            published_exploit=PublishedExploit(
                count=len(paths),
                first_published=None,
                references=tuple(PAGE + path for path in paths[:MOST_REFERENCES]),
            ),
        )


def _module(module: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    familiar(module, _FIELDS, "module")
    path = fields.text(module, "path")
    if not path.startswith("/modules/") or any(one in path for one in " ?#\"'<>\\"):
        raise ValueError("path is not a place among the modules")
    return tuple(one for one in fields.texts(module, "references") if fields.CVE.fullmatch(one)), path
