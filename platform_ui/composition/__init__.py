"""What the composition root puts together: routes, ports, and the work in the background."""
