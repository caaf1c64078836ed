"""What every domain stands on: settings, clock, money, errors, ids, log. No input or output."""
