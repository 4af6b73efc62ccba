"""An image of W&B's own agent (PyPI), for tests that run it by our chart."""
