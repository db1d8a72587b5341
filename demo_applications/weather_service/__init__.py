"""The company is.iceland: two weather stations and the forecast service that listens to them."""
