"""`virtctl`: one module per verb."""
