class NobodyInDefault:
    """People are in the other database."""

    def allow_migrate(self, db, app_label, **_):
        return False if db == "default" and app_label == "town" else None
