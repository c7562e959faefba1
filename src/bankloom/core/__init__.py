"""Know nothing of our tables: settings, database, keys, errors, logs, clock."""
