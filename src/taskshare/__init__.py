"""Which features should tasks share? A rerun of two multi-task learning papers, from raw images to a report."""

__version__ = "0.1.0"
