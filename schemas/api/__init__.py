"""Our own spec and status fields, typed: one file for each kind; ``kinds.KINDS`` lists them all."""
