"""The demo on Django: a new garden, the story of a deleted account, and then a site to try.

python -m garden_django.demo          PORT=8000 HOST=127.0.0.1 ONCE=1 are optional
"""

import os
import sys
from pathlib import Path

from garden.demo_process import run_demo
from garden.demo_story import Story, StoryError, invite, say
from garden.server_thread import USUAL_PORT, bind_as_asked, serving


def main() -> int:
    """Run the demo and return its exit status."""
    return run_demo(run)


def run(folder: Path) -> int:
    """Build the garden in *folder*, tell the story, and go on serving unless ONCE=1."""
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT")
    try:
        bound = bind_as_asked(host, port)
    except (OSError, OverflowError, ValueError) as error:
        say(f"HOST={host} PORT={port or USUAL_PORT} cannot be used: {error}")
        return 1
    os.environ.update(
        GARDEN_DEV="1",
        GARDEN_URL="",
        GARDEN_PROFILE="",
        GARDEN_REDIS_URL="",
        GARDEN_DATABASE_URL=f"sqlite:///{folder / 'garden.db'}",
        DJANGO_SETTINGS_MODULE="garden_django.settings",
    )
    # Django reads the settings when these modules are imported.
    from garden_django.asgi import application  # noqa: PLC0415
    from garden_django.demo_internals import (  # noqa: PLC0415
        SiteInternals,
        finish,
        logins,
        prepare,
    )

    try:
        prepare()
        with serving(application, bound) as server:
            address = f"http://127.0.0.1:{bound.getsockname()[1]}"
            Story(SiteInternals(), address, say).tell()
            if os.environ.get("ONCE") != "1":
                invite(address, *logins())
                server.ended.wait()
    except StoryError as error:
        say(str(error))
        return 1
    finally:
        finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
