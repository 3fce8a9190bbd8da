"""The demo: a new garden, the story of a deleted account, and then a site to try.

python -m garden.demo          PORT=8000 HOST=127.0.0.1 KEEP=1 ONCE=1 are optional
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
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
from garden.demo_process import run_demo
from garden.demo_story import Story, StoryError, invite, say
from garden.groups import find_member
from garden.mailer import Mailbox
from garden.models import User
from garden.sample_data import ADA, ADA_ID, MEMBERS, plant
from garden.server_thread import USUAL_PORT, Server, bind_as_asked, serving
from garden.site_settings import Settings


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Run the demo and return its exit status."""

    def run_in(folder: Path) -> int:
        file = (Path() if environment.get("KEEP") == "1" else folder) / "garden.db"
        return run(file.resolve(), environment)

    return run_demo(run_in)


def run(file: Path, environment: Mapping[str, str]) -> int:
    """Build the garden in *file*, tell the story, and go on serving unless ONCE=1."""
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
                invite(address, *logins(app))
                server.ended.wait()
    except StoryError as error:
        say(str(error))
        return 1
    finally:
        app.state.engine.dispose()
    return 0


@dataclass
class SiteInternals:
    """The site's internals, which the story compares with its pages."""

    app: FastAPI
    server: Server

    @property
    def mailbox(self) -> Mailbox:
        """The emails that the site has sent."""
        return self.app.state.mailer

    def plan(self) -> Plan:
        """Return what closing Ada's account would do now."""
        with self.app.state.sessions() as session:
            return session.info["eraser"].plan(session, ADA_ID)

    def receipt(self) -> Receipt:
        """Wait until her account closure is finalized, and return its receipt."""
        self.server.wait_for(self.app.state.closing.wait_finalized())
        with self.app.state.sessions() as session:
            return session.info["eraser"].close_account(session, ADA_ID, actor="the story")

    def left(self) -> list[datetime]:
        """Return when members deleted their accounts."""
        with self.app.state.sessions() as session:
            return list_closed(session)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Query the database directly, so that no filter hides closed accounts."""
        with self.app.state.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]


def tell(app: FastAPI, server: Server, address: str) -> None:
    """Tell the story, unless an earlier run has told it in this database."""
    if is_told(app):
        say(f"{ADA} deleted her account in an earlier run, so the story is over.")
    else:
        Story(SiteInternals(app, server), address, say).tell()


def prepare(app: FastAPI, file: Path) -> None:
    """Run the migrations, and add the sample data to a new database."""
    is_new = not file.exists()
    say(f"alembic upgrade head   {file}")
    upgrade(app.state.engine)
    if is_new:
        with app.state.sessions.begin() as session:
            plant(session, now=utc_now())
        say(f"  added {MEMBERS} members with plots, posts, orders and invoices\n")


def logins(app: FastAPI) -> tuple[str | None, str | None]:
    """Return the login to try, and one whose account has a blocker."""
    with app.state.sessions() as session:
        found = [find_member(session, is_blocked=is_blocked) for is_blocked in (False, True)]
    free, blocked = (member.email if member else None for member in found)
    return free, blocked


def upgrade(engine: Engine) -> None:
    """Run the migrations, and print their names."""

    def applied(*, step: Any, **_: object) -> None:
        revision = step.up_revision
        say(f"  {revision.revision}  {revision.doc}")

    config = Config(Path(__file__).with_name("alembic.ini"))
    with engine.begin() as connection:
        config.attributes.update(connection=connection, on_version_apply=applied)
        command.upgrade(config, "head")


def is_told(app: FastAPI) -> bool:
    """Return whether Ada has deleted her account, in an earlier run with KEEP=1."""
    with app.state.sessions() as session, include_closed():
        return session.scalars(select(User.deleted_at).where(User.id == ADA_ID)).one() is not None


if __name__ == "__main__":
    sys.exit(main())
