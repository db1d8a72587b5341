"""Other forms of an answer than JSON: data arrays, CSV, GeoJSON (`$resultFormat`).

What lives here: which form was asked for and fits, what it needs to read, and writing it from the JSON of an
answer; pure. What does not: reading (`sensorthings.http.reads`).
"""
