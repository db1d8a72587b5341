"""The recorder: fills the observation store from the topics of all systems, every record once."""
