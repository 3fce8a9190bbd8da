"""The demo on Django: a fresh garden, the story, and then the garden is yours.

python -m garden_django.demo          PORT=8000 HOST=127.0.0.1 ONCE=1 are optional
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from garden.demo_story import Story, StoryError, invite, say
from garden.server_thread import USUAL_PORT, bind_as_asked, serving


def main() -> int:
    """Run the demo and return its exit status."""
    with TemporaryDirectory(prefix="garden-") as folder:
        os.environ.update(
            GARDEN_DEV="1",
            GARDEN_URL="",
            GARDEN_PROFILE="",
            GARDEN_REDIS_URL="",
            GARDEN_DATABASE_URL=f"sqlite:///{Path(folder).resolve() / 'garden.db'}",
            DJANGO_SETTINGS_MODULE="garden_django.settings",
        )
        try:
            return run(os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT"))
        except KeyboardInterrupt:
            say("\nGoodbye.")
            return 0


def run(host: str, port: str | None) -> int:
    """Build the garden, tell the story, and serve on unless it is for once only."""
    try:
        bound = bind_as_asked(host, port)
    except (OSError, OverflowError, ValueError) as error:
        say(f"HOST={host} PORT={port or USUAL_PORT} cannot be used: {error}")
        return 1
    # The settings are known now.
    from garden_django.asgi import application  # noqa: PLC0415
    from garden_django.demo_internals import SiteInternals, prepare  # noqa: PLC0415

    prepare()
    try:
        with serving(application, bound) as server:
            address = f"http://127.0.0.1:{bound.getsockname()[1]}"
            Story(SiteInternals(), address, say).tell()
            if os.environ.get("ONCE") != "1":
                invite(address)
                server.thread.join()
    except StoryError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
