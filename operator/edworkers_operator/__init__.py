"""The operator: makes Deployments, ScaledObjects and CronJobs of WorkerPools."""
