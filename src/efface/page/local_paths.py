"""Accept only paths on this site."""

from __future__ import annotations

_LONGEST = 2048


def is_local_path(path: object) -> bool:
    """Tell whether *path* is a path on this site that a browser cannot misread.

    Browsers drop tabs and newlines and read a backslash as a slash, so they take a slash followed
    by one of these for another site. Only printable ASCII passes.
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
    """Return *path* if it is a path on this site.

    Raises:
        ValueError: *path* is something else. The message names the setting *name*.
    """
    if not is_local_path(path):
        raise ValueError(f'{name} is not a path on this site. Use a path such as "/users/log_out".')
    return path
