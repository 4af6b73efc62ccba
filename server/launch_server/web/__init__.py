"""The HTTP side: routes, bodies, limits."""
