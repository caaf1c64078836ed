"""HTTP of the back office: /v1/admin."""
