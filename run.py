"""Run the project: demos, tests, lint, benchmarks; `--help` lists the commands.

Standard library only. Each command sets up what it needs in .venv, at the versions of
constraints.txt, and then runs; the second time it only runs. This file starts on any
Python 3, also one too old for Efface, and looks for a newer one.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
COMMAND = "".join(sys.argv[1:2])
PYTHONS = {"test-3.11": (3, 11), "test-3.12": (3, 12), "test-3.13": (3, 13)}
WANTED = PYTHONS.get(COMMAND)
# The lowest versions that pyproject.toml promises live in a folder of their own: .venv-lowest.
# So does each Python that is tested by its name.
SUFFIX = COMMAND[len("test") :] if COMMAND in ("test-lowest", *PYTHONS) else ""
VENV = os.path.join(ROOT, ".venv" + SUFFIX)
CONSTRAINTS = os.path.join(
    ROOT, "constraints{}.txt".format("-lowest" if SUFFIX == "-lowest" else "")
)
VENV_PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "efface-stamp.json")
OLDEST = (3, 11)
# The versions that constraints.txt was tried with come first.
NAMES = ("python3.13", "python3.12", "python3.11", "python3.14", "python3", "python")
# CI names here what it must not be without, as in EFFACE_TEST_REQUIRE=python3.12.
REQUIRED = os.environ.get("EFFACE_TEST_REQUIRE", "").replace(",", " ").split()

HOSTS = {"alembic", "asgi", "cli"}
EXTRAS = {
    "demo": HOSTS | {"demo"},
    "demo-django": HOSTS | {"demo", "django"},
    "demo-lobsters": {"postgresql"},
    "test": HOSTS | {"demo", "dev"},
    "test-all": HOSTS | {"demo", "dev", "ecosystem", "bench"},
    "test-lowest": HOSTS | {"demo", "dev"},
    "lint": HOSTS | {"dev"},
    "bench": HOSTS | {"demo", "bench"},
}
EXTRAS.update(dict.fromkeys(PYTHONS, EXTRAS["test"] | {"ecosystem"}))
PYTEST = ("-m", "pytest", "-n", "2")
QUICK = (*PYTEST, "-m", "not browser and not slow")
# The newest Python meets every quick test. The others meet what is another one there: Django, of
# which constraints.txt has the newest for each, and the closing itself.
DJANGO_AND_CLOSING = [
    (*PYTEST, "-m", "not browser", "tests/django"),
    (*QUICK, "tests/execute"),
]
# Import-linter has a script, whose first line breaks in a path with spaces, and no `-m`.
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
RUNS = {
    "demo": [("-m", "garden.demo")],
    "demo-django": [("-m", "garden_django.demo")],
    "demo-lobsters": [("-m", "benchmarks.demo_lobsters")],
    "test": [QUICK],
    "test-all": [PYTEST],
    # The quick tests meet every module; the others install the wheel at these versions.
    "test-lowest": [QUICK, (*PYTEST, "-m", "slow", "tests/test_installs.py")],
    "test-3.11": DJANGO_AND_CLOSING,
    "test-3.12": DJANGO_AND_CLOSING,
    "test-3.13": [QUICK, (*PYTEST, "-m", "slow and not browser", "tests/django")],
    "lint": [
        ("-m", "ruff", "check", "."),
        ("-m", "ruff", "format", "--check", "."),
        ("-m", "mypy"),
        ("-c", LINT_IMPORTS, "--no-logo"),
        # The slow one collects the tests of the gardens, which needs more than lint installs.
        ("-m", "pytest", "-q", "--noconftest", "-m", "not slow", "tests/test_project.py"),
    ],
    "bench": [("-m", "benchmarks")],
}
OFFLINE = re.compile(
    r"NewConnectionError|NameResolutionError|name resolution|ConnectTimeout|ProxyError"
    r"|Connection refused|Network is unreachable|Max retries exceeded",
)


class SetupError(Exception):
    """What is missing, in one sentence that says what to do."""


def main():
    """Set up what the command needs, then run it."""
    parser = argparse.ArgumentParser(description=__doc__, prog="run.py")
    parser.add_argument("command", choices=sorted([*RUNS, "test-pythons"]))
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="passed on, as in: test -k hide"
    )
    asked = parser.parse_args()
    if asked.command == "test-pythons":
        sys.exit(test_pythons(asked.arguments))
    try:
        set_up(EXTRAS[asked.command])
    except SetupError as error:
        sys.exit("\n" + str(error))
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The same command goes on from here.")
    sys.exit(run(RUNS[asked.command], asked.arguments))


def run(steps, arguments):
    """Run every step, also after one that fails, and return the exit status."""
    env = environment()
    *_, last = steps
    if steps == [last]:
        # In place of this process, so that Ctrl-C and signals reach the server alone.
        sys.stdout.flush()
        os.chdir(ROOT)
        os.execve(VENV_PYTHON, [VENV_PYTHON, *last, *arguments], env)  # noqa: S606 - our own Python
    failed = []
    for step in steps:
        name = "import-linter" if LINT_IMPORTS in step else " ".join(step[1:])
        say("--- " + name)
        if subprocess.call([VENV_PYTHON, *step, *arguments], cwd=ROOT, env=env):
            failed.append(name)
    if failed:
        say("\nNot clean: " + ", ".join(failed))
    return 1 if failed else 0


def test_pythons(arguments):
    """Run the tests of every Python but the one in use, and say at the end which was not here."""
    status, notes = 0, []
    for command, version in sorted(PYTHONS.items()):
        name = "python{}.{}".format(*version)
        if version == version_of(VENV_PYTHON):
            notes.append("{} is the one in use; make test-all runs on it.".format(name))
        elif find_pythons(version):
            say("--- " + command)
            status |= subprocess.call([sys.executable, __file__, command, *arguments])
        else:
            notes.append("Not tested: {} is neither on PATH nor with pyenv.".format(name))
            status |= name in REQUIRED
    say("\n".join(notes))
    return status


def environment():
    """Return the caller's environment without what would lead Python or pip elsewhere."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    env.pop("VIRTUAL_ENV", None)
    env.update(
        PATH=os.path.dirname(VENV_PYTHON) + os.pathsep + os.environ.get("PATH", os.defpath),
        PYTHONPATH=os.path.join(ROOT, "examples"),
        PYTHONUNBUFFERED="1",
        PIP_USER="0",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
    )
    return env


# ---------------------------------------------------------------- setting up


def set_up(extras):
    """Make .venv hold *extras*; a stamp of the same or more extras means it does."""
    key = key_of(version_of(VENV_PYTHON))
    if extras <= stamped(key):
        return
    if not has(VENV_PYTHON, "pip") or not fits(version_of(VENV_PYTHON), WANTED):
        make_venv()
        key = key_of(version_of(VENV_PYTHON))
    extras = extras | stamped(key)
    # Without a stamp, an interrupted install is an install that has to be done.
    if os.path.exists(STAMP):
        os.remove(STAMP)
    install(extras)
    with open(STAMP + ".new", "w") as file:
        json.dump({"key": key, "extras": sorted(extras)}, file)
    os.replace(STAMP + ".new", STAMP)


def key_of(version):
    """Return what an install depends on: the two files and the version of Python."""
    digest = hashlib.sha256(repr(version).encode())
    for path in (os.path.join(ROOT, "pyproject.toml"), CONSTRAINTS):
        with open(path, "rb") as file:
            digest.update(file.read())
    # A moved or copied folder needs a new install: the editable one names its path.
    digest.update(ROOT.encode())
    return digest.hexdigest()


def stamped(key):
    """Return the extras that were installed for *key*."""
    try:
        with open(STAMP) as file:
            stamp = json.load(file)
    except (OSError, ValueError):
        return set()
    return set(stamp["extras"]) if stamp.get("key") == key else set()


def install(extras):
    """Install the project, editable, with *extras*."""
    # Build backends come first and pinned: pip would fetch any other one, unpinned, each time.
    # Two of the packages that others wrote for Django come as source alone.
    foreign = ("setuptools", "setuptools_scm") if extras & {"bench", "ecosystem"} else ()
    pip("the build backend", "hatchling", *foreign)
    target = "{}[{}]".format(ROOT, ",".join(sorted(extras)))
    pip("Efface with " + ", ".join(sorted(extras)), "--no-build-isolation", "--editable", target)


def pip(what, *arguments):
    """Install, showing one line per package, or its last words when it fails."""
    say("Installing {} ...".format(what))
    command = [VENV_PYTHON, "-m", "pip", "install", "--no-input", "-c", CONSTRAINTS, *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        show_progress(lines)
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K")
    if process.wait() == 0:
        return
    if OFFLINE.search("\n".join(lines)):
        raise SetupError(
            "The packages could not be fetched, because the package index did not answer. "
            "When the network is back, run the same command again; it goes on from here."
        )
    raise SetupError("\n".join(lines[-15:]) + "\n\npip could not install {}.".format(what))


def show_progress(lines):
    """Name the package pip is at: rewriting one line on a terminal, every tenth elsewhere."""
    if not lines[-1].startswith("Collecting "):
        return
    count = sum(line.startswith("Collecting ") for line in lines)
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K  {:3} {}".format(count, lines[-1].split()[1]))
        sys.stdout.flush()
    elif count % 10 == 0:
        say("  {} packages so far".format(count))


# ---------------------------------------------------------------- finding Python


def make_venv():
    """Make .venv with the first Python that is new enough, whichever tool can."""
    pythons = find_pythons(WANTED)
    if not pythons and WANTED:
        raise SetupError("python{}.{} is neither on PATH nor with pyenv.".format(*WANTED))
    if not pythons:
        raise SetupError(
            "Efface needs Python 3.11 or newer, and none of {} on PATH is. "
            "Install one, for example with: apt-get install python3.11 python3.11-venv".format(
                ", ".join(NAMES)
            )
        )
    for python, version in pythons:
        for command in ways_to_make_venv(python):
            say("Making {} with Python {}.{} ...".format(os.path.basename(VENV), *version))
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            shutil.rmtree(VENV, ignore_errors=True)
            made = subprocess.call(command, cwd=ROOT, **quiet) == 0
            # Some tools leave pip out when they are offline.
            if made and has(VENV_PYTHON, "pip"):
                return
    python, version = pythons[0]
    shutil.rmtree(VENV, ignore_errors=True)
    raise SetupError(
        "{} cannot make virtual environments; install the package that lets it, "
        "for example with: apt-get install python{}.{}-venv".format(python, *version)
    )


def find_pythons(wanted=None):
    """Return the commands that run a Python new enough, or *wanted*, with versions, best first."""
    names = ["python{}.{}".format(*wanted)] if wanted else [name for name in NAMES if "." in name]
    paths = [shutil.which(name or "") for name in (sys.executable, *NAMES)]
    paths += [path for name in names for path in with_pyenv(name)]
    found = {}
    for path in filter(None, paths):
        version = version_of(path)
        if fits(version, wanted):
            found.setdefault(path, version)
    # A Python that has venv and pip at hand goes before one that needs a tool for it.
    return sorted(found.items(), key=lambda item: not has(item[0], "ensurepip", "venv"))


def with_pyenv(name):
    """Return the paths of the Pythons called *name* that pyenv keeps, if there is a pyenv."""
    versions = (output(["pyenv", "whence", name]) or "").split()
    prefixes = [output(["pyenv", "prefix", version]) for version in reversed(versions)]
    return [os.path.join(prefix.strip(), "bin", name) for prefix in prefixes if prefix]


def fits(version, wanted=None):
    """Tell whether a version of Python, or None, is *wanted*, or else new enough."""
    return bool(version) and (version == wanted if wanted else version >= OLDEST)


def ways_to_make_venv(python):
    """Return the commands that could make .venv on this machine, the usual one first."""
    ways = []
    if has(python, "ensurepip", "venv"):
        ways.append([python, "-m", "venv", VENV])
    if has(python, "virtualenv"):
        ways.append([python, "-m", "virtualenv", VENV])
    if shutil.which("virtualenv"):
        ways.append(["virtualenv", "--python", python, VENV])
    if shutil.which("uv"):
        ways.append(["uv", "venv", "--seed", "--python", python, VENV])
    return ways


def has(python, *modules):
    """Tell whether the Python at *python* runs and has *modules*."""
    return answers(python, "import " + ", ".join(modules)) is not None


def version_of(python):
    """Return (major, minor) of the Python at *python*, or None when it does not run."""
    answer = answers(python, "import sys; print(*sys.version_info[:2])")
    return tuple(int(part) for part in answer.split()) if answer else None


def answers(python, code):
    """Return what *code* prints, or None: a shim can be on PATH for a Python that is not there."""
    return output([python, "-I", "-c", code])


def output(command):
    """Return what *command* prints, or None when it fails or is not there."""
    try:
        return subprocess.check_output(command, stderr=subprocess.DEVNULL).decode()
    except (OSError, subprocess.CalledProcessError):
        return None


def say(line):
    """Print at once, also into a pipe."""
    print(line)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
