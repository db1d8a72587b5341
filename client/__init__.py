"""The SDK for devices and the shared vocabulary of the whole house: the ground floor, below all rooms."""
