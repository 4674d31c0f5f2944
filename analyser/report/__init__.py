"""What an import says about itself: a table, report.json and report.html."""
