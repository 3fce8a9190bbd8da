"""The differences in README, applied to the files that its reader already has."""

import re

from tests.support.paths import ROOT

README = ROOT / "README.md"
DIFFERENCE = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STEP = re.compile(r"^@@ (\d)\. (\S+): .+ @@\n((?:[ +-].*\n)+)", re.MULTILINE)


def django_and_fastapi():
    """The two differences, in the order of the page."""
    return DIFFERENCE.findall(README.read_text())


def applied(difference, files):
    """*files* after each step; every one of them is changed, and no other."""
    steps = STEP.findall(difference)
    assert STEP.sub("", difference) == ""
    assert [int(number) for number, *_ in steps] == [*range(1, len(steps) + 1)]
    assert {name for _, name, _ in steps} == files.keys()
    changed = dict(files)
    for _, name, lines in steps:
        # An empty line stands for what README leaves out in between.
        for part in re.split(r"^ \n", lines, flags=re.MULTILINE):
            changed[name] = _changed(changed[name], part)
    return changed


def added_lines(difference):
    """Every line that the reader adds."""
    return [line for line in difference.splitlines() if line.startswith("+")]


def _changed(text, part):
    """Put in the lines after those they follow; imports first, and others last."""
    before, after = (
        "".join(line[1:] for line in part.splitlines(keepends=True) if line[0] in kept)
        for kept in (" -", " +")
    )
    if before:
        assert text.count(before) == 1
        return text.replace(before, after)
    return after + text if after.startswith("from ") else text + after
