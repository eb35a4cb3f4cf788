"""Many points: sequences, tables, parts that are pure functions of (seed, index), clusters."""
