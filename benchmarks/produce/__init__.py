"""What `DigitalTwinClient.produce` costs beside the plain producer."""
