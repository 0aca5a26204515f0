"""How often the crossed interval holds the truth: the table of docs/statistics.md."""

import argparse

from taskshare import seeds
from taskshare.statistics.simulation import Design, coverage

SEEDS = (3, 5, 10)
SPREADS = (0.0, 0.5, 1.0, 2.0, 4.0)
DESIGNS = {
    "1": {"images": (1, 1), "persons": 2000},
    "1 to 20": {"images": (1, 20)},
    "20": {"images": (20, 20)},
    "1 to 20, 4 % positives": {"images": (1, 20), "positives": 0.04},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10_000, help="draws of nets and test set for each number")
    replicates = parser.parse_args().replicates
    print("| Images a person | Seeds |", " | ".join(f"{spread:g}" for spread in SPREADS), "|")
    print("|---|---|" + "---|" * len(SPREADS))
    for name, options in DESIGNS.items():
        for count in SEEDS:
            found = []
            for spread in SPREADS:
                generator = seeds.generator(0, "coverage", name, count, str(spread))
                found.append(coverage(Design(seeds=count, seed_spread=spread, **options), replicates, generator))
            print(f"| {name} | {count} |", " | ".join(f"{100 * share:.1f}" for share in found), "|", flush=True)


if __name__ == "__main__":
    main()
