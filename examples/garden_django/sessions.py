"""Log-ins in the database, each with its member."""

from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from garden_django.models import Session


class SessionStore(DatabaseStore):
    """Writes beside each session whose it is."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        session: Session = super().create_model_instance(data)
        session.user_id = int(data["_auth_user_id"]) if "_auth_user_id" in data else None
        return session
