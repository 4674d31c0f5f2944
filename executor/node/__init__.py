"""Imperative acts on a node's guests: what virtctl's verbs do, apart from words and options."""
