"""Statements that make new records: joined sources, computed columns.

Lives here: ``derivation`` (the compiled statement that the engine calls), ``streams`` (what each source
contributes: which records, read into what, under which join key), ``times`` (event time), ``emission`` (the
code that judges joined records and writes results). Does not live here: joining (``streamhub.join``),
filters that forward records as they are (``execution``).
"""
