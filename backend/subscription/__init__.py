"""Subscriptions: the calendar of periods, the states, and what an account may do now."""
