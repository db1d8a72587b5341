"""The editor of stream apps: what a statement would do, whether it may, and a trial on recent records."""
