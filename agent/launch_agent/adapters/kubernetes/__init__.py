"""The Kubernetes API: plain dictionaries in and out over urllib3, and the list-then-watch loop."""
