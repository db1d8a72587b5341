"""Spatial functions of queries: computed by PostGIS where it is installed, by shapely otherwise.

What lives here: which calls there are and whether they are right, geometries, values by id, and the SQL term
that stands for a call in a statement. What does not: the rest of an expression (`sensorthings.queries`),
which asks `Resolved.term` for each spatial call and puts the term's SQL in its place.

How it works, without PostGIS: before a statement is built, one statement reads the visible geometries that a
call may meet, shapely computes the call for each of them, and in the statement the call is a look-up by id.

Source: OGC 18-088, clause 9.3.3.5.2, table 23 (geospatial and spatial relationship functions).
"""
