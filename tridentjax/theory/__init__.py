"""Couplings of the lepton current: what a theory predicts for one channel at one K2, before any experiment."""
