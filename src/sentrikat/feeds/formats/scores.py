"""CVSS of foreign records as Scores: with their own number where they give one, computed where not."""

from __future__ import annotations

from functools import lru_cache

from sentrikat.domain import cvss
from sentrikat.domain.advisory import Score
from sentrikat.domain.errors import InvalidInput

_PROVIDERS = {
    "nvd@nist.gov": "NVD",
    "134c704f-9b21-4f2e-91b3-4a467353bcc0": "CISA-ADP",
}


def provider_named(source: str) -> str:
    """Give the provider as people call it, for the ids NVD and CVE records use for the best known."""
    return _PROVIDERS.get(source, source)


@lru_cache(maxsize=20_000)  # a few thousand vectors cover nearly every record
def score_of_vector(vector: str, provider: str, *, primary: bool = False) -> Score | None:
    """Give the Score of a CVSS vector, or None for one that is not well formed: a score is extra."""
    try:
        return cvss.parse(vector, provider, primary)
    except InvalidInput:
        return None
