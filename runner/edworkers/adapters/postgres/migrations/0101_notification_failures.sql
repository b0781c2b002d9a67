-- A notification whose address can't be right is never mailed and says why; and its name may be left out, as NULL too.

ALTER TABLE edworkers.notifications ALTER COLUMN name DROP NOT NULL;
ALTER TABLE edworkers.notifications ADD COLUMN failure text CHECK (failure IS NULL OR sent_at IS NULL);

COMMENT ON COLUMN edworkers.notifications.failure IS
    'Why it can''t be mailed. To have it mailed, correct the email, and set batch_id and failure to NULL.';
