"""Kernels folded with targets and fluxes: responses, rate ratios, events, distributions, comparisons."""
