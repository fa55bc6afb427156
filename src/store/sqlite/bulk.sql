-- Bulk operations: what is wanted of many instances, how far it is, and what could not be done.

-- part: bulk_columns
id, request, actor, created_ms, epoch, state, cursor, page, counted, done, skipped, failed, node, leased_until,
       changed_ms, ended_ms, stopped_by

-- part: bulk_order
(created_ms, id) < (?1, ?2) ORDER BY created_ms DESC, id DESC LIMIT ?3

-- name: bulk_put
-- The first of its id. No row changed: there is one.
-- ?1 id  ?2 request  ?3 actor  ?4 created  ?5 epoch that was read  ?6 state  ?7 cursor  ?8 page  ?9 counted  ?10 done
-- ?11 skipped  ?12 failed  ?13 node  ?14 leased until  ?15 changed  ?16 ended  ?17 stopped by
INSERT INTO bulk ({bulk_columns})
VALUES (?1, ?2, ?3, ?4, ?5 + 1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
ON CONFLICT (id) DO NOTHING;

-- name: bulk_change
-- No row changed: it is another by now.
-- ?1 ... ?17 as above; what was wanted stays
UPDATE bulk SET epoch = ?5 + 1, state = ?6, cursor = ?7, page = ?8, done = ?10, skipped = ?11, failed = ?12,
                node = ?13, leased_until = ?14, changed_ms = ?15, ended_ms = ?16, stopped_by = ?17
WHERE id = ?1 AND epoch = ?5;

-- name: bulk_failure_put
-- ?1 bulk  ?2 number  ?3 instance  ?4 code  ?5 message
INSERT INTO bulk_failure (bulk, number, instance, code, message) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: bulk_get
-- ?1 id
SELECT {bulk_columns} FROM bulk WHERE id = ?1;

-- name: bulk_failures
-- ?1 bulk
SELECT instance, code, message FROM bulk_failure WHERE bulk = ?1 ORDER BY number;

-- name: bulks
-- Newest first, behind (?1 created, ?2 id). ?3 limit
SELECT {bulk_columns} FROM bulk INDEXED BY bulk_created WHERE {bulk_order};

-- name: bulks_at_work
-- The same of those that have something to do.
SELECT {bulk_columns} FROM bulk INDEXED BY bulk_work
WHERE (state = 'running' OR page IS NOT NULL) AND {bulk_order};
