"""Estimators: parameters, checks of what users pass, and the fitted attributes that they read."""
