"""The node agent and `virtctl`."""
