"""The Elasticsearch sink: a million records into an index, crashed on the way, counted and compared."""
