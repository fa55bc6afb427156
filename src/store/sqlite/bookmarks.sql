-- Bookmarks: what a step opens, changes and ends, and who looks for what is open.

-- part: bookmark_columns
b.kind, b.task, b.visit, b.key, b.assigned_to, b.candidates, b.message_type, b.due_at, b.payload,
       b.created_ms, b.ended_ms, b.consumed, b.ended_by, b.digest, b.priority, b.claimed_by, b.claimed_until

-- part: open_columns
{bookmark_columns},
       b.instance, i.namespace, i.name, i.version, i.token

-- part: open_filters
-- What a list lets through, whichever index it runs along; NULL: any.
-- ?7 limit  ?8 namespace  ?9 name  ?10 namespaces, a JSON array
(?8 IS NULL OR i.namespace = ?8) AND (?9 IS NULL OR i.name = ?9)
      AND (?10 IS NULL OR i.namespace IN (SELECT value FROM json_each(?10)))

-- part: open_of_kind
bookmark AS b INDEXED BY bookmark_kind CROSS JOIN instance AS i ON i.id = b.instance
WHERE {open_filters} AND b.ended_ms IS NULL
      AND (b.created_ms, b.instance, b.visit, b.key) > (?3, ?4, ?5, ?6)

-- name: bookmark_put
-- ?1 instance  ?2 visit  ?3 key  ?4 kind  ?5 task  ?6 assigned to  ?7 candidates  ?8 message type
-- ?9 due  ?10 payload  ?11 now  ?12 priority
INSERT INTO bookmark (instance, visit, key, kind, task, assigned_to, candidates, message_type, due_at,
                      payload, created_ms, priority)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12);

-- name: bookmark_end
-- No row: it is not open. The row tells whether it waited for messages (1) or for a person (2).
-- ?1 instance  ?2 visit  ?3 key  ?4 now  ?5 consumed  ?6 by  ?7 digest
UPDATE bookmark SET ended_ms = ?4, consumed = ?5, ended_by = ?6, digest = ?7
WHERE instance = ?1 AND visit = ?2 AND key = ?3 AND ended_ms IS NULL
RETURNING CASE kind WHEN 'external-message' THEN 1 WHEN 'user-action' THEN 2 ELSE 0 END;

-- name: bookmarks_end
-- Those that an instance leaves open at its end. ?1 instance  ?2 now
UPDATE bookmark INDEXED BY bookmark_open SET ended_ms = ?2 WHERE instance = ?1 AND ended_ms IS NULL;

-- name: bookmark_before
-- An open one that is to change: is it a person's, is it assigned as it will be, and where it is in lists.
-- ?1 instance  ?2 visit  ?3 key  ?4 assigned to
SELECT kind = 'user-action', assigned_to IS ?4, candidates, due_at, created_ms, priority FROM bookmark
WHERE instance = ?1 AND visit = ?2 AND key = ?3 AND ended_ms IS NULL;

-- name: bookmark_change
-- ?1 instance  ?2 visit  ?3 key  ?4 assigned to  ?5 claimed by  ?6 claimed until
UPDATE bookmark SET assigned_to = ?4, claimed_by = ?5, claimed_until = ?6
WHERE instance = ?1 AND visit = ?2 AND key = ?3 AND ended_ms IS NULL;

-- name: bookmark_person_put
-- The same person twice is one row.
-- ?1 who  ?2 rank  ?3 rank by its due date  ?4 its creation  ?5 instance  ?6 visit  ?7 key
INSERT INTO bookmark_person (who, rank, due_rank, created_ms, instance, visit, key)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT DO NOTHING;

-- name: bookmark_person_drop
-- ?1 instance  ?2 visit  ?3 key
DELETE FROM bookmark_person WHERE instance = ?1 AND visit = ?2 AND key = ?3;

-- name: bookmark_person_drop_all
-- ?1 instance that has ended
DELETE FROM bookmark_person WHERE instance = ?1;

-- name: bookmarks
-- ?1 instance
SELECT {bookmark_columns} FROM bookmark AS b WHERE b.instance = ?1 ORDER BY b.visit, b.key;

-- name: bookmarks_open
-- ?1 instance
SELECT {bookmark_columns} FROM bookmark AS b INDEXED BY bookmark_open
WHERE b.instance = ?1 AND b.ended_ms IS NULL ORDER BY b.visit, b.key;

-- name: bookmark_by_key
-- ?1 instance  ?2 key
SELECT {bookmark_columns} FROM bookmark AS b INDEXED BY bookmark_by_key
WHERE b.instance = ?1 AND b.key = ?2 ORDER BY b.visit DESC LIMIT 1;

-- name: open_kind
-- By age, behind (?3 created, ?4 instance, ?5 visit, ?6 key). ?11 kind
SELECT {open_columns} FROM {open_of_kind} AND b.kind = ?11
ORDER BY b.created_ms, b.instance, b.visit, b.key LIMIT ?7;

-- name: open_any
-- The same of every kind: four lists, merged.
SELECT {open_columns} FROM {open_of_kind} AND b.kind = 'user-action'
UNION ALL SELECT {open_columns} FROM {open_of_kind} AND b.kind = 'timer'
UNION ALL SELECT {open_columns} FROM {open_of_kind} AND b.kind = 'external-message'
UNION ALL SELECT {open_columns} FROM {open_of_kind} AND b.kind = 'child'
ORDER BY 10, 18, 3, 4 LIMIT ?7;

-- name: open_tasks
-- The most urgent first, behind (?1 rank, ?2 rank by its due date, ?3 created, ?4 instance, ?5 visit, ?6 key).
SELECT {open_columns} FROM bookmark AS b INDEXED BY bookmark_task CROSS JOIN instance AS i ON i.id = b.instance
WHERE {open_filters} AND b.ended_ms IS NULL AND b.kind = 'user-action'
      AND (b.rank, b.due_rank, b.created_ms, b.instance, b.visit, b.key) > (?1, ?2, ?3, ?4, ?5, ?6)
ORDER BY b.rank, b.due_rank, b.created_ms, b.instance, b.visit, b.key LIMIT ?7;

-- name: open_instance
-- Of one instance, in either order. ?11 kind, NULL: any  ?12 instance  ?13 who, a JSON array, NULL: any
-- ?14 the most urgent first, else by age
SELECT {open_columns} FROM bookmark AS b INDEXED BY bookmark_open CROSS JOIN instance AS i ON i.id = b.instance
WHERE b.instance = ?12 AND {open_filters} AND b.ended_ms IS NULL AND (?11 IS NULL OR b.kind = ?11)
      AND (?13 IS NULL OR EXISTS
           (SELECT 1 FROM bookmark_person AS p WHERE p.instance = b.instance AND p.visit = b.visit AND p.key = b.key
                                                     AND p.who IN (SELECT value FROM json_each(?13))))
      AND (?14 * b.rank, ?14 * b.due_rank, b.created_ms, b.instance, b.visit, b.key) > (?1, ?2, ?3, ?4, ?5, ?6)
ORDER BY ?14 * b.rank, ?14 * b.due_rank, b.created_ms, b.instance, b.visit, b.key LIMIT ?7;

-- name: open_person
-- Places in the list of one person, group or everybody, the most urgent first. ?11 who
SELECT p.rank, p.due_rank, p.created_ms, p.instance, p.visit, p.key
FROM bookmark_person AS p CROSS JOIN instance AS i ON i.id = p.instance
WHERE p.who = ?11 AND {open_filters}
      AND (p.rank, p.due_rank, p.created_ms, p.instance, p.visit, p.key) > (?1, ?2, ?3, ?4, ?5, ?6)
ORDER BY p.rank, p.due_rank, p.created_ms, p.instance, p.visit, p.key LIMIT ?7;

-- name: open_at
-- The one at such a place. ?1 instance  ?2 visit  ?3 key
SELECT {open_columns} FROM bookmark AS b CROSS JOIN instance AS i ON i.id = b.instance
WHERE b.instance = ?1 AND b.visit = ?2 AND b.key = ?3;

-- name: read_begin
-- Where a call reads more than once.
BEGIN;
