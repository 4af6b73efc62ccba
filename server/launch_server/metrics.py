"""What the server counts, for Prometheus and for tests."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.unknown_operations = Counter(
            "launch_server_unknown_operations",
            "GraphQL documents that ask for what this server does not have",
            ["operation"],
            registry=self.registry,
        )
        self.operations = Counter(
            "launch_server_operations", "GraphQL documents answered", ["operation", "outcome"], registry=self.registry
        )
        self.items = Counter("launch_server_items", "Events of queue items", ["event"], registry=self.registry)
        self.seconds = Histogram(
            "launch_server_graphql_seconds", "Time to answer one GraphQL document", registry=self.registry
        )

    def unknown_count(self) -> int:
        """How many documents asked for what this server does not have."""
        samples = [sample for metric in self.unknown_operations.collect() for sample in metric.samples]
        return int(sum(sample.value for sample in samples if sample.name.endswith("_total")))
