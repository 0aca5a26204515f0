"""Report phase: tables, figures, rendering."""
