"""The report's contents paper by paper."""

from collections.abc import Mapping
from dataclasses import dataclass

from taskshare.config import Connections, Entry, Params, Table
from taskshare.evaluation import tables
from taskshare.evaluation.final_alpha import Transfer, transfer
from taskshare.evaluation.kinds.analysis import Analysis, analyses
from taskshare.evaluation.names import Group, by_paper
from taskshare.evaluation.published import Published, published_tables
from taskshare.evaluation.results import Results
from taskshare.evaluation.training_curves import Curves, all_curves


@dataclass(frozen=True)
class Section:
    """What one paper, or the user's own experiments, have in the report."""

    group: Group[str]
    tables: list[tables.ComparisonTable]
    curves: list[Curves]
    transfers: list[Transfer]
    analyses: list[Analysis]

    @property
    def id(self) -> str:
        """Part of its anchors."""
        return self.group.id

    @property
    def heading(self) -> str:
        """The paper's authors and year."""
        return self.group.heading

    @property
    def short(self) -> str:
        """Its name in the navigation."""
        return self.group.short

    @property
    def trained(self) -> bool:
        """Whether it has a part in the chapter on training."""
        return bool(self.tables or self.transfers)


def sections(
    params: Params,
    results: Results,
    published: Mapping[str, Published],
    compared: Mapping[str, tables.ComparisonTable],
) -> list[Section]:
    """Return what is shown of each paper, and of the user's own experiments, which stand last.

    What several of them share, as the training curves of the same rows, stands in the first one.

    Args:
        params: The configuration.
        results: What has been run.
        published: The papers' numbers by experiment.
        compared: The tables of all enabled experiments.
    """
    shown, connections = params.enabled(Table), params.enabled(Connections)
    printed = published_tables(published)
    folded = {name for name, item in printed.items() if item.fold_curves}
    labels = {name: table.columns for name, table in compared.items()}
    curves = all_curves(params, shown, labels, results, folded)
    connected = dict.fromkeys(item.run for item in connections.values())
    transfers = {run: heat for run in connected if (heat := transfer(params, run, results))}
    measured = analyses(params, results, published)
    found = []
    for group in by_paper(params.enabled(Entry), str):
        own = {name: item for name, item in shown.items() if name in group.items}
        runs = [item.run for name, item in connections.items() if name in group.items]
        found.append(
            Section(
                group=group,
                tables=[compared[name] for name in own],
                curves=[item for item in curves if item.experiments[0] in own],
                transfers=[transfers.pop(run) for run in runs if run in transfers],
                analyses=[item for item in measured if item.id in group.items],
            )
        )
    return found
