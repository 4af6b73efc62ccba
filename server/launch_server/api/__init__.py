"""The GraphQL API: the schema, the engine that answers documents, and resolvers by noun."""
