"""Data phase: sources, prepared arrays, resampling manifests."""
