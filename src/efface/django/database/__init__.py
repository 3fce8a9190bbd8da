"""Connect the engine to Django's databases: connections, migrations, missing tables, sessions."""
