"""The other queues of the demo: documents, mails and tasks by the clock, each with an output that is looked at."""
