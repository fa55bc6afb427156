-- What readers run: one statement a call, so that no read transaction outlives it.

-- name: info_get
SELECT generation, secret FROM store_info;

-- name: past_generations
-- The newest first. ?1 limit
SELECT generation FROM past_generation ORDER BY ended_ms DESC, generation LIMIT ?1;

-- name: definition_get
-- ?1 namespace  ?2 name  ?3 version
SELECT namespace, name, version, digest, document, level, created_ms, status, scheduled FROM definition
WHERE namespace = ?1 AND name = ?2 AND version = ?3;

-- name: definition_versions
-- All that a name may mean; the newest version is chosen by the program.
-- ?1 namespace, NULL: any  ?2 name
SELECT namespace, version, status FROM definition
WHERE name = ?2 AND (?1 IS NULL OR namespace = ?1) ORDER BY namespace, version;

-- name: definition_list
-- Schedules are not counted. Behind (?1 namespace, ?2 name, ?3 version); ?4 limit
-- ?5 namespace, NULL: any  ?6 name, NULL: any  ?7 only those with a schedule  ?8 namespaces, a JSON array, NULL: any
SELECT d.namespace, d.name, d.version, d.digest, d.level, d.created_ms, d.status, coalesce(l.living, 0),
       d.scheduled
FROM definition AS d
LEFT JOIN (SELECT namespace, name, version, count(*) AS living FROM instance
           WHERE status IN ('pending', 'running', 'waiting', 'suspended', 'compensating')
                 AND schedule = 0
           GROUP BY namespace, name, version) AS l
ON l.namespace = d.namespace AND l.name = d.name AND l.version = d.version
WHERE (d.namespace, d.name, d.version) > (?1, ?2, ?3)
AND (?5 IS NULL OR d.namespace = ?5) AND (?6 IS NULL OR d.name = ?6) AND (NOT ?7 OR d.scheduled = 1)
AND (?8 IS NULL OR d.namespace IN (SELECT value FROM json_each(?8)))
ORDER BY d.namespace, d.name, d.version LIMIT ?4;

-- name: due
-- ?1 until  ?2 after wake_at  ?3 after id  ?4 limit  ?5 mask: bit n is partition n
SELECT id, wake_at FROM instance
WHERE wake_at IS NOT NULL AND wake_at <= ?1 AND (wake_at, id) > (?2, ?3) AND (?5 >> partition) & 1
ORDER BY wake_at, id LIMIT ?4;

-- name: next_due
-- ?1 until  ?2 mask: bit n is partition n
SELECT wake_at FROM instance WHERE wake_at IS NOT NULL AND wake_at > ?1 AND (?2 >> partition) & 1
ORDER BY wake_at, id LIMIT 1;

-- name: steps
-- ?1 instance  ?2 from  ?3 limit
SELECT step.sequence, step.event, step.actor, coalesce(step.correlation, instance.correlation),
       step.at_ms, step.entries, step.epoch, step.nonce, step.cause
FROM step JOIN instance ON instance.id = step.instance
WHERE step.instance = ?1 AND step.sequence >= ?2 ORDER BY step.sequence LIMIT ?3;

-- name: payload_get
-- ?1 instance  ?2 digest
SELECT value FROM payload WHERE instance = ?1 AND digest = ?2;

-- part: call_columns
task, visit, attempt, kind, endpoint, method, request, key, timeout_ms,
       state, attempts, outcome, created_ms, ended_ms, duration_ms

-- name: calls
-- ?1 instance
SELECT {call_columns} FROM external_call WHERE instance = ?1 ORDER BY visit, key;

-- name: calls_pending
-- ?1 instance
SELECT {call_columns} FROM external_call WHERE instance = ?1 AND state = 'pending' ORDER BY visit, key;

-- name: call_get
-- ?1 instance  ?2 key
SELECT {call_columns} FROM external_call WHERE instance = ?1 AND key = ?2;

-- name: outbox
-- ?1 instance  ?2 after step  ?3 after ordinal  ?4 limit
SELECT instance, step, ordinal, type, source, payload, created_ms FROM outbox
WHERE instance = ?1 AND (step, ordinal) > (?2, ?3) ORDER BY step, ordinal LIMIT ?4;

-- name: inbox_get
-- ?1 target  ?2 key
SELECT target, dedupe_key, kind, payload, actor, answer, created_ms, consumed_step FROM inbox
WHERE target = ?1 AND dedupe_key = ?2;

-- name: inbox_pending
-- ?1 limit  ?2 mask: bit n is partition n
SELECT target, dedupe_key, kind, payload, actor, answer, created_ms, consumed_step FROM inbox
WHERE consumed_step IS NULL AND (?2 >> partition) & 1 ORDER BY created_ms, target, dedupe_key LIMIT ?1;

-- name: partition_node
-- ?1 number
SELECT node FROM partition WHERE number = ?1;
