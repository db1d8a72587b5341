"""How long it takes to bring the access rules of a large installation to a broker, and to see all is well."""
