-- Notifications that wait to be mailed, a mail a user. The platform inserts them; notification-batch mails and marks them.

CREATE TABLE edworkers.notification_batches (
    id text PRIMARY KEY,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    -- The last user of the batch where others wait after it; empty where it was the last batch.
    next_after text,
    sent_at timestamptz
);

COMMENT ON TABLE edworkers.notification_batches IS 'One row a job of notification-batch: what it claimed stays its own.';

CREATE TABLE edworkers.notifications (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL CHECK (length(user_id) BETWEEN 1 AND 200),
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 320),
    -- How the user is addressed; empty where that isn't known.
    name text NOT NULL DEFAULT '' CHECK (length(name) <= 200),
    kind text NOT NULL CHECK (length(kind) BETWEEN 1 AND 100),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    body text NOT NULL DEFAULT '' CHECK (length(body) <= 2000),
    -- Whoever doesn't want mails: such a row stays, and is never mailed.
    opted_out boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    batch_id text REFERENCES edworkers.notification_batches,
    sent_at timestamptz,
    CHECK (sent_at IS NULL OR batch_id IS NOT NULL)
);

COMMENT ON COLUMN edworkers.notifications.batch_id IS 'The batch that has claimed it; empty while it waits.';
COMMENT ON COLUMN edworkers.notifications.sent_at IS 'When it was marked sent, which is when its mail was on the queue email.';

CREATE INDEX notifications_waiting ON edworkers.notifications (user_id, id) WHERE batch_id IS NULL AND NOT opted_out;
CREATE INDEX notifications_of_batch ON edworkers.notifications (batch_id, user_id, id) WHERE batch_id IS NOT NULL;
