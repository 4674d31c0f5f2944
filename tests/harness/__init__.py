"""What tests need that is not a test: real servers, built and started here."""
