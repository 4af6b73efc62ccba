"""Faults on purpose: a script of rules, decided purely, applied at the edge of our server or of a reverse proxy."""
