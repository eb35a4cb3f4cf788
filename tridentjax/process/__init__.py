"""One neutrino on one target: phase space, amplitudes, leptonic tables, kernels, cross sections."""
