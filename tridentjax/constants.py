"""Physical constants in natural units (GeV), each with the edition it was taken from.

A likelihood must not change when a dependency updates its particle table, so the numbers live here.
"""

G_F = 1.1663788e-5  # Fermi constant [GeV^-2], PDG 2024 (recalled; CODATA 2022 lists 1.1663787)
ALPHA_EM = 1.0 / 137.035999177  # alpha(0), CODATA 2022: the photon is almost real, so no running
SIN2_THETA_W = 0.23122  # MSbar at M_Z, PDG; low-energy 0.2386 and on-shell 0.2223 are other schemes

MASS_W = 80.362  # [GeV], PDG 2026 table
MASS_Z = 91.1879  # [GeV], PDG 2026 table
MASS_Z_INPUT = 91.1876  # [GeV], LEP average (PDG 2000-2022): electroweak input of the Randall-Sundrum matching
PLANCK_MASS = 1.2209e19  # [GeV], full Planck mass: default curvature k of the warped space

HBARC = 0.1973269804593025  # [GeV fm], SI exact
GEV2_TO_CM2 = 0.3893793721e-27  # 1 GeV^-2 in cm^2, (hbar c)^2, SI exact

# four-fermion coefficients of (nubar g_a P_L nu)(lbar g^a P_X l) [GeV^-2] with one-loop electroweak corrections,
# MSbar at 2 GeV with four quark flavours: R. J. Hill, O. Tomalak, Phys. Lett. B 805 (2020) 135466 (recalled, not
# looked up; that the first two differ by 2 sqrt2 G_F, as a charged current must, is tested)
ONE_LOOP_LEFT_OWN = 2.39818e-5  # nu_a with its own lepton l_a, +- 0.00033e-5
ONE_LOOP_LEFT_OTHER = -0.90084e-5  # nu_a with l_b, +- 0.00032e-5
ONE_LOOP_RIGHT = 0.76911e-5  # either, +- 0.00060e-5

# charged-lepton masses [GeV]: CODATA 2022 for e and mu, PDG 2026 table for tau
MASS_E = 0.00051099895069
MASS_MU = 0.1056583755
MASS_TAU = 1.77693
LEPTON_MASS = {"e": MASS_E, "mu": MASS_MU, "tau": MASS_TAU}

# nucleons: masses [GeV] and magnetic moments [nuclear magnetons], CODATA 2022
MASS_PROTON = 0.93827208943
MASS_NEUTRON = 0.93956542194
MU_PROTON = 2.79284734463
MU_NEUTRON = -1.91304276

AVOGADRO = 6.02214076e23  # [1/mol], SI exact; 1/(u in g) is the same number to 1e-9 (CODATA 2022)
