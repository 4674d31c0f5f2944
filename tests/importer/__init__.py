"""An import from the outside and its parts."""
