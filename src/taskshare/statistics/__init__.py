"""Pure functions over arrays and tables: metrics, intervals, verdicts, permutation tests. No file is opened here."""
