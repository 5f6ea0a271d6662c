"""Training and measuring of the answer reader (`services/reading`)."""
