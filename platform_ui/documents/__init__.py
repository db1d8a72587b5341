"""Descriptions of what the platform offers: OpenAPI and AsyncAPI, for people and machines."""
