"""Training of the question's side of the sentence encoder."""
