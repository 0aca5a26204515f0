"""params.yaml as models: validated at the door, then expanded into runs.

Only pydantic, PyYAML and the standard library are imported here: the Snakefile reads this package in an environment
that holds nothing but Snakemake.
"""

from taskshare.config.data import GENERATED_OR_OFFICIAL, SPLITS, Dataset, Split, Synthetic, Variant
from taskshare.config.entry import Entry
from taskshare.config.experiments import (
    ALONE,
    SHARED,
    Architecture,
    Connections,
    Convergence,
    Costs,
    Experiment,
    FeatureMaps,
    Landmarks,
    Limits,
    Removal,
    ResponseMaps,
)
from taskshare.config.loading import explain, json_schema, load, validate
from taskshare.config.network import AnyNetwork, Network, Stitch, Transfer, VggNetwork
from taskshare.config.params import Params
from taskshare.config.run import SELECTIONS, Parent, Run, RunSpec, Selection, Start, Training
from taskshare.config.table import Metric, Table
from taskshare.config.tuning_grid import Setting, Tuning, trial_name

__all__ = [
    "ALONE",
    "GENERATED_OR_OFFICIAL",
    "SELECTIONS",
    "SHARED",
    "SPLITS",
    "AnyNetwork",
    "Architecture",
    "Connections",
    "Convergence",
    "Costs",
    "Dataset",
    "Entry",
    "Experiment",
    "FeatureMaps",
    "Landmarks",
    "Limits",
    "Metric",
    "Network",
    "Params",
    "Parent",
    "Removal",
    "ResponseMaps",
    "Run",
    "RunSpec",
    "Selection",
    "Setting",
    "Split",
    "Start",
    "Stitch",
    "Synthetic",
    "Table",
    "Training",
    "Transfer",
    "Tuning",
    "Variant",
    "VggNetwork",
    "explain",
    "json_schema",
    "load",
    "trial_name",
    "validate",
]
