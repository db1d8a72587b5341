"""What the service stores: tables, the declarative description of the entity types, times and areas."""
