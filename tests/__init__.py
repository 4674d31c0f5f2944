"""The project's tests; a package so that every test can import ``tests.harness``."""
