"""Ways to install the chart, each by a name that says what is meant by it."""

from typing import Any

EXTERNAL: dict[str, Any] = {
    "bundled": {"enabled": False},
    "external": {"addresses": ["redis.example.internal:6380"]},
}

CASES: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "an external Redis without a password": {"redis": EXTERNAL},
    "an external Redis with all there is": {
        "redis": {
            "existingSecret": "redis-login",
            "existingSecretKey": "word",
            "bundled": {"enabled": False},
            "external": {
                "addresses": ["[2001:db8::7]:6380"],
                "database": 3,
                "username": "jobs",
                "tls": True,
            },
        }
    },
    "Sentinel": {
        "redis": {
            "password": "of all three",
            "bundled": {"enabled": False},
            "external": {"mode": "sentinel", "addresses": ["a.example:26379", "b.example:26379"], "master": "main"},
        }
    },
    "a cluster": {
        "redis": {
            "existingSecret": "redis-login",
            "bundled": {"enabled": False},
            "external": {"mode": "cluster", "addresses": ["a.example:6379", "b.example:6379"]},
        }
    },
    "namespaced": {"operator": {"watchNamespaces": ["jobs", "school"]}},
    "as little as can be": {
        "keeper": {"enabled": False},
        "redis": EXTERNAL,
        "webhook": {"existingSecret": "webhook-secret"},
        "pools": {name: {"enabled": False} for name in ("ai", "document", "email", "scheduled", "webhook")},
        "crd": {"upgrade": False},
        "rbac": {"create": False},
        "serviceAccount": {"create": False, "name": "made-elsewhere"},
        "networkPolicy": {"enabled": False},
        "operator": {"replicas": 1, "podDisruptionBudget": {"enabled": False}},
    },
    "everything": {
        "image": {"registry": "images.example/school", "pullSecrets": [{"name": "images"}], "pullPolicy": "Always"},
        "operator": {
            "image": {"tag": "1.2.3"},
            "replicas": 3,
            "podLabels": {"team": "platform"},
            "podAnnotations": {"note": "operator"},
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "jobs", "operator": "Exists"}],
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": {"matchLabels": {"team": "platform"}},
                }
            ],
            "priorityClassName": "system-cluster-critical",
            "env": [{"name": "EDWORKERS_RESYNC_SECONDS", "value": "60"}],
        },
        "runner": {"image": {"digest": f"sha256:{'0' * 64}"}},
        "documents": {"image": {"tag": "1.2.3"}},
        "storage": {"existingSecret": "storage"},
        "smtp": {"existingSecret": "smtp"},
        "database": {"existingSecret": "neon", "existingSecretKey": "url"},
        "keeper": {"replicas": 2, "podLabels": {"team": "platform"}, "podAnnotations": {"note": "keeper"}},
        "redis": {
            "password": "s3cret",
            "bundled": {
                "persistence": {"storageClass": "fast", "size": "10Gi"},
                "podLabels": {"team": "platform"},
                "podAnnotations": {"note": "redis"},
            },
        },
        "gemini": {"apiKey": "a-key"},
        "webhook": {"secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"},
        "networkPolicy": {
            "redisClients": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "api"}}}]
        },
        "metrics": {
            "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
            "serviceMonitor": {"enabled": True},
        },
        "monitoring": {
            "runbookUrl": "https://wiki.example/runbooks",
            "dashboards": {"enabled": True, "annotations": {"grafana_folder": "edworkers"}},
            "rules": {
                "enabled": True,
                "labels": {"release": "prometheus"},
                "alertLabels": {"team": "platform"},
                "disabled": ["EdworkersRedisDown", "EdworkersRedisNearlyFull"],
            },
        },
        "pools": {
            "mine": {"enabled": True, "spec": {"queue": "mine", "handlers": "my.handlers", "image": "mine:1"}},
        },
    },
}
