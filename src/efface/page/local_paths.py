"""Paths that lead back into this site, and nowhere else."""

from __future__ import annotations

_LONGEST = 2048


def is_local_path(path: object) -> bool:
    """Tell whether *path* is a path on this site that a browser cannot misread.

    Browsers drop tabs and newlines and read a backslash as a slash, so a slash and
    one of these are another site to them. Only printable ASCII passes.
    """
    return (
        isinstance(path, str)
        and len(path) <= _LONGEST
        and path.startswith("/")
        and not path.startswith("//")
        and "\\" not in path
        and all("!" <= character <= "~" for character in path)
    )


def require_local_path(name: str, path: str) -> str:
    """Return *path*, or refuse a value that would lead off this site.

    Raises:
        ValueError: *path* is not a path on this site; the message names the setting.
    """
    if not is_local_path(path):
        raise ValueError(
            f'{name} leads off this site or is not a path. Use a path such as "/users/log_out".'
        )
    return path
