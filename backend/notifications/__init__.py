"""Telling customers what happened to their accounts."""
