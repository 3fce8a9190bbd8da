"""Every page of the documentation: its links lead somewhere, its commands and pictures exist."""

import re
import runpy
import struct
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from efface.cli.app import app
from tests.support.documentation import blocks
from tests.support.paths import ROOT
from tests.support.readme_differences import README

URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
ADDRESS = URLS["Homepage"]
PICTURES = ROOT / "docs" / "pictures"
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
LARGEST_PICTURE = 120 * 1024


# ---------------------------------------------------------------- every page


def test_each_address_begins_with_the_one_of_the_project():
    """So that README works wherever it is shown, and one search finds what a move changes."""
    links = re.findall(r"\]\(([^)\s]+)\)|(https?:[^\s)]+)", README.read_text())

    for link in (*URLS.values(), *filter(None, (left or right for left, right in links))):
        assert link.startswith(ADDRESS), link
    for name in URLS.keys() - {"Source"}:
        assert (ROOT / URLS[name].removeprefix(ADDRESS)).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', page.read_text())

    for target in filter(None, (link or source for link, source in targets)):
        path, _, anchor = target.partition("#")
        if path.startswith(ADDRESS):
            there = ROOT / path.removeprefix(ADDRESS)
        else:
            there = (page.parent / path) if path else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


def test_the_index_lists_every_page():
    docs = ROOT / "docs"
    listed = re.findall(r"\]\(([^)#]+\.md)\)", (docs / "README.md").read_text())

    pages = {str(page.relative_to(docs)) for page in docs.rglob("*.md")}
    assert set(listed) == pages - {"README.md"}


def test_the_glossary_is_in_alphabetical_order_with_one_text_for_each_term():
    page = (ROOT / "docs" / "glossary.md").read_text()
    entries = re.findall(r"^### (.+)\n\n(.+(?:\n.+)*)\n", page, re.MULTILINE)
    terms = [term.replace("`", "").lower() for term, _ in entries]

    assert len(terms) == page.count("\n### ")
    assert terms == sorted(set(terms), key=alphabetical)


def alphabetical(term):
    """A term as a reader looks it up: signs do not count."""
    return re.sub(r"\W|_", "", term)


def test_commands_are_there():
    """The tutorial's are run by test_typed_tutorial.py."""
    targets = re.search(r"^COMMANDS = (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    commands = [
        line.removeprefix("$ ").partition("  ")[0].split()
        for page in PAGES
        if page.name != "tutorial.md"
        for language, code in blocks(page)
        if language == "console"
        for line in code.splitlines()
    ]

    assert ["make", "demo"] in commands
    for tool, *arguments in commands:
        assert tool in ("alembic", "efface", "git", "make", "pip", "python3")
        if tool == "make":
            assert set(arguments) <= set(targets.split())
        elif tool == "alembic":
            assert arguments[0] in ("check", "revision", "upgrade")
        elif tool == "efface":
            assert arguments[0] in get_command(app).commands
        elif tool == "pip":
            assert re.fullmatch(r'install (efface|"efface\[\w+(,\w+)*\]")', " ".join(arguments))
        elif tool == "git":
            assert arguments == ["clone", URLS["Source"], "&&", "cd", "efface"]
        else:
            assert (ROOT / arguments[0]).is_file()


def test_pictures_are_shown_and_load_fast():
    shown = {path.name for path in PICTURES.glob("*.png")}
    sizes = {path: path.stat().st_size for path in PICTURES.glob("*.png")}

    assert shown == {
        Path(found).name
        for page in PAGES
        for found in re.findall(r"pictures/[\w-]+\.png", page.read_text())
    }
    assert {path: size for path, size in sizes.items() if size > LARGEST_PICTURE} == {}


def measures(png):
    """Width and height of a picture."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


@pytest.mark.browser
def test_the_pictures_are_what_one_sees(browser_engine):
    """Fonts are the system's, so not to the dot: the same part of the same page, with its words."""
    script = runpy.run_path(str(ROOT / "docs" / "pictures.py"))
    expected = {
        "blocked": [
            "Before you can delete your account",
            "You are the last organizer of Herb spiral.",
        ],
        "phone": ["Keep my account", "Delete my account"],
        "german": ["Was gelöscht wird", "Was wir aufbewahren", "Mein Konto löschen"],
        "settings": ["Delete your account?", "Delete account"],
        "dialog": ["What will be deleted", "What we keep", "Keep my account", "Delete my account"],
        "goodbye": [
            "Your account has been deleted, and you've been logged out on all devices. Goodbye!"
        ],
    }
    seen = []

    def look(page, name):
        seen.append(name)
        for words in expected[name]:
            found = page.get_by_text(words, exact=True).locator("visible=true")
            box, window = found.bounding_box(), page.viewport_size
            assert box["y"] >= 0, words
            assert box["y"] + box["height"] <= window["height"], words
        assert measures(page.screenshot()) == measures((PICTURES / f"{name}.png").read_bytes())

    with script["garden"]() as address:
        script["meet_others"](browser_engine, address, look)
        script["leave"](browser_engine, address, look)

    assert seen == list(expected)


# ---------------------------------------------------------------- the architecture


def test_the_tree_is_the_tree():
    """Every folder of the package, and of Django's integration, has its line."""
    tree = next(code for _, code in blocks(ROOT / "ARCHITECTURE.md") if code.startswith("src/"))
    described, folder = set(), ""
    for inner, name in re.findall(r"^(│   )?[├└]── (\S+)/ +\S", tree, re.MULTILINE):
        folder = folder if inner else name
        described.add(f"{folder}/{name}" if inner else name)
    package = ROOT / "src" / "efface"
    command = ["git", "ls-files", "*.py"]
    tracked = subprocess.check_output(command, cwd=package, text=True).split()

    folders = {str(Path(name).parent) for name in tracked}
    # What Django itself looks for has the names that Django gives it.
    theirs = ("django/management", "django/migrations", "django/templatetags")
    inner = {each for each in folders if each.startswith("django/") and each not in theirs}
    expected = {each for each in folders if "/" not in each} | inner
    expected -= {".", "django/management/commands"}

    assert described == expected


def test_the_picture_of_layers_is_what_the_linter_checks():
    """import-linter holds the layers against the imports, and this the picture against them."""
    page = (ROOT / "ARCHITECTURE.md").read_text()
    picture = re.search(r"```text\n(sqlalchemy \| alembic.*?)```", page, re.DOTALL)[1]
    drawn = [re.split(r"\s{2,}", line)[0] for line in picture.splitlines()]

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c["layers"] for c in contracts["contracts"] if c["id"] == "stages")

    # A layer in brackets may be missing, as long as it has no work yet.
    assert drawn == [re.sub(r"[()]", "", layer) for layer in layers]
