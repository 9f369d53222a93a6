"""What of the data pack a quality run loads."""

from __future__ import annotations

import pytest

from tests.quality.selection import Selection

REPORT = {
    "os": {"family": "linux", "name": "arch", "version": "rolling"},
    "software": [
        {"type": "application", "name": "xz"},
        {"type": "application", "name": "Anvil Viewer"},
    ],
}


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        (b'"cpe:2.3:a:tukaani:xz:5.6.0:*:*:*:*:*:*:*"', True),  # the whole name, however short
        (b'"cpe:2.3:a:acme:xz_viewerless:1:*:*:*:*:*:*:*"', False),
        (b'"cpe:2.3:a:acme:anvil_forge:1:*:*:*:*:*:*:*"', True),  # a word in common
        (b'"cpe:2.3:a:acme:hammer:1:*:*:*:*:*:*:*"', False),
        (b'"packageName":"xz"', True),
    ],
)
def test_a_record_is_loaded_when_its_product_may_be_taken_for_a_title(record: bytes, wanted: bool) -> None:
    assert Selection([REPORT]).wants(record) is wanted
