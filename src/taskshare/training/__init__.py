"""Training phase: batches, loop, checkpoints, devices."""
