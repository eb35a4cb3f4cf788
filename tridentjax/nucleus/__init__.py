"""What is hit: nuclei and their form factors, nucleons, materials, and the regimes of scattering."""
