"""Plug-in for flavour scans that work in NumPy; importing it starts no JAX."""

from tridentjax.host.constraint import Severity, TridentConstraint, TridentResult
from tridentjax.host.inputs import EXTRA, TridentInputs
from tridentjax.host.ratio import count_invalid, folded_experiments, trident_ratio
from tridentjax.host.table import trident_ratio_grid, trident_ratio_table

__all__ = [
    "EXTRA",
    "Severity",
    "TridentConstraint",
    "TridentInputs",
    "TridentResult",
    "count_invalid",
    "folded_experiments",
    "trident_ratio",
    "trident_ratio_grid",
    "trident_ratio_table",
]
