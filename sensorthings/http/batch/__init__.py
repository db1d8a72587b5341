"""Batches: many requests in one, as JSON or as multipart, with atomic groups.

What lives here: reading batches, running their parts, rendering their answers. What does not: what a part
does; it is answered by the service as if it had come alone.

Source: OGC 18-088, clause 11.2 (requirements class "batch-request"); OData 4.01 Part 1, clause 11.7, and
OData JSON Format 4.01, clause 19 (JSON batches).
"""

from sensorthings.http.batch.requests import answer_batch

__all__ = ["answer_batch"]
