"""Random input: what the mapping promises for every document, and what no input may do to a reader."""
