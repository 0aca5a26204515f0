"""Training phase: batches, loop, checkpoints, history, provenance."""
