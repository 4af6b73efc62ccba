"""docs/chart-tests.md: counted in the sources, and taken from a run of all the chart's tests."""
