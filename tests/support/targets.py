"""Masses and momenta of targets."""

import numpy as np

ARGON, PROTON = 37.21554072, 0.93827208943


def target_momentum(points, E_nu, mass):
    """P in the frame of the points, from P.k = M E, P.q = -Q2/2 and P^2 = M^2."""
    E_k = np.asarray(points.k[0])
    P0 = (mass * E_nu - np.asarray(points.Q2) / 2) / (np.asarray(points.q[0]) + E_k)
    Pz = P0 - mass * E_nu / E_k
    PT = np.sqrt(np.maximum(P0**2 - Pz**2 - mass**2, 0.0))
    azimuth = np.asarray(points.hadron_azimuth)
    return np.stack([P0, PT * np.cos(azimuth), PT * np.sin(azimuth), Pz])
