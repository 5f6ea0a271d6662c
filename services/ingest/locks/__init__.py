"""Who may change the archive, and one asset of it: one at a time, across processes and machines."""
