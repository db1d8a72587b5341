"""Records as they pass and as they passed: browse, filter, export."""
