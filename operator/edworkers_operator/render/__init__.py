"""Makes the objects of Kubernetes of a pool, one file a kind.

Only what the API server keeps as it is written is rendered, nothing empty and no value in two forms: whatever differs
in the cluster has then been changed by someone.
"""
