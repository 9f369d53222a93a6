"""Independent implementations of version orders: each takes pairs and says -1, 0, 1, or None for "cannot"."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import univers.versions
from packaging.version import InvalidVersion as InvalidPep440
from packaging.version import Version as Pep440

Pairs = Sequence[tuple[str, str]]
Answers = list[int | None]
Peer = Callable[[Pairs], Answers]


def packaging(pairs: Pairs) -> Answers:
    """PyPA's own implementation of PEP 440."""

    def compare(left: str, right: str) -> int | None:
        try:
            a, b = Pep440(left), Pep440(right)
        except InvalidPep440:
            return None
        return (a > b) - (a < b)

    return [compare(*pair) for pair in pairs]


def univers_peer(kind: type[Any], prepare: Callable[[str], str] = str) -> Peer:
    """One of univers' version classes; `prepare` writes a version as that class expects it."""

    def compare(left: str, right: str) -> int | None:
        try:
            a, b = kind(prepare(left)), kind(prepare(right))
        except (univers.versions.InvalidVersion, ValueError, TypeError, AttributeError):
            return None
        return int(a > b) - int(a < b)

    return lambda pairs: [compare(*pair) for pair in pairs]


def apt(pairs: Pairs) -> Answers:
    """libapt-pkg, through the system's own python3-apt."""
    program = (
        "import sys, apt_pkg; apt_pkg.init_system()\n"
        "for line in sys.stdin:\n"
        "    n = apt_pkg.version_compare(*line.rstrip('\\n').split('\\t')); print((n > 0) - (n < 0))\n"
    )
    python = "/usr/bin/python3"
    if (
        not Path(python).exists()
        or subprocess.run([python, "-c", "import apt_pkg"], check=False, capture_output=True).returncode
    ):
        pytest.skip("python3-apt is not installed")
    return _asked([python, "-c", program], pairs)


def dpkg(pairs: Pairs) -> Answers:
    """`dpkg --compare-versions`, one process a question."""
    program = shutil.which("dpkg") or pytest.skip("dpkg is not installed")

    def answer(left: str, right: str) -> int | None:
        for relation, meaning in (("lt", -1), ("eq", 0), ("gt", 1)):
            question = [program, "--compare-versions", "--", left, relation, right]
            code = subprocess.run(question, check=False, capture_output=True).returncode
            if code != 1:
                return meaning if code == 0 else None
        return None

    return [answer(*pair) for pair in pairs]


def librpm(pairs: Pairs) -> Answers:
    """The rpmvercmp of librpm itself, on epoch, version and release in turn."""
    name = (
        os.environ.get("LIBRPM") or ctypes.util.find_library("rpm") or pytest.skip("librpm is not installed")
    )
    vercmp = ctypes.CDLL(name).rpmvercmp

    def parts(version: str) -> list[bytes]:
        epoch, colon, rest = version.partition(":")
        if not colon:
            epoch, rest = "0", version
        name, _, release = rest.rpartition("-") if "-" in rest else (rest, "", "")
        return [part.encode() for part in (epoch or "0", name, release)]

    def compare(left: str, right: str) -> int:
        answers = (int(vercmp(a, b)) for a, b in zip(parts(left), parts(right), strict=True))
        return next((answer for answer in answers if answer), 0)

    return [compare(*pair) for pair in pairs]


def libalpm(pairs: Pairs) -> Answers:
    """alpm_pkg_vercmp of pacman's own library."""
    name = (
        os.environ.get("LIBALPM")
        or ctypes.util.find_library("alpm")
        or pytest.skip("libalpm is not installed")
    )
    vercmp = ctypes.CDLL(name).alpm_pkg_vercmp
    return [int(vercmp(a.encode(), b.encode())) for a, b in pairs]


def node_semver(pairs: Pairs) -> Answers:
    """node-semver as npm brings it, in the loose mode npm itself uses."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("node and npm are not installed")
    module = next(
        (up / "node_modules" / "semver" for up in Path(npm).resolve().parents if up.name == "npm"), None
    )
    if module is None or not module.exists():
        pytest.skip("npm does not bring node-semver")
    program = (
        "const s = require(process.argv[1]);"
        "const out = require('fs').readFileSync(0, 'utf8').trimEnd().split('\\n').map(l => {"
        " const [a, b] = l.split('\\t');"
        " try { return s.compare(a, b, {loose: true}); } catch (e) { return '?'; } });"
        "console.log(out.join('\\n'));"
    )
    return _asked([node, "-e", program, str(module)], pairs)


def maven(pairs: Pairs) -> Answers:
    """Maven's own ComparableVersion, asked through its command line with neighboring arguments."""
    java = shutil.which("java") or pytest.skip("java is not installed")
    library = Path(os.environ.get("MAVEN_ARTIFACT_JAR", "/usr/share/maven/lib/maven-artifact-3.x.jar"))
    if not library.exists():
        pytest.skip("Maven is not installed")
    answers: Answers = []
    signs: dict[str, int] = {"<": -1, "==": 0, ">": 1}
    start = [java, "-cp", str(library), "org.apache.maven.artifact.versioning.ComparableVersion"]
    for first in range(0, len(pairs), 20_000):
        some = pairs[first : first + 20_000]
        arguments = [version for pair in some for version in pair]
        out = subprocess.run([*start, *arguments], capture_output=True, text=True, check=True).stdout
        # Each version after the first has a line `   left < right` before its own; every second one is asked for.
        lines = [line for line in out.splitlines() if line.startswith("   ")][::2]
        for (left, right), line in zip(some, lines, strict=True):
            relation = line[3 + len(left) : len(line) - len(right)].strip()
            answers.append(signs[relation])
    return answers


def go_modules(pairs: Pairs) -> Answers:
    """golang.org/x/mod/semver, from the copy inside the Go distribution."""
    go = shutil.which("go") or pytest.skip("go is not installed")
    root = subprocess.run([go, "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    source = Path(root, "src/cmd/vendor/golang.org/x/mod/semver/semver.go")
    if not source.exists():
        pytest.skip("the Go distribution does not bring golang.org/x/mod/semver")
    program = (
        "package main\n"
        'import ("bufio"; "fmt"; "os"; "strings")\n'
        "func main() {\n"
        " in, out := bufio.NewScanner(os.Stdin), bufio.NewWriter(os.Stdout)\n"
        " defer out.Flush()\n"
        " for in.Scan() {\n"
        '  p := strings.SplitN(in.Text(), "\\t", 2)\n'
        '  if !IsValid(p[0]) || !IsValid(p[1]) { fmt.Fprintln(out, "?"); continue }\n'
        "  fmt.Fprintln(out, Compare(p[0], p[1]))\n"
        " }\n"
        "}\n"
    )
    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        patched.setenv("GO111MODULE", "off")
        (folder / "semver.go").write_text(source.read_text().replace("package semver", "package main", 1))
        (folder / "main.go").write_text(program)
        built = str(folder / "compare")
        subprocess.run([go, "build", "-o", built, "."], cwd=folder, check=True, capture_output=True)
        return _asked([built], [(_with_v(a), _with_v(b)) for a, b in pairs])


def _with_v(version: str) -> str:
    return version if version.startswith("v") else f"v{version}"


def _asked(command: list[str], pairs: Pairs) -> Answers:
    questions = "".join(f"{left}\t{right}\n" for left, right in pairs)
    out = subprocess.run(command, input=questions, capture_output=True, text=True, check=True).stdout
    return [None if answer == "?" else int(answer) for answer in out.split()]
