"""From a queue's manifest to the object that is created: small functions, each ``(body, facts) → body``, none in place.

`core/manifest.py` has their order. Protocol 7.3 says what W&B does; reference/where-not-to-follow says where not.
"""
