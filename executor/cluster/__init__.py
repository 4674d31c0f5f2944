"""The node's agent with an API server in place of a folder: objects come from it, and their status goes back to it."""
