"""Build the list of passwords that everybody tries first, as hashes.

    python -m tools.build_common_passwords zxcvbn-4.5.0-py2.py3-none-any.whl

The list is `passwords` of zxcvbn (MIT), 30,000 in the order of their use. What is shipped is the first five bytes
of the SHA-256 of each, sorted: 150 kB, nothing readable, and one wrong refusal in 36 million passwords.
"""

from __future__ import annotations

import ast
import sys
import zipfile
from pathlib import Path

from sentrikat.identity.password_rules import COMMON, WIDTH, fingerprint

SHORTEST = 4  # shorter ones are words by accident


def main(wheel: Path) -> None:
    """Write the list."""
    with zipfile.ZipFile(wheel) as archive:
        tree = ast.parse(archive.read("zxcvbn/frequency_lists.py"))
    # A dictionary of "one,two".split(",").
    lists = next(node.value for node in tree.body if isinstance(node, ast.Assign))
    assert isinstance(lists, ast.Dict)
    named = {ast.literal_eval(key): value for key, value in zip(lists.keys, lists.values, strict=True) if key}
    longest = max((one for one in ast.walk(named["passwords"]) if isinstance(one, ast.Constant)), key=_length)
    passwords = str(longest.value).split(",")
    hashes = sorted({fingerprint(one.casefold()) for one in passwords if len(one) >= SHORTEST})
    COMMON.parent.mkdir(exist_ok=True)
    COMMON.write_bytes(b"".join(hashes))
    print(f"{COMMON}: {len(hashes)} passwords, {len(hashes) * WIDTH} bytes")


def _length(constant: ast.Constant) -> int:
    return len(str(constant.value))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
