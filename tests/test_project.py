"""What holds for the project as a whole: sizes, names, imports, claims, packaging."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import run
from tests.support.installed_wheel import brought_along, built, required_by
from tests.support.paths import ROOT

PACKAGE = ROOT / "src" / "efface"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "examples").rglob("*.py"), ROOT / "run.py"])
TRACKED = [
    ROOT / name
    for name in subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    if name and (ROOT / name).is_file()
]
TEXTS = {".css", ".html", ".ini", ".js", ".mako", ".md", ".py", ".toml", ".txt", ".yaml", ""}
WRITTEN = [path for path in TRACKED if path.suffix in TEXTS]

# The extras for whoever uses Efface; the others are for the demo and for those who write it.
PROMISED = EXTRAS.keys() - {"bench", "demo", "dev", "ecosystem"}

HOSTS = {PACKAGE / name for name in ("alembic.py", "alembic", "asgi", "cli", "django")}

LONGEST_FILE = 400
# The tutorial is one page on purpose: its reader types it from top to bottom.
LIMITED = [
    path
    for path in TRACKED
    if path.suffix in {".css", ".js", ".md", ".py"} and path != ROOT / "docs" / "tutorial.md"
]
LONGEST_FUNCTION = 50


def parsed(path):
    return ast.parse(path.read_text(), str(path))


def imported_by(node):
    """The modules that one statement imports."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom):
        assert not node.level, "relative import"
        return [node.module]
    return []


def foreign(path):
    """Every package beyond the standard library that a file imports, wherever in it."""
    nodes = ast.walk(parsed(path))
    roots = {name.partition(".")[0] for node in nodes for name in imported_by(node)}
    return roots - sys.stdlib_module_names - {"efface"}


def at_once(path):
    """Of those, the ones that importing the file imports: none inside a function."""
    tree = parsed(path)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    names = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if id(node) not in inside
        for name in imported_by(node)
    }
    return names - sys.stdlib_module_names - {"efface"}


def own_extra(path):
    """What a module may import that has the name of an extra, as the broker over Redis."""
    return {canonicalize_name(Requirement(line).name) for line in EXTRAS.get(path.stem, ())}


# ---------------------------------------------------------------- sizes and names


def test_files_stop_at_400_lines():
    lines = {path: len(path.read_text().splitlines()) for path in {*LIMITED, *SOURCES}}

    assert Path(__file__) in lines
    assert {path: count for path, count in lines.items() if count > LONGEST_FILE} == {}


def test_functions_stop_at_50_lines():
    """Migrations apart: what one of them does to the schema is a list, and reads best whole."""
    functions = [
        (node.end_lineno - node.lineno + 1, f"{path}:{node.lineno} {node.name}")
        for path in SOURCES
        if path.parent.name != "versions"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert functions
    assert [name for length, name in functions if length > LONGEST_FUNCTION] == []


def test_no_module_is_named_after_nothing_in_particular():
    """A drawer without a label is where the second concept goes, and the third."""
    vague = {"base", "common", "handler", "handlers", "helper", "helpers", "manager", "managers"}
    vague |= {"misc", "service", "services", "util", "utils"}

    assert [path for path in TRACKED if path.suffix == ".py" and path.stem in vague] == []
    assert [path for path in TRACKED if vague & set(path.relative_to(ROOT).parts)] == []


# ---------------------------------------------------------------- what may import what


def test_the_core_imports_sqlalchemy_and_the_standard_library_alone():
    core = [path for path in PACKAGE.rglob("*.py") if not HOSTS & {path, *path.parents}]

    found = {path: at_once(path) - {"sqlalchemy"} - own_extra(path) for path in core}

    assert core
    assert {path: names for path, names in found.items() if names} == {}


def test_what_the_core_imports_on_demand_comes_with_an_extra():
    """Such as the package that writes TOML; without it one sentence names the extra."""
    core = [path for path in PACKAGE.rglob("*.py") if not HOSTS & {path, *path.parents}]
    extras = {Requirement(line).name.lower() for lines in EXTRAS.values() for line in lines}

    on_demand = set().union(*(foreign(path) - at_once(path) for path in core))

    assert on_demand - extras == set()


@pytest.mark.parametrize(
    ("host", "brings_along"),
    [("asgi", {"anyio", "markupsafe"}), ("alembic", set()), ("cli", set())],
)
def test_a_host_imports_what_its_extra_installs(host, brings_along):
    """*brings_along*: what Starlette and Jinja2 are themselves made of."""
    files = [*(PACKAGE / host).rglob("*.py"), *PACKAGE.glob(f"{host}.py")]
    extra = {canonicalize_name(Requirement(line).name) for line in EXTRAS[host]}

    assert files
    for path in files:
        assert foreign(path) <= extra | brings_along | {"sqlalchemy"}, path


def test_importing_efface_loads_no_framework_and_no_host():
    """A web worker that only closes accounts does not pay for what it does not use."""
    code = "import sys, efface; print(*sys.modules)"

    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())

    assert "efface" in loaded
    assert loaded & {"alembic", "fastapi", "itsdangerous", "jinja2", "starlette"} == set()
    assert loaded & {"rich", "tomlkit", "typer"} == set()
    assert loaded & {"efface.alembic", "efface.asgi", "efface.cli", "efface.sqlalchemy"} == set()


# ---------------------------------------------------------------- what is proven

# The behavior of the sample site, by section: registration and confirmation; log-ins; reset,
# settings, sudo; CSRF and sockets; closing; every flow met by a closed account.
CASES = {
    "REG": (1, 2, 4, 5, 6, 8),
    "CNF": (1, 2, 3, 4, 5),
    "LOG": (1, 2, 3, 4, 5, 6, 8, 10, 11, 13, 14, 16),
    "MAG": (1, 2, 3, 5),
    "RST": (1, 2, 3, 4),
    "SET": (1, 2, 3, 4, 5, 7),
    "SUD": (1, 2, 4),
    "CSR": (1, 2, 4, 5),
    "SOC": (1, 2, 4),
    "CLO": (1, 2, 3, 5, 7, 8, 9, 10, 12, 13, 15),
    "XCL": (1, 2, 3, 5, 6, 8, 10),
}
CASE_IDS = {f"{name}-{number:02}" for name, numbers in CASES.items() for number in numbers}


def cases_named_by(path):
    """The cases that the tests of a file say they prove."""
    marks = re.findall(r"mark\.cases\(([^)]*)\)", path.read_text())
    return {name for mark in marks for name in re.findall(r'"([^"]+)"', mark)}


def test_every_behavior_case_has_a_test_that_names_it_and_no_test_names_another():
    here = Path(__file__)
    tests = [path for path in TRACKED if path.suffix == ".py" and here.parent in path.parents]

    named = set().union(*(cases_named_by(path) for path in tests if path != here))

    assert named == CASE_IDS


# Collected as pytest does it, since many a test has its garden by way of other fixtures.
COLLECTED = """
import sys

import pytest

class Proven:
    def pytest_collection_finish(self, session):
        for item in session.items:
            place = getattr(item, "callspec", None) and item.callspec.params.get("place")
            for mark in item.iter_markers("cases"):
                print("proven", place[0] if place else "alone", *mark.args)

folders = ("tests/examples", "tests/browser")
sys.exit(pytest.main(["--collect-only", "-q", *folders], plugins=[Proven()]))
"""


@pytest.mark.slow
def test_every_behavior_case_is_proven_on_both_gardens():
    told = subprocess.check_output([sys.executable, "-c", COLLECTED], cwd=ROOT, text=True)

    proven = {"fastapi": set(), "django": set(), "alone": set()}
    for line in told.splitlines():
        if line.startswith("proven "):
            _, framework, *names = line.split()
            proven[framework] |= set(names)
    assert (CASE_IDS - proven["fastapi"], CASE_IDS - proven["django"]) == (set(), set())


# ---------------------------------------------------------------- what we say


@pytest.mark.parametrize(
    "claim",
    [
        r"\bGDPR[- ]complian(t|ce)\b",
        r"\bdeletes everything\b",
        r"\bhidden from every quer(y|ies)\b",
        r"\bguarantees? (compliance|anonymity)\b",
        r"\bfully anonymi[sz]ed\b",
    ],
)
def test_we_never_claim_more_than_a_library_can_keep(claim):
    said = [path for path in WRITTEN if path != Path(__file__)]

    assert ROOT / "README.md" in said
    assert [path for path in said if re.search(claim, path.read_text(), re.IGNORECASE)] == []


def test_no_file_names_the_host_of_a_package_registry():
    """Where packages come from is the business of whoever installs them."""
    hosts = re.compile(r"pypi[.]org|python[h]osted|registry[.]npm[j]s|deb[.]debian")

    assert [path for path in WRITTEN if hosts.search(path.read_text())] == []


# ---------------------------------------------------------------- what is installed


def test_the_commands_use_the_standard_library_alone():
    assert foreign(ROOT / "run.py") == set()


def test_the_commands_start_on_a_python_too_old_for_efface():
    """Otherwise its user reads a SyntaxError instead of which Python to install."""
    source = (ROOT / "run.py").read_text()

    assert ast.parse(source, feature_version=(3, 7)).body


def constraints(name="constraints.txt"):
    lines = (ROOT / name).read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(pin.name): version_of(pin) for pin in pins if applies(pin)}


def version_of(pin):
    ((operator, version),) = [(part.operator, part.version) for part in pin.specifier]
    assert operator == "=="
    return version


def applies(pin, python=f"{sys.version_info[0]}.{sys.version_info[1]}"):
    return pin.marker is None or pin.marker.evaluate({"python_version": python})


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-lowest.txt"])
def test_constraints_are_exact_versions_by_name(name):
    lines = (ROOT / name).read_text().splitlines()

    pins = [line for line in lines if not line.startswith("#")]

    assert pins == sorted(pins, key=str.lower)
    marker = r'; python_version (<|==|>=) "3[.]\d+"'
    assert [pin for pin in pins if not re.fullmatch(rf"[\w.-]+==[\w.]+({marker})?", pin)] == []


def test_each_python_that_is_promised_is_tested_with_a_django_that_is_promised():
    """A command for each, in a folder of its own: `make test-3.12`."""
    classifiers = [line.split(" :: ") for line in PROJECT["classifiers"]]
    pythons = [words[-1] for words in classifiers if words[-1].startswith("3.")]
    djangos = [words[-1] for words in classifiers if words[:2] == ["Framework", "Django"]]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line.startswith("Django==")]

    tested = {
        python: [version_of(pin) for pin in pins if applies(pin, python)] for python in pythons
    }

    assert list(run.PYTHONS) == [f"test-{python}" for python in pythons]
    assert [len(found) for found in tested.values()] == [1] * len(pythons)
    assert [found[0].rpartition(".")[0] for found in tested.values()] == djangos


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return built(tmp_path_factory.mktemp("wheel"))


def test_constraints_name_everything_that_is_installed(wheel):
    """What is not named here can change between two runs of the same commit."""
    names = brought_along(Requirement(f"efface[{','.join(EXTRAS)}]"), required_by(wheel))

    assert names >= {"sqlalchemy", "greenlet", "markupsafe"}
    assert names - constraints().keys() == set()


def test_what_is_promised_as_the_lowest_version_is_what_is_tested():
    pins = constraints("constraints-lowest.txt")
    hosts = (line for extra in PROMISED for line in EXTRAS[extra])
    promised = {
        canonicalize_name(requirement.name): Version(bound.version)
        for requirement in map(Requirement, [*PROJECT["dependencies"], *hosts])
        for bound in requirement.specifier
    }

    assert promised.keys() >= {"sqlalchemy", "starlette", "django"}
    assert {name: Version(pins[name]) for name in promised} == promised


def test_django_brings_along_no_other_web_framework(wheel):
    names = brought_along(Requirement("efface[django]"), required_by(wheel))

    assert names >= {"django", "sqlalchemy", "sqlparse"}
    assert names & {"alembic", "fastapi", "itsdangerous", "jinja2", "starlette"} == set()


def test_the_wheel_holds_every_file_of_the_package(wheel):
    """Templates, the page's script and py.typed are no modules, and easily left behind."""
    files = {
        path.relative_to(PACKAGE.parent).as_posix() for path in TRACKED if PACKAGE in path.parents
    }

    assert "efface/py.typed" in files
    assert files - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_every_lint_rule_that_is_off_says_why():
    text = (ROOT / "pyproject.toml").read_text()
    _, _, lint = text.partition("[tool.ruff.lint]")
    lint, _, _ = lint.partition("[tool.ruff.lint.flake8-bugbear]")

    rules = re.findall(r'^ +"[A-Z]+\d*",.*$', lint, re.MULTILINE)

    assert rules
    assert [rule for rule in rules if not re.search(r"# \S+ \S+", rule)] == []
