"""W&B's GraphQL API: transport, operations, batches (protocol section 3)."""
