"""What virtctl's verbs do to guests that really run, seen from inside them."""
