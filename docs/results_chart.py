"""Draws docs/results.svg from the table of results in README.md: `python docs/results_chart.py`."""

import re
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

PROJECT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (.*?) ?\| (.+?) \| ([\d.]+) ± ([\d.]+) \| ([\d.]+|–) \|$", re.MULTILINE)


def rows() -> list[tuple[str, str, float, float, float | None]]:
    """Return table, network, our mean, half the width of its interval, and the published mean, all in percent."""
    found, table = [], ""
    for named, network, mean, half, published in ROW.findall((PROJECT / "README.md").read_text(encoding="utf-8")):
        table = named or table
        found.append((table, network, float(mean), float(half), None if published == "–" else float(published)))
    return found


def main() -> None:
    """Draw a panel for each table: our mean with its interval, and the published mean."""
    drawn = rows()
    tables = list(dict.fromkeys(table for table, *_ in drawn))
    mpl.rcParams["svg.hashsalt"] = "taskshare"
    figure = Figure(figsize=(8, 2.8), layout="constrained")
    panels = figure.subplots(
        len(tables), sharex=True, height_ratios=[sum(row[0] == table for row in drawn) for table in tables]
    )
    for axes, table in zip(panels, tables, strict=True):
        of_table = [row for row in drawn if row[0] == table]
        for place, (_, _, mean, half, published) in enumerate(of_table):
            axes.errorbar(mean, place, xerr=half, fmt="o", color="#00695c", capsize=3, label="ours, 95 % interval")
            if published is not None:
                axes.plot(published, place, "D", color="#9e9e9e", label="published")
        axes.set_yticks(range(len(of_table)), [network for _, network, *_ in of_table])
        axes.set_ylim(len(of_table) - 0.5, -0.5)
        axes.set_title(table, loc="left", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", alpha=0.3)
    handles, labels = panels[-1].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique.keys(), loc="outside right upper", frameon=False, fontsize=8)
    panels[-1].set_xlabel("mean, percent")
    figure.savefig(PROJECT / "docs" / "results.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
