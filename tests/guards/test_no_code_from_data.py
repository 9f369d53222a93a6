"""Nothing that came in is ever executed: no evaluation, no objects from bytes, no shell, no template from text.

The rules of ruff's S family say most of this too; they can be excused in a line, and here an excuse is seen.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

SOURCE = REPOSITORY / "src" / "sentrikat"
SCRIPTS = sorted((SOURCE / "web" / "static").glob("*.js"))

EVALUATES = {"eval", "exec", "compile", "__import__"}
# Modules whose reader makes any object, and so runs any code, that the bytes ask for.
UNPICKLES = {"pickle", "cPickle", "marshal", "shelve", "dill", "jsonpickle", "yaml"}
RUNS_A_SHELL = {
    ("os", "system"),
    ("os", "popen"),
    ("subprocess", "getoutput"),
    ("subprocess", "getstatusoutput"),
}
MAKES_TEMPLATES = {"from_string", "Template"}
SCRIPT_EVALUATES = re.compile(
    r"\beval\s*\(|\bnew\s+Function\b|\.(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write\b"
    r"|set(?:Timeout|Interval)\s*\(\s*[\"'`]|\blocalStorage\b|\bsessionStorage\b|\bindexedDB\b|onpaste|[\"']paste[\"']"
)


def mistakes(source: str) -> list[str]:
    """Name what a file does that it must not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [one.name for one in names if one.name.partition(".")[0] in UNPICKLES]
            case ast.ImportFrom(module=str(module)):
                found += [module] if module.partition(".")[0] in UNPICKLES else []
            case ast.Call(func=ast.Name(id=name)) if name in EVALUATES | {"Template"}:
                found.append(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if (
                owner,
                name,
            ) in RUNS_A_SHELL:
                found.append(f"{owner}.{name}")
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if (
                name in MAKES_TEMPLATES and owner != "PackageURL"
            ):
                found.append(f"{owner}.{name}")
            case ast.keyword(arg="shell"):
                found.append("shell=")
            case ast.keyword(arg="autoescape", value=ast.Constant(value=False)):
                found.append("autoescape=False")
    return found


def test_nothing_that_came_in_is_executed() -> None:
    found = {
        str(path.relative_to(REPOSITORY)): wrong
        for path in SOURCE.rglob("*.py")
        if (wrong := mistakes(path.read_text(encoding="utf-8")))
    }

    assert found == {}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_our_scripts_evaluate_nothing_and_keep_nothing_in_the_browser(script: Path) -> None:
    assert SCRIPT_EVALUATES.findall(script.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("eval(text)", ["eval"]),
        ("import pickle", ["pickle"]),
        ("from yaml import load", ["yaml"]),
        ("os.system(line)", ["os.system"]),
        ("subprocess.run(line, shell=True)", ["shell="]),
        ("environment.from_string(text)", ["environment.from_string"]),
        ("Environment(autoescape=False)", ["autoescape=False"]),
        ("connection.execute(text('select 1'))", []),  # a method of another name is no evaluation
        ("re.compile(pattern)", []),
        ("PackageURL.from_string(text)", []),
    ],
)
def test_each_mistake_is_found(source: str, found: list[str]) -> None:
    assert mistakes(source) == found


@pytest.mark.parametrize(
    "line", ["eval('1')", "new Function('a')", "node.innerHTML = text", "localStorage.theme = 1"]
)
def test_each_mistake_of_a_script_is_found(line: str) -> None:
    assert SCRIPT_EVALUATES.search(line) is not None
