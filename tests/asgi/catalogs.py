"""The sentences of the closing page, as they stand in the sources, and in their catalogs."""

import re
from io import BytesIO
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

import efface

PACKAGE = Path(efface.__file__).parent
METHODS = [("**/templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]
SAID = re.compile(r'{% efface_text "([^"]+)"')


def sentences():
    """Every sentence that is marked for translation, in the sources and in the templates."""
    return {message for place in ("asgi", "django", "live", "page") for message in _marked(place)}


def _marked(place):
    folder = PACKAGE / place
    if place == "django":
        for template in folder.rglob("*.html"):
            yield from SAID.findall(template.read_text())
    found = extract_from_dir(
        str(folder),
        METHODS if place == "asgi" else METHODS[1:],
        {"**/templates/**.html": {"newstyle_gettext": "true"}},
        keywords={"_": None, "translatable": None},
    )
    yield from (message for _, _, message, *_ in found)


def catalog(po):
    """The catalog in a .po file."""
    with po.open("rb") as file:
        return read_po(file)


def compiled(po):
    """A .po file as gettext reads it."""
    buffer = BytesIO()
    write_mo(buffer, catalog(po))
    return buffer.getvalue()
