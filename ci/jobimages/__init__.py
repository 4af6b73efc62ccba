"""Images of test jobs, made from W&B's hashed SDK and a script, without a daemon."""
