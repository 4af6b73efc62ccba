"""One outside thing each: W&B's API, the Kubernetes API. No decisions; they fetch, perform and repeat."""
