-- What becomes of an event at each sink. Of an instance's events there only the oldest that is pending has a
-- next_at; those behind it are held back (NULL), and what was requeued is by itself.

-- part: publish_columns
d.instance, d.step, d.ordinal, d.sink, d.state, d.attempts, d.requeued, d.created_ms, d.ended_ms, d.changed_by,
       d.reason, d.error, o.type, o.source

-- part: letters
-- What a list lets through, whichever index it runs along; newest first, behind (?1 created, ?2 instance, ?3 step,
-- ?4 ordinal, ?5 sink). ?6 limit; NULL: any: ?7 sink  ?8 instance  ?9 type  ?10 namespaces, a JSON array
CROSS JOIN outbox AS o ON o.instance = d.instance AND o.step = d.step AND o.ordinal = d.ordinal
CROSS JOIN instance AS i ON i.id = d.instance
WHERE (?7 IS NULL OR d.sink = ?7) AND (?8 IS NULL OR d.instance = ?8) AND (?9 IS NULL OR o.type = ?9)
      AND (?10 IS NULL OR i.namespace IN (SELECT value FROM json_each(?10)))
      AND (d.created_ms, d.instance, d.step, d.ordinal, d.sink) < (?1, ?2, ?3, ?4, ?5)

-- part: letter_columns
{publish_columns}, d.next_at, i.namespace, i.name

-- part: letter_order
ORDER BY d.created_ms DESC, d.instance DESC, d.step DESC, d.ordinal DESC, d.sink DESC LIMIT ?6

-- name: publish_put
-- Held back, if there is an older one.
-- ?1 instance  ?2 step  ?3 ordinal  ?4 sink  ?5 partition  ?6 now
INSERT INTO outbox_delivery (instance, step, ordinal, sink, partition, state, created_ms, next_at)
VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6,
        iif(EXISTS (SELECT 1 FROM outbox_delivery INDEXED BY outbox_pending
                    WHERE sink = ?4 AND instance = ?1 AND state = 'pending' AND requeued = 0), NULL, ?6));

-- name: publish_end
-- One attempt is over. No row changed: it is not pending any more.
-- ?1 instance  ?2 step  ?3 ordinal  ?4 sink  ?5 state  ?6 attempts  ?7 next_at  ?8 error, NULL: as it is  ?9 ended
UPDATE outbox_delivery SET state = ?5, attempts = ?6, next_at = ?7, error = coalesce(?8, error), ended_ms = ?9
WHERE instance = ?1 AND step = ?2 AND ordinal = ?3 AND sink = ?4 AND state = 'pending';

-- name: publish_release
-- Lets go the oldest that is pending now, if it was held back.
-- ?1 instance  ?2 sink  ?3 now
UPDATE outbox_delivery SET next_at = ?3
WHERE instance = ?1 AND sink = ?2 AND state = 'pending' AND next_at IS NULL
      AND (step, ordinal) = (SELECT step, ordinal FROM outbox_delivery INDEXED BY outbox_pending
                             WHERE sink = ?2 AND instance = ?1 AND state = 'pending' AND requeued = 0
                             ORDER BY step, ordinal LIMIT 1);

-- name: publish_due
-- The oldest of each instance, then the second of each, and so on: what comes out of the queue is put back as the one
-- behind it. So a page costs no more than it has rows.
-- ?1 sink  ?2 now  ?3 mask: bit n is partition n  ?4 limit
WITH RECURSIVE page (turn, next_at, instance, step, ordinal, requeued) AS (
    SELECT * FROM (SELECT 0, next_at, instance, step, ordinal, requeued FROM outbox_delivery INDEXED BY outbox_due
                   WHERE sink = ?1 AND next_at IS NOT NULL AND next_at <= ?2 AND (?3 >> partition) & 1
                   ORDER BY next_at, instance, step, ordinal LIMIT ?4)
    UNION ALL
    SELECT page.turn + 1, page.next_at, d.instance, d.step, d.ordinal, d.requeued
    FROM page CROSS JOIN outbox_delivery AS d
    ON page.requeued = 0 AND d.instance = page.instance AND d.sink = ?1 AND d.next_at IS NULL AND d.attempts = 0
       AND (d.step, d.ordinal) = (SELECT n.step, n.ordinal FROM outbox_delivery AS n INDEXED BY outbox_pending
                                  WHERE n.sink = ?1 AND n.instance = page.instance AND n.state = 'pending'
                                        AND (n.step, n.ordinal) > (page.step, page.ordinal) AND n.requeued = 0
                                  ORDER BY n.step, n.ordinal LIMIT 1)
    ORDER BY 1, 2, 3, 4, 5 LIMIT ?4)
SELECT {publish_columns}, page.next_at, o.payload, i.trace
FROM page CROSS JOIN outbox_delivery AS d ON d.instance = page.instance AND d.step = page.step
                                             AND d.ordinal = page.ordinal AND d.sink = ?1
          CROSS JOIN outbox AS o ON o.instance = d.instance AND o.step = d.step AND o.ordinal = d.ordinal
          CROSS JOIN instance AS i ON i.id = d.instance;

-- name: publish_next
-- ?1 sink  ?2 now  ?3 mask: bit n is partition n
SELECT next_at FROM outbox_delivery INDEXED BY outbox_due
WHERE sink = ?1 AND next_at IS NOT NULL AND next_at > ?2 AND (?3 >> partition) & 1 ORDER BY next_at LIMIT 1;

-- name: publish_count
SELECT sink, sum(pending), sum(dead), min(oldest) FROM
    (SELECT sink, count(*) AS pending, 0 AS dead, min(created_ms) AS oldest FROM outbox_delivery INDEXED BY outbox_pending
     WHERE state = 'pending' GROUP BY sink
     UNION ALL SELECT sink, 0, count(*), NULL FROM outbox_delivery INDEXED BY outbox_dead WHERE state = 'dead'
     GROUP BY sink)
GROUP BY sink ORDER BY sink;

-- name: letters
SELECT {letter_columns} FROM outbox_delivery AS d INDEXED BY outbox_dead {letters} AND d.state = 'dead' {letter_order};

-- name: letters_all
-- Also those that are tried again, and those that were discarded.
SELECT {letter_columns} FROM outbox_delivery AS d INDEXED BY outbox_failed {letters}
      AND (d.state = 'dead' OR d.state = 'discarded' OR (d.state = 'pending' AND d.attempts > 0)) {letter_order};

-- name: letter_count
SELECT count(*) FROM outbox_delivery AS d INDEXED BY outbox_dead {letters} AND d.state = 'dead';

-- name: letter_count_all
SELECT count(*) FROM outbox_delivery AS d INDEXED BY outbox_failed {letters}
      AND (d.state = 'dead' OR d.state = 'discarded' OR (d.state = 'pending' AND d.attempts > 0));

-- name: letters_of
-- ?1 instance  ?2 step  ?3 ordinal  ?4 sink, NULL: any
SELECT {letter_columns}, o.payload
FROM outbox_delivery AS d CROSS JOIN outbox AS o ON o.instance = d.instance AND o.step = d.step AND o.ordinal = d.ordinal
                          CROSS JOIN instance AS i ON i.id = d.instance
WHERE d.instance = ?1 AND d.step = ?2 AND d.ordinal = ?3 AND (?4 IS NULL OR d.sink = ?4) ORDER BY d.sink;

-- name: letter_state
-- ?1 instance  ?2 step  ?3 ordinal  ?4 sink
SELECT state FROM outbox_delivery WHERE instance = ?1 AND step = ?2 AND ordinal = ?3 AND sink = ?4;

-- name: letter_requeue
-- ?1 ... ?4 as above  ?5 now  ?6 by  ?7 reason
UPDATE outbox_delivery SET state = 'pending', requeued = 1, attempts = 0, next_at = ?5, ended_ms = NULL, changed_by = ?6,
                           reason = ?7
WHERE instance = ?1 AND step = ?2 AND ordinal = ?3 AND sink = ?4;

-- name: letter_discard
-- ?1 ... ?7 as above
UPDATE outbox_delivery SET state = 'discarded', next_at = NULL, ended_ms = ?5, changed_by = ?6, reason = ?7
WHERE instance = ?1 AND step = ?2 AND ordinal = ?3 AND sink = ?4;
