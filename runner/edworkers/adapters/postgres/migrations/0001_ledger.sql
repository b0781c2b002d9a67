-- What became of jobs, and what went wrong; written by runners, at least once, so that the key tells the second time.

CREATE TABLE edworkers.jobs (
    queue text NOT NULL,
    id text NOT NULL,
    finished_at timestamptz NOT NULL,
    type text,
    outcome text NOT NULL CHECK (outcome IN ('done', 'buried', 'cancelled')),
    attempts integer NOT NULL,
    queued_at timestamptz,
    started_at timestamptz,
    seconds double precision,
    job_group text,
    error_kind text,
    error_message text,
    PRIMARY KEY (queue, id, finished_at)
);

CREATE INDEX jobs_finished_at ON edworkers.jobs (finished_at);

CREATE TABLE edworkers.errors (
    queue text NOT NULL,
    id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    type text,
    kind text NOT NULL,
    message text NOT NULL,
    traceback text,
    attempts integer NOT NULL,
    data jsonb,
    PRIMARY KEY (queue, id, occurred_at)
);

CREATE INDEX errors_occurred_at ON edworkers.errors (occurred_at);
