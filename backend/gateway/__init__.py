"""Forward authentication: a proxy asks for each request whether it may pass, and the request is metered by that."""
