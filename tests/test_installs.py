"""Each `pip install` line of README, the documentation and the messages is enough for its page.

The wheel is installed with the extras that a line names and with nothing else. What is named is
collected from the texts, so a new line is tested without a change here.
"""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.clean_installs import IMPORTING, PROGRAMS
from tests.support.installed_wheel import brought_along, built, environment_with, required_by
from tests.support.paths import DOCS, ROOT

PACKAGE = ROOT / "src" / "efface"
README = ROOT / "README.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
}
# The extra of a module and of all modules in it; the others need none.
EXTRAS = {
    "efface.alembic": "alembic",
    "efface.asgi": "asgi",
    "efface.cli": "cli",
    "efface.django": "django",
    "efface.live.redis": "redis",
}
# No extra brings these packages: who uses the module has them.
FOREIGN = {
    "efface.django.channels": "channels",
    "efface.django.simplejwt": "djangorestframework-simplejwt",
}
# From a clone it is a dot in the place of the name.
NAMED = re.compile(r'(?:\befface|"\.)\[([\w,]+)\]')
OTHERS = re.compile(r'pip install "efface\[\w+\]" +# or (.+)')
BLOCK = re.compile(r"^```(?:python|diff)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def named_in(text):
    """The combinations of extras that a text names; after "or", each by itself."""
    words = {word for line in OTHERS.findall(text) for word in re.findall(r"\w+", line)}
    named = {frozenset(names.split(",")) for names in NAMED.findall(text)}
    return named | {frozenset([extra]) for extra in words & PROJECT["optional-dependencies"].keys()}


def named_in_messages():
    """The ones of messages: in their text, or passed to the error that has the text."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        found |= named_in(path.read_text())
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MissingExtraError":
                found.add(frozenset([ast.literal_eval(node.args[1])]))
    return found


EXAMPLES = [path for path in (ROOT / "examples").rglob("*") if path.suffix in {".md", ".py"}]
COMBINATIONS = sorted(
    {frozenset()}.union(
        named_in_messages(), *(named_in(path.read_text()) for path in [*PAGES, *EXAMPLES])
    ),
    key=sorted,
)


def requirement(extras):
    return f"efface[{','.join(sorted(extras))}]" if extras else "efface"


def extra_of(module):
    """What a module needs, or None."""
    return next((EXTRAS[each] for each in EXTRAS if f"{module}.".startswith(f"{each}.")), None)


def module_of(name):
    """The module that a dotted name is in."""
    while name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def public_modules():
    """The ones that README and the pages name."""
    texts = [path.read_text() for path in PAGES]
    return sorted(
        {module_of(name) for text in texts for name in re.findall(r"\befface(?:\.\w+)*", text)}
    )


PUBLIC = public_modules()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return built(tmp_path_factory.mktemp("wheel"))


# ---------------------------------------------------------------- the texts


def test_the_combinations_are_found_and_there_are_such_extras():
    extras = frozenset().union(*COMBINATIONS)

    assert {frozenset(), frozenset(["asgi"]), frozenset(["alembic", "asgi"])} <= set(COMBINATIONS)
    assert extras <= PROJECT["optional-dependencies"].keys()
    assert extras == PROGRAMS.keys() - {""}
    assert {"efface.sqlalchemy", "efface.asgi.csrf", *EXTRAS} - {"efface.cli"} <= set(PUBLIC)


def imports_of(page):
    """The modules that the code of a page imports: as modules of Efface, and as packages."""
    code = "\n".join(BLOCK.findall(page.read_text()))
    names = re.findall(r"^[ +]?(?:from|import) ([\w.]+)", code, re.MULTILINE)
    roots = {name.partition(".")[0] for name in names}
    return {name for name in names if name in MODULES}, roots - sys.stdlib_module_names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_what_its_code_imports(page, wheel):
    """An extra of Efface, or the package of another project by its name."""
    text = page.read_text()
    # The guides for Django continue the first of them.
    lines = text + (DOCS / "how-to" / "django.md").read_text() * page.stem.startswith("django-")
    extras = frozenset().union(*named_in(lines))
    installed = brought_along(Requirement(requirement(extras)), required_by(wheel))
    words = {canonicalize_name(word) for word in re.findall(r"[\w-]+", BLOCK.sub("", text))}
    packages = metadata.packages_distributions()

    modules, roots = imports_of(page)

    assert {extra_of(module) for module in modules} - {None} <= extras
    for root in roots & packages.keys() - {"efface"}:
        names = {canonicalize_name(name) for name in packages[root]}
        assert names & (installed | words), f"{page.name} imports {root}"


# ---------------------------------------------------------------- without an installation

# Hides the packages that the first argument names.
ABSENT = """
import sys

absent = set(sys.argv.pop(1).split(","))


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent())
"""


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["", *sorted(EXTRAS.values())])
def test_a_module_imports_nothing_that_its_extra_does_not_bring_along(extra, wheel):
    """What others import for it counts too, such as greenlet for SQLAlchemy's asyncio part."""
    installed = brought_along(Requirement(requirement([extra] * bool(extra))), required_by(wheel))
    absent = {
        package
        for package, names in metadata.packages_distributions().items()
        if not {canonicalize_name(name) for name in names} & {*installed, "efface"}
    }
    modules = sorted(m for m in MODULES - FOREIGN.keys() if extra_of(m) == (extra or None))
    command = [sys.executable, "-c", ABSENT + IMPORTING, ",".join(sorted(absent)), *modules]

    said = json.loads(subprocess.check_output(command, text=True))

    assert "greenlet" in absent
    assert modules
    assert said == {}


# ---------------------------------------------------------------- with one


class Installed:
    """A folder to work in, and an environment that has one combination of extras."""

    def __init__(self, wheel, extras, folder):
        self.folder = folder / "work"
        self.folder.mkdir()
        self.programs = environment_with(wheel, requirement(extras), folder / "environment")

    def write(self, files):
        """Write files into the folder."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run(self, program, *arguments):
        """Run Python, or another program of the environment."""
        script = [] if program == "python" else [self.programs / program]
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run(
            [self.programs / "python", *script, *arguments],
            cwd=self.folder,
            env={**env, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )


def output_of(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


def missing(module, extras):
    """What pip has to install before *module* can be imported, or None."""
    extra = extra_of(module)
    if extra not in {None, "cli", *extras}:  # only the command needs what `cli` brings along
        return f'"efface[{extra}]"'
    return FOREIGN.get(module)


@pytest.mark.slow
@pytest.mark.parametrize("extras", COMBINATIONS, ids=requirement)
def test_what_a_line_installs_is_enough(extras, wheel, tmp_path):
    installed = Installed(wheel, extras, tmp_path)

    said = json.loads(output_of(installed.run("python", "-c", IMPORTING, *PUBLIC)))
    for extra in ("", *sorted(extras)):
        installed.write(PROGRAMS[extra].files)
        for command, printed in PROGRAMS[extra].commands:
            assert printed in output_of(installed.run(*command))

    expected = {module: line for module in PUBLIC if (line := missing(module, extras))}
    assert said.keys() == expected.keys()
    for module, line in expected.items():
        (feature, needed) = said[module].split(" needs ")
        assert module.startswith(feature)
        missed, _, advice = needed.partition(". ")
        assert re.fullmatch(r"\w+|packages that are not installed", missed)
        assert re.fullmatch(rf"Install (it|them): pip install {re.escape(line)}", advice)


@pytest.mark.slow
def test_the_command_without_its_extra_is_one_sentence(wheel, tmp_path):
    installed = Installed(wheel, frozenset(), tmp_path)

    refused = installed.run("efface", "--help")

    assert refused.returncode == 2
    _, sentence, address = refused.stderr.splitlines()
    assert sentence.endswith(
        'needs packages that are not installed. Install them: pip install "efface[cli]"'
    )
    assert address.endswith("/errors.md#e603")
