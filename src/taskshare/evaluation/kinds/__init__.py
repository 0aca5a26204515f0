"""Kinds of experiments: for each one a module that measures, summarises and judges."""

from taskshare.evaluation.kinds.limits import LimitsKind
