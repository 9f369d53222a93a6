"""Releases that their distribution no longer judges, and the later ones whose statements speak for them.

Debian's tracker keeps one repaired version per source package, of its development branch: whatever is older is taken to be
affected, in every release, unless a note on that release says otherwise
(https://security-team.debian.org/security_tracker.html). Ended releases are dropped from what it publishes, notes and all.
Alpine repairs by taking upstream's newer version, and its database of an ended branch stays as it was on the last day.

Held against releases that are still judged, Debian 11 by what is said of 12, and 12 by 13, the rule is right for 93 and 97 of
100 pairs of package and flaw, for the kernel 77: new code comes into it faster, and with it flaws the older one never had.
"""

from __future__ import annotations

from functools import lru_cache

# Raise these when a tracker drops a release, not when its support ends: until then its silence means "not affected".
_LAST_ENDED = {"debian": (10,), "alpine": (3, 20)}
_NEWEST = {"debian": (14,), "alpine": (3, 24)}


# Source packages that later releases have under another name: the same program, at versions that go on counting.
_RENAMED = {
    ("debian", "eglibc"): "glibc",  # Debian left the fork in 2014, for release 8
    ("debian", "readline6"): "readline",  # one source per major version until release 9
    ("debian", "gnupg"): "gnupg1",  # the line 1.4, since 2 took the name in release 9
}


def later_name(release: str, package: str) -> str:
    """Give the name a package of a distribution's ended release has in later ones."""
    return _RENAMED.get((release.partition(":")[0], package), package)


@lru_cache(maxsize=256)
def later_releases(release: str) -> tuple[str, ...]:
    """Give the releases after an ended one, oldest first; none for a release that is still judged."""
    distribution, _, number = release.partition(":")
    last, newest = _LAST_ENDED.get(distribution), _NEWEST.get(distribution)
    parts = number.split(".")
    if last is None or newest is None or not all(one.isdecimal() for one in parts):
        return ()
    own = tuple(int(one) for one in parts[: len(last)])
    if len(own) != len(last) or own[:-1] != last[:-1] or own > last:
        return ()
    series = "".join(f"{one}." for one in own[:-1])
    later = tuple(f"{distribution}:{series}{minor}" for minor in range(own[-1] + 1, newest[-1] + 1))
    return (*later, "alpine:edge") if distribution == "alpine" else later


def is_kernel(source: str) -> bool:
    """Say whether a package is built from a kernel."""
    return source == "linux" or source.startswith("linux-")
