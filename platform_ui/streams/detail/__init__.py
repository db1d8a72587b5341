"""The page of one stream app: where it is, what it does, its versions, its log."""
