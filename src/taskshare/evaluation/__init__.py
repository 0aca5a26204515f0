"""Evaluation phase: prediction, metrics, analyses."""
