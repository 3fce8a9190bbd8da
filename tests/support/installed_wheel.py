"""What installing the built wheel with an extra brings along, and a Python that has that alone."""

import sys
import venv
import zipfile
from email.parser import Parser
from importlib import metadata
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT


def built(folder):
    """Build the wheel into *folder* and return its path."""
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(path)


def required_by(wheel):
    """The lines with which a wheel says what it needs."""
    with zipfile.ZipFile(wheel) as content:
        (name,) = [name for name in content.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(content.read(name).decode()).get_all("Requires-Dist")


def brought_along(requirement, own, seen=None):
    """The names of all that *requirement* installs here; *own* is what Efface says it needs."""
    seen = set() if seen is None else seen
    name = canonicalize_name(requirement.name)
    wanted = {(name, extra) for extra in ("", *requirement.extras)} - seen
    seen |= wanted
    if wanted:
        for inner in map(Requirement, own if name == "efface" else needs(name)):
            extras = ("", *requirement.extras)
            if not inner.marker or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                brought_along(inner, own, seen)
    return {name for name, _ in seen} - {"efface"}


def needs(name):
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # an extra this environment was not asked for
        return []


def python_with(wheel, extra, folder):
    """Fill *folder* with the wheel and what *extra* brings along.

    Returns a command that runs Python with nothing else, and the environment it needs.
    """
    zipfile.ZipFile(wheel).extractall(folder)
    link_into(folder, f"efface[{extra}]", wheel)
    # -S: without the packages of the environment that runs the tests.
    return [sys.executable, "-S", "-s"], {"PYTHONPATH": str(folder)}


def environment_with(wheel, requirement, folder):
    """Make a virtual environment of *requirement*, such as ``efface[asgi]``, and nothing else.

    Returns the folder of its Python and of the script of the command `efface`.
    """
    venv.create(folder, symlinks=True)
    programs = Path(folder) / "bin"
    (packages,) = Path(folder).glob("lib/python*/site-packages")
    link_into(packages, requirement, wheel)
    # As pip does with a wheel of Python alone, and faster: there is one for each combination.
    zipfile.ZipFile(wheel).extractall(packages)
    (efface,) = metadata.distributions(name="efface", path=[str(packages)])
    for command in efface.entry_points.select(group="console_scripts"):
        code = (
            f"import sys\nfrom {command.module} import {command.attr}\nsys.exit({command.attr}())"
        )
        (programs / command.name).write_text(f"{code}\n")
    return programs


def link_into(folder, requirement, wheel):
    """Add what *requirement* brings along beside Efface itself."""
    for name in brought_along(Requirement(requirement), required_by(wheel)):
        found = metadata.distribution(name)
        for top in {file.parts[0] for file in found.files} - {"..", "__pycache__"}:
            (folder / top).symlink_to(found.locate_file(top))
