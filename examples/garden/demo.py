"""The demo: a fresh garden, the story, and then the garden is yours.

python -m garden.demo          PORT=8000 HOST=127.0.0.1 KEEP=1 ONCE=1 are optional
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from sqlalchemy import Engine, select, text

from efface import Plan, Receipt
from efface.sqlalchemy import include_closed
from garden.accounts.users import list_closed
from garden.app import create_app
from garden.database import utc_now
from garden.demo_story import Story, StoryError, invite, say
from garden.mailer import Mailbox
from garden.models import User
from garden.sample_data import ADA, ADA_ID, MEMBERS, plant
from garden.server_thread import USUAL_PORT, Server, bind_as_asked, serving
from garden.site_settings import Settings


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Run the demo and return its exit status."""
    with TemporaryDirectory(prefix="garden-") as folder:
        file = (Path() if environment.get("KEEP") == "1" else Path(folder)) / "garden.db"
        try:
            return run(file.resolve(), environment)
        except KeyboardInterrupt:
            say("\nGoodbye.")
            return 0


def run(file: Path, environment: Mapping[str, str]) -> int:
    """Build the garden in *file*, tell the story, and serve on unless it is for once only."""
    host = environment.get("HOST") or "127.0.0.1"
    try:
        bound = bind_as_asked(host, environment.get("PORT"))
    except (OSError, OverflowError, ValueError) as error:
        say(f"HOST={host} PORT={environment.get('PORT', USUAL_PORT)} cannot be used: {error}")
        return 1
    secret = "only for the demo, on this machine"
    app = create_app(Settings(f"sqlite:///{file}", secret, dev=True))
    try:
        prepare(app, file)
        with serving(app, bound) as server:
            address = f"http://127.0.0.1:{bound.getsockname()[1]}"
            tell(app, server, address)
            if environment.get("ONCE") != "1":
                invite(address)
                server.thread.join()
    except StoryError as error:
        say(str(error))
        return 1
    finally:
        app.state.engine.dispose()
    return 0


@dataclass
class SiteInternals:
    """What the story looks at behind the pages."""

    app: FastAPI
    server: Server

    @property
    def mailbox(self) -> Mailbox:
        """The mails that were sent."""
        return self.app.state.mailer

    def plan(self) -> Plan:
        """Return what closing Ada's account would do now."""
        with self.app.state.sessions() as session:
            return session.info["eraser"].plan(session, ADA_ID)

    def receipt(self) -> Receipt:
        """Return the receipt of her closing, when all is done that follows it."""
        self.server.wait_for(self.app.state.closing.wait_finalized())
        with self.app.state.sessions() as session:
            return session.info["eraser"].close_account(session, ADA_ID, actor="the story")

    def left(self) -> list[datetime]:
        """Return when people left."""
        with self.app.state.sessions() as session:
            return list_closed(session)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database itself, past all that hides closed accounts."""
        with self.app.state.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]


def tell(app: FastAPI, server: Server, address: str) -> None:
    """Tell the story, unless it has been told in this database."""
    if is_told(app):
        say(f"{ADA} has left this garden already; its story is told.")
    else:
        Story(SiteInternals(app, server), address, say).tell()


def prepare(app: FastAPI, file: Path) -> None:
    """Create the tables through the migrations, and let the community move in."""
    is_new = not file.exists()
    say(f"alembic upgrade head   {file}")
    upgrade(app.state.engine)
    if is_new:
        with app.state.sessions.begin() as session:
            plant(session, now=utc_now())
        say(f"  {MEMBERS} members with plots, posts, orders and invoices have moved in\n")


def upgrade(engine: Engine) -> None:
    """Run the migrations, and say which."""

    def applied(*, step: Any, **_: object) -> None:
        revision = step.up_revision
        say(f"  {revision.revision}  {revision.doc}")

    config = Config(Path(__file__).with_name("alembic.ini"))
    with engine.begin() as connection:
        config.attributes.update(connection=connection, on_version_apply=applied)
        command.upgrade(config, "head")


def is_told(app: FastAPI) -> bool:
    """Return whether Ada has left already; so it is after a run with KEEP=1."""
    with app.state.sessions() as session, include_closed():
        return session.scalars(select(User.deleted_at).where(User.id == ADA_ID)).one() is not None


if __name__ == "__main__":
    sys.exit(main())
