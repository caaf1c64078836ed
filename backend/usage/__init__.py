"""Usage: counters that decide, events that prove, holds that set aside. It is told the window and knows no plan."""
