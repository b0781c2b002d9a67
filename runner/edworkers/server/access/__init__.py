"""Who may do what: API keys for programs, and for people OIDC, a proxy's headers, or this machine alone."""
