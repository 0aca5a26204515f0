"""Sharing schemes, one a file."""
