"""Django's databases as the engine sees them: connection, migrations, missing tables, sessions."""
