"""Stream apps: statements that carry records from one system to another."""
