-- Tokens and whom they stand for; commands under a key, remembered for a day.

-- part: principal_columns
id, name, digest, roles, group_names, note, created_by, created_ms, expires_ms, revoked_ms, revoked_by

-- name: principal_put
-- No row changed: the id or the digest is there.
-- ?1 id  ?2 name  ?3 digest  ?4 roles  ?5 groups  ?6 note  ?7 created by  ?8 now  ?9 expires  ?10 revoked  ?11 by
INSERT INTO principal (id, name, digest, roles, group_names, note, created_by, created_ms, expires_ms, revoked_ms,
                       revoked_by)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT DO NOTHING;

-- name: principal_revoke
-- Again: as it was. No row changed: there is none.
-- ?1 id  ?2 by  ?3 now
UPDATE principal SET revoked_by = CASE WHEN revoked_ms IS NULL THEN ?2 ELSE revoked_by END,
                     revoked_ms = coalesce(revoked_ms, ?3)
WHERE id = ?1;

-- name: principal_get
-- ?1 digest
SELECT {principal_columns} FROM principal WHERE digest = ?1;

-- name: principals
SELECT {principal_columns} FROM principal INDEXED BY principal_name ORDER BY name, created_ms, id;

-- name: request_put
-- No row changed: the key is there.
-- ?1 actor  ?2 key  ?3 digest  ?4 now
INSERT INTO request (actor, key, digest, created_ms) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (actor, key) DO NOTHING;

-- name: request_same
-- ?1 actor  ?2 key  ?3 digest
SELECT digest = ?3 FROM request WHERE actor = ?1 AND key = ?2;

-- name: request_expired
-- ?1 before
SELECT EXISTS (SELECT 1 FROM request WHERE created_ms < ?1);

-- name: requests_expire
-- ?1 before  ?2 most
DELETE FROM request WHERE (actor, key) IN
    (SELECT actor, key FROM request WHERE created_ms < ?1 ORDER BY created_ms LIMIT ?2);

-- name: answer_expired
-- Of a command with a key, never a child's or a parent's: PW_REQUEST_PREFIX tells. ?1 before
SELECT EXISTS (SELECT 1 FROM inbox INDEXED BY inbox_answer
               WHERE consumed_step IS NOT NULL AND substr(dedupe_key, 1, 8) = 'request:'
                     AND created_ms < ?1);

-- name: answers_expire
-- ?1 before  ?2 most
DELETE FROM inbox WHERE (target, dedupe_key) IN
    (SELECT target, dedupe_key FROM inbox INDEXED BY inbox_answer
     WHERE consumed_step IS NOT NULL AND substr(dedupe_key, 1, 8) = 'request:'
           AND created_ms < ?1
     ORDER BY created_ms LIMIT ?2);
