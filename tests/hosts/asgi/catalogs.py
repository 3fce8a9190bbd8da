"""The sentences of the closing page, as they stand in the sources, and in their catalogs."""

from io import BytesIO
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

import efface.asgi

ASGI = Path(efface.asgi.__file__).parent
METHODS = [("**/templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]


def sentences():
    """Every sentence that is marked for translation, in the sources and in the templates."""
    found = extract_from_dir(
        str(ASGI),
        METHODS,
        {"**/templates/**.html": {"newstyle_gettext": "true"}},
        keywords={"_": None, "mark": None},
    )
    return {message for _, _, message, *_ in found}


def catalog(po):
    """The catalog in a .po file."""
    with po.open("rb") as file:
        return read_po(file)


def compiled(po):
    """A .po file as gettext reads it."""
    buffer = BytesIO()
    write_mo(buffer, catalog(po))
    return buffer.getvalue()
