"""Django's models as a SQLAlchemy `MetaData`."""
