"""Write locks on one asset or the whole archive, across processes (files) and machines (PostgreSQL)."""
