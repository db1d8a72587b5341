"""What was created or changed, for those who follow it: noted, read, forgotten."""
