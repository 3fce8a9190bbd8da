class NobodyInDefault:
    """People are in the other database."""

    def allow_migrate(self, db, app_label, **_):
        return False if db == "default" and app_label == "town" else None


class Here:
    """Every model is in the database of the test."""

    def __init__(self, alias):
        self.alias = alias

    def db_for_read(self, _model, **_hints):
        return self.alias

    db_for_write = db_for_read


class LettersElsewhere:
    """Letters are not in the database of the people."""

    def allow_migrate(self, db, app_label, model_name=None, **_):
        return db != "default" if (app_label, model_name) == ("town", "letter") else None


class WritesLettersElsewhere:
    """Letters have a table in each database, and are written to the other one."""

    def db_for_write(self, model, **_):
        return "postgresql" if model._meta.label == "town.Letter" else None


class ReadsFromAReplica:
    """People are read from the other database, and nothing is said about writing."""

    def db_for_read(self, _model, **_hints):
        return "postgresql"
