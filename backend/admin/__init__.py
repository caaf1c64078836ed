"""The operators' back office: users, audit, statistics, and what each operator may do."""
