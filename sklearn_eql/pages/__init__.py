"""Fitted estimators in HTML: what notebooks show of them, and reports."""
