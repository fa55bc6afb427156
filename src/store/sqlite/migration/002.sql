-- Schema 2: what is published, what is old, and what was restored.

-- Generations of the stores that this one was restored from: what was asked for in them may have been done, under their keys.
CREATE TABLE past_generation (
    generation TEXT NOT NULL PRIMARY KEY CHECK (length(generation) = 32),
    ended_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What becomes of an event at each sink. The step that makes an event makes these rows, one for each sink that wants it. (The
-- table of schema 1 was never written.)
DROP TABLE outbox_delivery;
CREATE TABLE outbox_delivery (
    instance TEXT NOT NULL,
    step INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    sink TEXT NOT NULL CHECK (length(sink) BETWEEN 1 AND 64),
    partition INTEGER NOT NULL CHECK (partition BETWEEN 0 AND 63), -- of the instance
    state TEXT NOT NULL CHECK (state = 'pending' OR state = 'published' OR state = 'dead' OR state = 'discarded'),
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- that failed, since it was requeued
    requeued INTEGER NOT NULL DEFAULT 0 CHECK (requeued IN (0, 1)),
    next_at INTEGER CHECK (next_at >= 0), -- pending: not before; NULL: held back by an older one
    created_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    changed_by TEXT, -- who requeued or discarded it
    reason TEXT,
    error TEXT, -- of the last attempt that failed
    PRIMARY KEY (instance, step, ordinal, sink),
    FOREIGN KEY (instance, step, ordinal) REFERENCES outbox ON DELETE CASCADE,
    CHECK ((ended_ms IS NULL) = (state = 'pending')),
    CHECK (next_at IS NULL OR state = 'pending')
) STRICT, WITHOUT ROWID;
-- What is pending of an instance at a sink, and how much in all; what may be published; what failed.
CREATE INDEX outbox_pending ON outbox_delivery (sink, instance, step, ordinal, requeued, created_ms, state)
    WHERE state = 'pending';
CREATE INDEX outbox_due ON outbox_delivery (sink, next_at, instance, step, ordinal, requeued, partition)
    WHERE next_at IS NOT NULL;
CREATE INDEX outbox_dead ON outbox_delivery (created_ms, instance, step, ordinal, sink) WHERE state = 'dead';
CREATE INDEX outbox_failed ON outbox_delivery (created_ms, instance, step, ordinal, sink)
    WHERE state = 'dead' OR state = 'discarded' OR (state = 'pending' AND attempts > 0);

-- What is old. An instance with cleaned_ms is a tombstone: it has no state, and only its log is left. (The column is
-- behind the state, but to see that it is NULL needs only the head of the row.)
ALTER TABLE instance ADD COLUMN cleaned_ms INTEGER CHECK (cleaned_ms IS NULL OR ended_ms IS NOT NULL AND state = '');
CREATE INDEX instance_ended ON instance (ended_ms, id, created_ms) WHERE ended_ms IS NOT NULL AND cleaned_ms IS NULL;
CREATE INDEX instance_cleaned ON instance (ended_ms, id, created_ms) WHERE cleaned_ms IS NOT NULL;

-- The log of what has ended goes some day, oldest first; that of anything else never.
DROP TRIGGER step_is_never_deleted_alone;
CREATE TRIGGER step_is_never_deleted_alone BEFORE DELETE ON step
WHEN EXISTS (SELECT 1 FROM instance WHERE id = old.instance AND ended_ms IS NULL)
     OR EXISTS (SELECT 1 FROM fault WHERE instance = old.instance AND resolved_ms IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'the execution log is append-only: it goes with its instance, or when that has ended long ago');
END;
