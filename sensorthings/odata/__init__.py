"""The query language of SensorThings (OData's): from the text of a URL to a tree, without any database."""
