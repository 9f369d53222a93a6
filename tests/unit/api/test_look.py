"""What the style promises: contrast of every text pair, nothing fetched from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sentrikat.web.rendering import FOLDER as TEMPLATES
from sentrikat.web.static import FOLDER as STATIC

CSS = (STATIC / "app.css").read_text()


def tokens(selector: str) -> dict[str, str]:
    """The colors that one block sets."""
    block = CSS.split(selector, 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


THEMES = {
    "light": tokens(":root {"),
    "dark, as the system wishes": tokens(':root:not([data-theme="light"]) {'),
    "dark, as chosen": tokens(':root[data-theme="dark"] {'),
}
TEXT_PAIRS = [
    (ink, paper)
    for ink in ("ink", "muted", "accent", "danger", "warning", "success")
    for paper in ("paper", "paper-2", "hover")
] + [
    ("danger", "danger-paper"),
    ("warning", "warning-paper"),
    ("success", "success-paper"),
    ("ink", "success-paper"),
    ("ink", "warning-paper"),
    ("muted", "success-paper"),
    ("muted", "warning-paper"),
    ("on-accent", "accent"),
    ("paper", "ink"),  # the toast
]


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read_on_every_paper(theme: str) -> None:
    colors = THEMES[theme]
    weak = {
        f"{ink} on {paper}": round(contrast(colors[ink], colors[paper]), 2)
        for ink, paper in TEXT_PAIRS
        if contrast(colors[ink], colors[paper]) < 4.5
    }

    assert weak == {}


@pytest.mark.parametrize("theme", THEMES)
def test_edges_of_controls_can_be_seen(theme: str) -> None:
    colors = THEMES[theme]

    assert contrast(colors["edge"], colors["paper"]) >= 3


def test_both_ways_to_dark_are_the_same_dark() -> None:
    assert THEMES["dark, as the system wishes"] == THEMES["dark, as chosen"]


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_templates_hold_nothing_a_strict_policy_refuses(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"<script(?![^>]*\bsrc=)", text), "inline script"
    assert not re.search(r"\sstyle=", text), "inline style"
    assert not re.search(r"\son\w+=", text), "inline handler"
    assert not re.search(r"(src|href)=\"https?:", text), "fetched from elsewhere"
    assert "|safe" not in text


def test_every_form_that_changes_something_carries_its_token() -> None:
    for path in TEMPLATES.glob("*.html"):
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", path.read_text(), re.DOTALL):
            if "data-send" in form:
                continue  # goes to an identity provider, who must not learn a token of ours
            assert "csrf" in form, path.name


def test_style_and_scripts_fetch_nothing() -> None:
    for path in STATIC.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text.replace("https:", "") or path.suffix == ".js", path.name
        assert not re.search(r"url\(|@import|//[a-z0-9-]+\.[a-z]", text), path.name
