"""The terms of our texts: pages, messages, the texts of the closing page, public docstrings."""

import ast
import re

from tests.support.paths import ROOT

SOURCE = ROOT / "src" / "efface"
PAGES = [
    *(page for page in sorted(ROOT.glob("*.md")) if page.name != "CHANGELOG.md"),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
]
MODULES = sorted(SOURCE.rglob("*.py"))
TEMPLATES = sorted([*SOURCE.rglob("*.html"), *SOURCE.rglob("*.po")])

# What we do not write, and what we write instead.
INSTEAD = {
    r"closings|(a|an|any|each|every|its|no|one|that|this|which) closing": "account closure",
    r"doors?": "query",
    r"(un)?decided|undecidable|decisions?": "has a rule, has no rule",
    r"(un)?settle[sd]?|settling|second pass": "finalize, post-commit pass",
    r"due|left unfinished": "pending, unfinished",
    r"farewells?|letters?(?! (and|or) digits)|partings?": "confirmation email, goodbye page",
    r"(the|a|its) key of (a|the) (person|user|eraser)": "primary key, secret",
    r"generic pairs?": "generic foreign key",
    r"markers?(?!:)": "rule",
    r"(log|sign)-(in|out)s?|sign(ed|s|ing)? (in|out)": "login, log in, logout, log out",
    r"mend(s|ed|ing)?": "fix",
    r"live sockets?": "WebSocket",
    r"start page": "home page",
    r"e-mails?": "email",
    r"stock users?": "built-in User",
    r"somebody|nobody|whoever|anybody|everybody": "the user, you",
    r"one's|oneself": "your own",
    r"anew|for good|save for": "again, permanently, except",
    r"is told|are told|is asked|are asked": "an active verb: who tells or asks",
}
WORDS = re.compile(
    "|".join(rf"(?P<w{number}>\b({words})\b)" for number, words in enumerate(INSTEAD)),
    re.IGNORECASE,
)
FENCED = re.compile(r"^```.*?^```$|^    .*$", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"``.+?``|`[^`]+`|\]\([^)]+\)|https?:\S+", re.DOTALL)
MARKUP = re.compile(r"<[^>]*>|\{[%{#].*?[%}#]\}", re.DOTALL)


def used(text):
    """The words of the list that a text uses, each with what to write instead."""
    return [
        f"{found[0]}: {list(INSTEAD.values())[int(found.lastgroup[1:])]}"
        for found in WORDS.finditer(QUOTED.sub(" ", text))
    ]


def docstrings(tree):
    """Docstrings of a module and of its public names, with the nodes that have them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and not getattr(node, "name", "").startswith("_"):
                yield re.sub(r"^    .*$", "", text, flags=re.MULTILINE) if "::" in text else text


def messages(tree):
    """The strings of a module that are sentences: no docstrings, no names, no SQL."""
    skipped = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            is_sentence = node.value.strip().count(" ") > 1
            if is_sentence and id(node) not in skipped:
                yield node.value


def offending(texts_by_path):
    """Each file with words of the list, and what to write instead."""
    found = {
        str(path.relative_to(ROOT)): [word for text in texts for word in used(text)]
        for path, texts in texts_by_path
    }
    return {path: words for path, words in found.items() if words}


def test_pages_use_the_terms():
    assert offending((page, [FENCED.sub("", page.read_text())]) for page in PAGES) == {}


def test_messages_and_docstrings_use_the_terms():
    trees = ((module, ast.parse(module.read_text())) for module in MODULES)

    assert offending((path, [*docstrings(tree), *messages(tree)]) for path, tree in trees) == {}


def test_texts_of_the_page_use_the_terms():
    shown = (
        (path, [re.sub(r"^#.*$", "", MARKUP.sub(" ", path.read_text()), flags=re.MULTILINE)])
        for path in TEMPLATES
    )

    assert offending(shown) == {}
