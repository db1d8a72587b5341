"""The OpenAPI document of the service, made from the description of the entities.

What lives here: schemas, parameters, paths, and the document they make. What does not: serving what it
describes.

Source: OpenAPI Specification 3.1.0.
"""

from sensorthings.http.openapi.document import document

__all__ = ["document"]
