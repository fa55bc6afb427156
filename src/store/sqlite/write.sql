-- What the writer runs. Values are bound, never printed into the text; the clock is a parameter.

-- name: begin
BEGIN IMMEDIATE;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: savepoint
-- Around each item, once a batch has failed without: see commit.c.
SAVEPOINT item;

-- name: savepoint_undo
ROLLBACK TO item;

-- name: savepoint_done
RELEASE item;

-- name: instance_create
-- The guarded write of a first step. No row changed: the id is there already.
-- ?1 id  ?2 partition  ?3 namespace  ?4 name  ?5 version  ?6 status  ?7 now  ?8 ended  ?9 wake_at
-- ?10 business key  ?11 input digest  ?12 correlation  ?13 labels  ?14 parent  ?15 output  ?16 error
-- ?17 state format  ?18 state  ?19 schedule  ?20 trace
INSERT INTO instance (id, partition, namespace, name, version, status, token, created_ms, updated_ms,
                      ended_ms, wake_at, business_key, input_digest, correlation, labels, parent,
                      output, error, state_format, state, schedule, trace)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
ON CONFLICT (id) DO NOTHING;

-- name: instance_save_same
-- The guarded write of a step that leaves status and wake_at as they are: most do, and it need not touch
-- the indexes that hold them. A late result of an instance that has ended is such a step too, and leaves its
-- end, output and error. No row changed: try instance_save.
-- ?1 id  ?2 token that was read  ?3 now  ?4 state format  ?5 state  ?6 status  ?7 wake_at
UPDATE instance SET token = ?2 + 1, updated_ms = ?3, state_format = ?4, state = ?5
WHERE id = ?1 AND token = ?2 AND status = ?6 AND wake_at IS ?7
      AND (ended_ms IS NOT NULL OR output IS NULL AND error IS NULL) AND cleaned_ms IS NULL;

-- name: instance_save
-- The guarded write of a step. No row changed: somebody wrote first.
-- ?1 id  ?2 token that was read  ?3 now  ?4 state format  ?5 state  ?6 status  ?7 wake_at
-- ?8 ended  ?9 output  ?10 error
UPDATE instance SET token = ?2 + 1, updated_ms = ?3, state_format = ?4, state = ?5, status = ?6,
                    wake_at = ?7, ended_ms = ?8, output = ?9, error = ?10
WHERE id = ?1 AND token = ?2 AND cleaned_ms IS NULL;

-- name: instance_end
-- The same for a step that ends it. The row tells what has to end with it: twice the number of open bookmarks,
-- and 1 for subscriptions.
-- ?1 ... ?10 as above
UPDATE instance SET token = ?2 + 1, updated_ms = ?3, state_format = ?4, state = ?5, status = ?6,
                    wake_at = ?7, ended_ms = ?8, output = ?9, error = ?10
WHERE id = ?1 AND token = ?2 AND cleaned_ms IS NULL
RETURNING 2 * (SELECT count(*) FROM bookmark INDEXED BY bookmark_open WHERE instance = ?1 AND ended_ms IS NULL)
          + EXISTS (SELECT 1 FROM subscription WHERE instance = ?1);

-- name: step_put
-- ?1 instance  ?2 sequence  ?3 event  ?4 now  ?5 actor  ?6 entries  ?7 epoch  ?8 nonce
-- ?9 correlation, NULL: the instance's  ?10 cause, NULL: none
INSERT INTO step (instance, sequence, event, at_ms, actor, entries, epoch, nonce, correlation, cause)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10);

-- name: payload_put
-- No row changed: it is there, and the same, for it is named by its content.
-- ?1 instance  ?2 digest  ?3 value
INSERT INTO payload (instance, digest, value) VALUES (?1, ?2, ?3)
ON CONFLICT (instance, digest) DO NOTHING;

-- name: branch_put
-- ?1 instance  ?2 fork  ?3 number  ?4 state
INSERT INTO branch (instance, fork, number, state) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (instance, fork, number) DO UPDATE SET state = excluded.state;

-- name: branches_end
-- ?1 instance  ?2 fork
DELETE FROM branch WHERE instance = ?1 AND fork = ?2;

-- name: call_put
-- The same request again, by a retry, is the same row: pending once more, for the newest visit.
-- ?1 instance  ?2 key  ?3 visit  ?4 attempt  ?5 now  ?6 timeout  ?7 task  ?8 kind  ?9 endpoint
-- ?10 method  ?11 request
INSERT INTO external_call (instance, key, visit, attempt, attempts, state, created_ms, timeout_ms, task,
                           kind, endpoint, method, request)
VALUES (?1, ?2, ?3, ?4, 1, 'pending', ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (instance, key) DO UPDATE SET
    visit = excluded.visit, attempt = excluded.attempt, attempts = attempts + 1, state = 'pending',
    ended_ms = NULL, duration_ms = 0, timeout_ms = excluded.timeout_ms, task = excluded.task,
    kind = excluded.kind, endpoint = excluded.endpoint, method = excluded.method,
    request = excluded.request, outcome = NULL;

-- name: call_again
-- The next attempt of the same request: pending once more, with what it was sent as. No row changed: there is none.
-- ?1 instance  ?2 key  ?3 visit  ?4 attempt  ?5 timeout
UPDATE external_call SET visit = ?3, attempt = ?4, attempts = attempts + 1, state = 'pending', ended_ms = NULL,
                         duration_ms = 0, timeout_ms = ?5, outcome = NULL
WHERE instance = ?1 AND key = ?2;

-- name: call_end
-- A late result of an abandoned call is recorded, and the call stays abandoned. No row changed: see call_visit.
-- ?1 instance  ?2 key  ?3 visit  ?4 state  ?5 outcome or NULL: as it is  ?6 now  ?7 duration
UPDATE external_call SET
    state = CASE state WHEN 'abandoned' THEN state ELSE ?4 END,
    outcome = coalesce(?5, outcome), ended_ms = coalesce(ended_ms, ?6),
    duration_ms = max(duration_ms, ?7)
WHERE instance = ?1 AND key = ?2 AND visit = ?3;

-- name: call_visit
-- ?1 instance  ?2 key
SELECT visit FROM external_call WHERE instance = ?1 AND key = ?2;

-- name: outbox_put
-- ?1 instance  ?2 step  ?3 ordinal  ?4 type  ?5 source  ?6 now  ?7 payload
INSERT INTO outbox (instance, step, ordinal, type, source, created_ms, payload)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);

-- name: inbox_use
-- The command of this step was stored before. No row changed: another step has consumed it.
-- ?1 target  ?2 key  ?3 step  ?4 answer
UPDATE inbox SET consumed_step = ?3, answer = ?4
WHERE target = ?1 AND dedupe_key = ?2 AND consumed_step IS NULL;

-- name: inbox_put
-- No row changed: the key is there.
-- ?1 target  ?2 key  ?3 kind  ?4 payload  ?5 actor  ?6 now  ?7 step or NULL  ?8 answer  ?9 partition
INSERT INTO inbox (target, dedupe_key, kind, payload, actor, created_ms, consumed_step, answer, partition)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (target, dedupe_key) DO NOTHING;

-- name: inbox_drop
-- A command that can have no effect. No row changed: it is not there, or was consumed.
-- ?1 target  ?2 key
DELETE FROM inbox WHERE target = ?1 AND dedupe_key = ?2 AND consumed_step IS NULL;

-- name: instance_exists
-- ?1 id
SELECT 1 FROM instance WHERE id = ?1;

-- name: definition_put
-- ?1 namespace  ?2 name  ?3 version  ?4 digest  ?5 level  ?6 now  ?7 document  ?8 scheduled
INSERT INTO definition (namespace, name, version, digest, level, status, created_ms, document, scheduled)
VALUES (?1, ?2, ?3, ?4, ?5, 'published', ?6, ?7, ?8)
ON CONFLICT (namespace, name, version) DO NOTHING;

-- name: definition_digest
-- ?1 namespace  ?2 name  ?3 version
SELECT digest FROM definition WHERE namespace = ?1 AND name = ?2 AND version = ?3;

-- name: definition_status
-- No row changed: there is none, or it is a draft.
-- ?1 namespace  ?2 name  ?3 version  ?4 status
UPDATE definition SET status = ?4
WHERE namespace = ?1 AND name = ?2 AND version = ?3 AND status <> 'draft';

-- name: migration_put
-- ?1 version  ?2 now  ?3 program
INSERT INTO migration (version, applied_ms, program) VALUES (?1, ?2, ?3);

-- name: info_put
-- ?1 generation  ?2 now  ?3 secret
INSERT INTO store_info (one, generation, created_ms, secret) VALUES (1, ?1, ?2, ?3);

-- name: node_put
-- The node that beats or takes; a store in one file has one owner.
-- ?1 id  ?2 now  ?3 state format
INSERT INTO node (id, started_ms, seen_ms, state_format) VALUES (?1, ?2, ?2, ?3)
ON CONFLICT (id) DO UPDATE SET seen_ms = ?2;

-- name: node_drop_others
-- Their partitions are nobody's then. ?1 id of the one that stays
DELETE FROM node WHERE id <> ?1;

-- name: node_drop
-- ?1 id
DELETE FROM node WHERE id = ?1;

-- name: partition_take
-- ?1 node  ?2 mask: bit n is partition n
UPDATE partition SET node = ?1, epoch = epoch + 1 WHERE node IS NULL AND (?2 >> number) & 1;

-- name: partition_give
-- ?1 node  ?2 mask
UPDATE partition SET node = NULL WHERE node = ?1 AND (?2 >> number) & 1;

-- name: partition_list
-- ?1 node
SELECT number, epoch, node IS ?1, node IS NULL FROM partition;
