"""Kinds of experiments: each has a module that measures, summarises and judges."""

from typing import Annotated

from pydantic import Field

from taskshare.evaluation.kinds.architecture import ArchitectureKind, ArchitectureSummary
from taskshare.evaluation.kinds.connections import ConnectionsKind, ConnectionsSummary
from taskshare.evaluation.kinds.convergence import ConvergenceKind, ConvergenceSummary
from taskshare.evaluation.kinds.costs import CostsKind, CostsSummary
from taskshare.evaluation.kinds.feature_maps import FeatureMapsKind, FeatureMapsSummary
from taskshare.evaluation.kinds.kind import Kind, Net
from taskshare.evaluation.kinds.landmarks import LandmarksKind, LandmarksSummary
from taskshare.evaluation.kinds.limits import LimitsKind, LimitsSummary
from taskshare.evaluation.kinds.removal import RemovalKind, RemovalSummary
from taskshare.evaluation.kinds.response_maps import ResponseMapsKind, ResponseMapsSummary
from taskshare.evaluation.kinds.tuning import TuningKind, TuningSummary

KINDS: dict[str, type[Kind]] = {
    "response_maps": ResponseMapsKind,
    "connections": ConnectionsKind,
    "removal": RemovalKind,
    "convergence": ConvergenceKind,
    "limits": LimitsKind,
    "landmarks": LandmarksKind,
    "feature_maps": FeatureMapsKind,
    "costs": CostsKind,
    "architecture": ArchitectureKind,
    "tuning": TuningKind,
}
"""By `kind` in params.yaml; tables are no kind of these."""
JUDGED = {kind.test: kind for kind in KINDS.values() if kind.test}
"""By `kind` of a claim's test in the plan."""

AnySummary = Annotated[
    ArchitectureSummary
    | ConnectionsSummary
    | ConvergenceSummary
    | CostsSummary
    | FeatureMapsSummary
    | LandmarksSummary
    | LimitsSummary
    | RemovalSummary
    | ResponseMapsSummary
    | TuningSummary,
    Field(discriminator="kind"),
]

__all__ = ["JUDGED", "KINDS", "AnySummary", "Kind", "Net"]
