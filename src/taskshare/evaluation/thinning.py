"""Curves of as many points as a picture can show."""

import numpy as np
import pandas as pd

POINTS_PER_LINE = 60


def thin_out(table: pd.DataFrame, points: int = POINTS_PER_LINE) -> pd.DataFrame:
    """Return at most `points` rows, evenly spaced, the first and the last among them."""
    if len(table) <= points:
        return table
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, points).round().astype(int))]
