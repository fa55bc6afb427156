-- Compensation plans: what was done, and how far it is undone.

-- part: undo_columns
ordinal, key, task, visit, branch, child, state, carried_out_by, created_ms, ended_ms, arguments, error

-- part: undo_page
-- From the highest down. ?3 limit
ORDER BY ordinal DESC LIMIT ?3

-- part: undo_filters
-- Below ?2.  ?4 states, a JSON array; NULL: any
-- ?5 a task, and those inside it; NULL: any
instance = ?1 AND ordinal < ?2
      AND (?4 IS NULL OR state IN (SELECT value FROM json_each(?4)))
      AND (?5 IS NULL OR task = ?5 OR substr(task, 1, length(?5) + 1) = ?5 || '/')

-- name: undo_put
-- What has the same key was the same effect: it is replaced, and is the last one from now on.
-- ?1 instance  ?2 ordinal  ?3 key  ?4 task  ?5 visit  ?6 branch  ?7 child  ?8 state  ?9 now  ?10 ended
-- ?11 arguments  ?12 error
INSERT INTO compensation (instance, ordinal, key, task, visit, branch, child, state, created_ms, ended_ms, arguments,
                          error)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (instance, key) DO UPDATE SET
    ordinal = excluded.ordinal, task = excluded.task, visit = excluded.visit, branch = excluded.branch,
    child = excluded.child, state = excluded.state, carried_out_by = NULL, created_ms = excluded.created_ms,
    ended_ms = excluded.ended_ms, arguments = excluded.arguments, error = excluded.error;

-- name: undo_change
-- No row changed: there is none.
-- ?1 instance  ?2 ordinal  ?3 state  ?4 visit of what undoes it, NULL: as it is  ?5 ended  ?6 error, NULL: as it is
UPDATE compensation SET state = ?3, carried_out_by = coalesce(?4, carried_out_by), ended_ms = ?5,
                        error = coalesce(?6, error)
WHERE instance = ?1 AND ordinal = ?2;

-- name: undo
SELECT {undo_columns} FROM compensation
WHERE {undo_filters} {undo_page};

-- name: undo_left
-- Of those that are not over, which have an index.
SELECT {undo_columns} FROM compensation INDEXED BY compensation_left
WHERE ended_ms IS NULL AND {undo_filters} {undo_page};

-- name: undo_count
SELECT count(*) FROM compensation
WHERE {undo_filters};

-- name: undo_left_count
SELECT count(*) FROM compensation INDEXED BY compensation_left
WHERE ended_ms IS NULL AND {undo_filters};
