-- What is old: finding it, showing it, and taking it away.

-- name: clean_instances
-- Ended long ago, the oldest first, behind (?1 ended, ?2 id); before ?3; ?4 limit
SELECT i.ended_ms, i.id FROM instance AS i INDEXED BY instance_ended
WHERE i.ended_ms IS NOT NULL AND i.cleaned_ms IS NULL AND (i.ended_ms, i.id) > (?1, ?2) AND i.ended_ms < ?3
ORDER BY i.ended_ms, i.id LIMIT ?4;

-- name: clean_events
-- Of these those that have events. ?1 ... ?4 as above
SELECT i.ended_ms, i.id FROM instance AS i INDEXED BY instance_ended
WHERE i.ended_ms IS NOT NULL AND i.cleaned_ms IS NULL AND (i.ended_ms, i.id) > (?1, ?2) AND i.ended_ms < ?3
      AND EXISTS (SELECT 1 FROM outbox WHERE instance = i.id)
ORDER BY i.ended_ms, i.id LIMIT ?4;

-- name: clean_steps_cleaned
-- Tombstones whose first step is older than ?3. ?1 ?2 ?4 as above
SELECT i.ended_ms, i.id FROM instance AS i INDEXED BY instance_cleaned
WHERE i.cleaned_ms IS NOT NULL AND (i.ended_ms, i.id) > (?1, ?2) AND i.created_ms < ?3
      AND (SELECT at_ms FROM step WHERE instance = i.id ORDER BY sequence LIMIT 1) < ?3
ORDER BY i.ended_ms, i.id LIMIT ?4;

-- name: clean_steps_whole
-- The same of those that have their rows.
SELECT i.ended_ms, i.id FROM instance AS i INDEXED BY instance_ended
WHERE i.ended_ms IS NOT NULL AND i.cleaned_ms IS NULL AND (i.ended_ms, i.id) > (?1, ?2) AND i.created_ms < ?3
      AND (SELECT at_ms FROM step WHERE instance = i.id ORDER BY sequence LIMIT 1) < ?3
ORDER BY i.ended_ms, i.id LIMIT ?4;

-- name: clean_bulks
-- In the order of their creation: ?1 created. ?2 ... ?4 as above
SELECT created_ms, id FROM bulk INDEXED BY bulk_created
WHERE state = 'done' AND (created_ms, id) > (?1, ?2) AND ended_ms < ?3 ORDER BY created_ms, id LIMIT ?4;

-- name: clean_breakers
-- In the order of their names. ?2 ... ?4 as above
SELECT 0, service FROM breaker
WHERE service > ?2 AND state = 'closed' AND forced IS NULL AND changed_ms < ?3 ORDER BY service LIMIT ?4;

-- name: clean_look
-- May it go, as far as its own rows say? And its parent, which is asked next. ?1 id  ?2 ended before
SELECT i.cleaned_ms IS NOT NULL,
       i.ended_ms < ?2 AND i.schedule = 0
       AND NOT EXISTS (SELECT 1 FROM fault INDEXED BY fault_open_of WHERE instance = i.id AND resolved_ms IS NULL)
       AND NOT EXISTS (SELECT 1 FROM outbox_delivery WHERE instance = i.id AND state IN ('pending', 'dead'))
       AND NOT EXISTS (SELECT 1 FROM inbox WHERE target = i.id AND consumed_step IS NULL)
       AND NOT EXISTS (SELECT 1 FROM instance AS c INDEXED BY instance_parent
                       WHERE c.parent = i.id
                             AND (c.ended_ms IS NULL
                                  OR EXISTS (SELECT 1 FROM fault INDEXED BY fault_open_of
                                             WHERE instance = c.id AND resolved_ms IS NULL))),
       EXISTS (SELECT 1 FROM delivery WHERE instance = i.id), EXISTS (SELECT 1 FROM step WHERE instance = i.id), i.parent
FROM instance AS i WHERE i.id = ?1;

-- name: clean_tombstone
-- ?1 id  ?2 now
UPDATE instance SET cleaned_ms = ?2, state = '', output = NULL, error = NULL WHERE id = ?1;

-- name: clean_bookmark
-- What belongs to an instance, one by one. ?1 id
DELETE FROM bookmark WHERE instance = ?1;

-- name: clean_external_call
DELETE FROM external_call WHERE instance = ?1;

-- name: clean_compensation
DELETE FROM compensation WHERE instance = ?1;

-- name: clean_fault
DELETE FROM fault WHERE instance = ?1;

-- name: clean_outbox
DELETE FROM outbox WHERE instance = ?1;

-- name: clean_subscription
DELETE FROM subscription WHERE instance = ?1;

-- name: clean_delivery
DELETE FROM delivery WHERE instance = ?1;

-- name: clean_branch
DELETE FROM branch WHERE instance = ?1;

-- name: clean_payload
-- ?1 id  ?2 digest
DELETE FROM payload WHERE instance = ?1 AND digest = ?2;

-- name: clean_step_range
-- Those that go. ?1 id  ?2 before  ?3 limit
SELECT sequence FROM step WHERE instance = ?1 AND at_ms < ?2 ORDER BY sequence LIMIT ?3;

-- name: clean_step
-- ?1 id  ?2 before  ?3 the last
DELETE FROM step WHERE instance = ?1 AND sequence <= ?3 AND at_ms < ?2;

-- name: clean_step_left
-- Any? And any that is as old? ?1 id  ?2 before
SELECT EXISTS (SELECT 1 FROM step WHERE instance = ?1),
       (SELECT at_ms FROM step WHERE instance = ?1 ORDER BY sequence LIMIT 1) < ?2;

-- name: clean_bulk
-- ?1 id  ?2 before
DELETE FROM bulk WHERE id = ?1 AND state = 'done' AND ended_ms < ?2;

-- name: clean_breaker
-- ?1 service  ?2 before
DELETE FROM breaker WHERE service = ?1 AND state = 'closed' AND forced IS NULL AND changed_ms < ?2;

-- name: clean_digests
-- ?1 id
SELECT digest FROM payload WHERE instance = ?1 ORDER BY digest;

-- name: clean_value
-- ?1 id  ?2 digest
SELECT value FROM payload WHERE instance = ?1 AND digest = ?2;

-- name: clean_texts
-- Where steps name payloads. ?1 id
SELECT entries, cause FROM step WHERE instance = ?1;

-- name: export_instance
-- Rows as they are, before they go. ?1 id
SELECT * FROM instance WHERE id = ?1;

-- name: export_payload
-- ?2 digest; NULL: all
SELECT * FROM payload WHERE instance = ?1 AND (?2 IS NULL OR digest = ?2);

-- name: export_bookmark
SELECT * FROM bookmark WHERE instance = ?1;

-- name: export_external_call
SELECT * FROM external_call WHERE instance = ?1;

-- name: export_compensation
SELECT * FROM compensation WHERE instance = ?1;

-- name: export_fault
SELECT * FROM fault WHERE instance = ?1;

-- name: export_outbox
SELECT * FROM outbox WHERE instance = ?1;

-- name: export_outbox_delivery
SELECT * FROM outbox_delivery WHERE instance = ?1;

-- name: export_inbox
SELECT * FROM inbox WHERE target = ?1;

-- name: export_delivery
SELECT * FROM delivery WHERE instance = ?1;

-- name: export_step
-- ?2 before  ?3 the last
SELECT * FROM step WHERE instance = ?1 AND sequence <= ?3 AND at_ms < ?2 ORDER BY sequence;

-- name: export_bulk
SELECT * FROM bulk WHERE id = ?1;

-- name: export_bulk_failure
SELECT * FROM bulk_failure WHERE bulk = ?1;

-- name: export_breaker
SELECT * FROM breaker WHERE service = ?1;
