"""What flows now: rates of topics and apps, and the map of them."""
