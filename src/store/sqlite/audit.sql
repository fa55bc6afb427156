-- What must never be. Each statement goes through rows of one kind in the order of an index, and gives a page of them whole:
-- the first column says in which way a row contradicts others, NULL: in none.
-- ?1 mask: bit n is partition n  ?2 before  ?3 limit; behind the place (?4, ?5, ?6, ?7), of which each uses what it orders by;
-- ?8 status
-- Columns: how, instance, number, what, since, the place.

-- part: incident
EXISTS (SELECT 1 FROM fault AS o INDEXED BY fault_open_of WHERE o.instance = i.id AND o.resolved_ms IS NULL)

-- part: over
(i.ended_ms IS NOT NULL AND NOT {incident})

-- part: ours
(?1 >> i.partition) & 1

-- part: child_goes_on
-- What bookmark b waits for can still end: it lives, or may be brought back, or is to begin, or has told of its end.
(EXISTS (SELECT 1 FROM instance AS c WHERE c.id = b.key AND (c.ended_ms IS NULL OR EXISTS
         (SELECT 1 FROM fault AS o INDEXED BY fault_open_of WHERE o.instance = c.id AND o.resolved_ms IS NULL)))
 OR EXISTS (SELECT 1 FROM inbox AS m WHERE m.target = b.key AND m.consumed_step IS NULL)
 OR EXISTS (SELECT 1 FROM inbox AS m WHERE m.target = b.instance AND m.consumed_step IS NULL))

-- name: audit_asleep
-- A timer's bookmark moves nothing without wake_at, nor does one for messages that nothing is delivered to. wake_at alone may
-- be for the next attempt, or only to tell that somebody is late: who reads this looks into the state.
SELECT CASE WHEN (i.wake_at IS NULL OR (i.wake_at > 0 AND i.status <> 'pending')) AND i.updated_ms < ?2
            AND NOT EXISTS (SELECT 1 FROM bookmark AS b INDEXED BY bookmark_open
                            WHERE b.instance = i.id AND b.ended_ms IS NULL
                                  AND (b.kind = 'user-action'
                                       OR b.kind = 'timer' AND i.wake_at IS NOT NULL
                                       OR b.kind = 'external-message'
                                          AND EXISTS (SELECT 1 FROM subscription AS s
                                                      WHERE s.instance = b.instance AND s.visit = b.visit)
                                       OR b.kind = 'child' AND {child_goes_on}))
            AND NOT EXISTS (SELECT 1 FROM inbox AS m WHERE m.target = i.id AND m.consumed_step IS NULL)
            THEN iif(i.wake_at IS NULL, 'nothing', 'only-time') END,
       i.id, i.token, NULL, i.updated_ms, i.created_ms, i.id, 0, NULL
FROM instance AS i INDEXED BY instance_status
WHERE i.status = ?8 AND (i.created_ms, i.id) > (?4, ?5) AND {ours}
ORDER BY i.created_ms, i.id LIMIT ?3;

-- name: audit_overdue
SELECT iif(i.wake_at > 0 OR i.updated_ms < ?2, iif(i.wake_at > 0, 'late', 'not-driven'), NULL),
       i.id, i.token, NULL, iif(i.wake_at > 0, i.wake_at, i.updated_ms), i.wake_at, i.id, 0, NULL
FROM instance AS i INDEXED BY instance_wake
WHERE i.wake_at IS NOT NULL AND i.wake_at < ?2 AND (i.wake_at, i.id) > (?4, ?5) AND {ours}
ORDER BY i.wake_at, i.id LIMIT ?3;

-- name: audit_call
SELECT CASE WHEN {over} THEN 'ended'
            WHEN i.wake_at IS NOT 0 AND i.status IN ('pending', 'running', 'waiting', 'compensating') THEN 'not-driven' END,
       c.instance, c.visit, c.key, c.created_ms, 0, c.instance, c.visit, c.key
FROM external_call AS c INDEXED BY external_call_pending CROSS JOIN instance AS i ON i.id = c.instance
WHERE c.state = 'pending' AND (c.instance, c.visit, c.key) > (?5, ?6, ?7) AND {ours}
ORDER BY c.instance, c.visit, c.key LIMIT ?3;

-- name: audit_last_step
-- The last step is there. Of what has ended the log may be gone already, from its beginning.
SELECT iif(i.ended_ms IS NULL
           AND NOT EXISTS (SELECT 1 FROM step AS s WHERE s.instance = i.id AND s.sequence = i.token), 'last', NULL),
       i.id, i.token, NULL, i.updated_ms, 0, i.id, 0, NULL
FROM instance AS i WHERE i.id > ?5 AND {ours} ORDER BY i.id LIMIT ?3;

-- name: audit_gap
-- Behind each step is the next.
SELECT CASE WHEN s.sequence > 1
            AND NOT EXISTS (SELECT 1 FROM step AS p WHERE p.instance = s.instance AND p.sequence = s.sequence - 1)
            AND (i.ended_ms IS NULL
                 OR EXISTS (SELECT 1 FROM step AS p WHERE p.instance = s.instance AND p.sequence < s.sequence))
            THEN 'before'
            WHEN s.sequence > i.token THEN 'behind' END,
       s.instance, s.sequence, NULL, s.at_ms, 0, s.instance, s.sequence, NULL
FROM step AS s CROSS JOIN instance AS i ON i.id = s.instance
WHERE (s.instance, s.sequence) > (?5, ?6) AND {ours}
ORDER BY s.instance, s.sequence LIMIT ?3;

-- name: audit_orphan
-- Whether it wants to tell its parent is in its state: who reads this looks there.
SELECT CASE WHEN i.parent IS NULL OR i.updated_ms >= ?2
                 OR EXISTS (SELECT 1 FROM inbox AS m WHERE m.target = i.id AND m.dedupe_key = 'stop-by-parent') THEN NULL
            WHEN NOT EXISTS (SELECT 1 FROM instance AS p WHERE p.id = i.parent) THEN 'gone'
            WHEN NOT EXISTS (SELECT 1 FROM bookmark AS b INDEXED BY bookmark_by_key
                             WHERE b.instance = i.parent AND b.key = i.id AND b.ended_ms IS NULL) THEN 'not-waiting' END,
       i.id, i.token, i.parent, i.updated_ms, i.created_ms, i.id, 0, NULL
FROM instance AS i INDEXED BY instance_status
WHERE i.status = ?8 AND (i.created_ms, i.id) > (?4, ?5) AND {ours}
ORDER BY i.created_ms, i.id LIMIT ?3;

-- name: audit_event
-- Due and not published; or held back, and nothing is there that it waits for. What was requeued holds nothing back.
SELECT CASE WHEN d.next_at < ?2 THEN 'late'
            WHEN d.next_at IS NULL
                 AND NOT EXISTS (SELECT 1 FROM outbox_delivery AS o INDEXED BY outbox_pending
                                 WHERE o.sink = d.sink AND o.instance = d.instance AND o.state = 'pending' AND o.requeued = 0
                                       AND (o.step, o.ordinal) < (d.step, d.ordinal)) THEN 'held' END,
       d.instance, d.step, d.sink, coalesce(d.next_at, d.created_ms), d.step, d.sink, d.ordinal, d.instance
FROM outbox_delivery AS d INDEXED BY outbox_pending
WHERE d.state = 'pending' AND (d.sink, d.instance, d.step, d.ordinal) > (?5, ?7, ?4, ?6) AND (?1 >> d.partition) & 1
ORDER BY d.sink, d.instance, d.step, d.ordinal LIMIT ?3;

-- name: audit_inbox
SELECT 'not-taken', target, 0, kind, created_ms, created_ms, target, 0, dedupe_key
FROM inbox INDEXED BY inbox_pending
WHERE consumed_step IS NULL AND created_ms < ?2 AND (created_ms, target, dedupe_key) > (?4, ?5, ?7)
      AND (?1 >> partition) & 1
ORDER BY created_ms, target, dedupe_key LIMIT ?3;

-- name: audit_delivery
-- In the order of the index: the partition follows from the instance. Who has more than one thing to wait for may be at another; who is asleep takes nothing.
SELECT CASE WHEN d.created_ms >= ?2 THEN NULL
            WHEN {over} THEN 'ended'
            WHEN NOT EXISTS (SELECT 1 FROM bookmark AS b WHERE b.instance = d.instance AND b.visit = d.visit
                                                               AND b.kind = 'external-message' AND b.ended_ms IS NULL)
            THEN 'closed'
            WHEN i.status = 'waiting' AND i.wake_at IS NOT 0 AND i.updated_ms < ?2
                 AND NOT EXISTS (SELECT 1 FROM bookmark AS b INDEXED BY bookmark_open
                                 WHERE b.instance = d.instance AND b.ended_ms IS NULL AND b.kind <> 'external-message')
            THEN 'not-taken' END,
       d.instance, d.number, NULL, d.created_ms, d.number, d.instance, d.visit, NULL
FROM delivery AS d INDEXED BY delivery_pending CROSS JOIN instance AS i ON i.id = d.instance
WHERE d.consumed_step IS NULL AND (d.instance, d.number, d.visit) > (?5, ?4, ?6) AND {ours}
ORDER BY d.instance, d.number, d.partition, d.visit LIMIT ?3;

-- name: audit_bookmark
SELECT CASE WHEN {over} THEN 'ended'
            WHEN b.kind = 'child' AND b.created_ms < ?2 AND NOT {child_goes_on} THEN 'child' END,
       b.instance, b.visit, b.key, b.created_ms, 0, b.instance, b.visit, b.key
FROM bookmark AS b INDEXED BY bookmark_open CROSS JOIN instance AS i ON i.id = b.instance
WHERE b.ended_ms IS NULL AND (b.instance, b.visit, b.key) > (?5, ?6, ?7) AND {ours}
ORDER BY b.instance, b.visit, b.key LIMIT ?3;

-- name: audit_incident
SELECT iif(i.status NOT IN ('faulted', 'suspended'), 'open', NULL),
       f.instance, f.step, f.task, f.created_ms, f.created_ms, f.instance, f.step, NULL
FROM fault AS f INDEXED BY fault_open CROSS JOIN instance AS i ON i.id = f.instance
WHERE f.resolved_ms IS NULL AND (f.created_ms, f.instance, f.step) > (?4, ?5, ?6) AND {ours}
ORDER BY f.created_ms, f.instance, f.step LIMIT ?3;

-- name: audit_faulted
-- Who has given up has said so.
SELECT iif(i.cleaned_ms IS NULL AND NOT {incident}
           AND coalesce((SELECT f.resolution FROM fault AS f WHERE f.instance = i.id ORDER BY f.step DESC LIMIT 1), '') <> 'failed',
           'none', NULL),
       i.id, i.token, NULL, i.updated_ms, i.created_ms, i.id, 0, NULL
FROM instance AS i INDEXED BY instance_status
WHERE i.status = 'faulted' AND (i.created_ms, i.id) > (?4, ?5) AND {ours}
ORDER BY i.created_ms, i.id LIMIT ?3;
