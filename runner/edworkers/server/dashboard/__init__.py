"""The dashboard: pages for people, rendered on the server, that work without JavaScript and are live with it."""
