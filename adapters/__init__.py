"""Bridges to other worlds, one folder each; siblings do not see each other."""
