"""From syntax trees to SQL: one statement for each read, its JSON built by Postgres."""
