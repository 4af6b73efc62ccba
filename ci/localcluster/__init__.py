"""The local clusters and the tools that tests run on: binaries, images, namespaces, processes."""
