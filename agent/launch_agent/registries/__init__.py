"""Image registries: who may pull from them. One file per kind; a cloud's own package is imported only where wanted."""
