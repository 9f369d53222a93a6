"""What the documents of NVD's two APIs, and the files beside them, have in common: a head, and pages of what changed.

Source  https://nvd.nist.gov/developers/start-here
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import ijson

from sentrikat.feeds.adapter import Document, FetchOptions, Transport, reading
from sentrikat.feeds.unpacking import unpacked_json

WIDEST_WINDOW = timedelta(days=119)  # NVD refuses more than 120 days between the two dates


def changed_pages(
    transport: Transport, api: str, since: datetime, options: FetchOptions, *, size: int, kind: str
) -> Iterator[tuple[Document, int]]:
    """Yield every page of what was modified between `since` and now, with how many its window has in all.

    `size` is the largest page NVD gives of this API, `kind` the name of its list. The cursor moves once a window is
    complete, not in the middle of its pages.
    """
    headers = {"apiKey": options.nvd_api_key} if options.nvd_api_key else None
    start = since
    while start < options.now:
        end = min(start + WIDEST_WINDOW, options.now)
        index, total = 0, 1
        while index < total:
            options.pace()
            page = transport.get(
                api,
                params={
                    "lastModStartDate": _api_time(start),
                    "lastModEndDate": _api_time(end),
                    "resultsPerPage": str(size),
                    "startIndex": str(index),
                },
                headers=headers,
            )
            if page is None:
                return  # nothing was promised to be unchanged, so this transport cannot answer
            with reading(page):
                total = count_of(head_of(page, kind), "totalResults")
            index += size
            yield (page.remembering(last_modified=end.isoformat()) if index >= total else page), total
        start = end


def head_of(document: Document, kind: str) -> dict[str, Any]:
    """Read the fields that stand before the first list, and the name of that list; ValueError where there is none."""
    head: dict[str, Any] = {}
    with unpacked_json(document) as stream:
        key = ""
        for prefix, event, value in ijson.parse(stream, use_float=True):
            if event == "map_key" and prefix == "":
                key = value
            elif event in ("string", "number"):
                head[key] = value
            elif event == "start_array":
                head[key] = []
                return head
    raise ValueError(f"it has no list of {kind}")


def count_of(head: Mapping[str, Any], name: str) -> int:
    """Give a count of the head; ValueError where it is none."""
    value = head.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is not a count")
    return value


def _api_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
