-- Instances: finding, counting and deleting them. A step's own write is in write.sql.

-- part: instance_columns
i.id, i.namespace, i.name, i.version, i.status, i.token, i.business_key, i.input_digest, i.correlation, i.labels,
       i.parent, i.schedule, i.created_ms, i.updated_ms, i.ended_ms, i.wake_at, i.output, i.error, i.trace, i.cleaned_ms

-- part: instance_filters
-- What a list lets through, whichever index it runs along; NULL: any.
-- ?4 name  ?5 status  ?6 parent  ?7 business key  ?8 correlation  ?11 schedules  ?12 namespace
-- ?13 labels, a JSON object  ?14 only what has not ended  ?15 namespaces, a JSON array
i.schedule = ?11 AND (?4 IS NULL OR i.name = ?4) AND (?5 IS NULL OR i.status = ?5)
      AND (?6 IS NULL OR i.parent = ?6) AND (?7 IS NULL OR i.business_key = ?7)
      AND (?8 IS NULL OR i.correlation = ?8) AND (?12 IS NULL OR i.namespace = ?12)
      AND (?15 IS NULL OR i.namespace IN (SELECT value FROM json_each(?15)))
      AND (NOT ?14 OR i.status NOT IN ('completed', 'faulted', 'cancelled', 'compensated'))
      AND (?13 IS NULL OR NOT EXISTS
           (SELECT 1 FROM json_each(?13) AS wanted
            WHERE NOT EXISTS (SELECT 1 FROM label WHERE instance = i.id AND name = wanted.key
                                                        AND value = wanted.value)))

-- part: instance_page
-- Newest first, behind (?1 created, ?2 id); ?3 limit
AND (i.created_ms, i.id) < (?1, ?2) ORDER BY i.created_ms DESC, i.id DESC LIMIT ?3

-- name: instance_get
-- The branches in the same statement: the state of one step and the branches of another do not fit.
-- ?1 id  ?2 with state
SELECT {instance_columns},
       CASE WHEN ?2 THEN state END,
       CASE WHEN ?2 THEN (SELECT '[' || group_concat('[' || fork || ',' || number || ',' || state || ']') || ']'
                          FROM (SELECT fork, number, state FROM branch WHERE instance = ?1
                                ORDER BY fork, number)) END
FROM instance AS i WHERE id = ?1;

-- name: instance_list
SELECT {instance_columns} FROM instance AS i INDEXED BY instance_created
WHERE {instance_filters}
      {instance_page};

-- name: instance_list_status
SELECT {instance_columns} FROM instance AS i INDEXED BY instance_status
WHERE i.status = ?5 AND {instance_filters}
      {instance_page};

-- name: instance_list_name
SELECT {instance_columns} FROM instance AS i INDEXED BY instance_name
WHERE i.name = ?4 AND {instance_filters}
      {instance_page};

-- name: instance_list_schedules
SELECT {instance_columns} FROM instance AS i INDEXED BY instance_schedule
WHERE i.schedule = 1 AND {instance_filters}
      {instance_page};

-- name: instance_list_parent
SELECT {instance_columns} FROM instance AS i INDEXED BY instance_parent
WHERE i.parent = ?6 AND {instance_filters}
      {instance_page};

-- name: instance_list_business_key
SELECT {instance_columns} FROM instance AS i INDEXED BY instance_business_key
WHERE i.business_key = ?7 AND {instance_filters}
      {instance_page};

-- name: instance_list_correlation
-- One that has its own id as the correlation is not in the index, and found by that id.
SELECT {instance_columns} FROM instance AS i INDEXED BY instance_correlation
WHERE i.correlation = ?8 AND i.correlation <> i.id AND {instance_filters} AND (i.created_ms, i.id) < (?1, ?2)
UNION ALL
SELECT {instance_columns} FROM instance AS i
WHERE i.id = ?8 AND i.correlation = i.id AND {instance_filters} AND (i.created_ms, i.id) < (?1, ?2)
ORDER BY 13 DESC, 1 DESC LIMIT ?3;

-- name: instance_list_label
-- ?9 name of a label  ?10 its value
SELECT {instance_columns}
FROM label AS l INDEXED BY label_value CROSS JOIN instance AS i ON i.id = l.instance
WHERE l.name = ?9 AND l.value = ?10 AND {instance_filters}
      AND (l.created_ms, l.instance) < (?1, ?2) ORDER BY l.created_ms DESC, l.instance DESC LIMIT ?3;

-- name: instance_count
-- Of all: the index has what namespaces ask for, and no row is read.
SELECT i.status, count(*) FROM instance AS i INDEXED BY instance_status
WHERE i.schedule = 0 AND (?12 IS NULL OR i.namespace = ?12)
      AND (?15 IS NULL OR i.namespace IN (SELECT value FROM json_each(?15)))
GROUP BY i.status;

-- name: instance_count_living
-- The same of what lives: what has ended is not read.
SELECT i.status, count(*) FROM instance AS i INDEXED BY instance_status
WHERE i.status IN ('pending', 'running', 'waiting', 'suspended', 'compensating')
      AND i.schedule = 0 AND (?12 IS NULL OR i.namespace = ?12)
      AND (?15 IS NULL OR i.namespace IN (SELECT value FROM json_each(?15)))
GROUP BY i.status;

-- name: instance_count_name
SELECT i.status, count(*) FROM instance AS i INDEXED BY instance_name
WHERE i.name = ?4 AND {instance_filters} GROUP BY i.status;

-- name: instance_count_schedules
SELECT i.status, count(*) FROM instance AS i INDEXED BY instance_schedule
WHERE i.schedule = 1 AND {instance_filters} GROUP BY i.status;

-- name: instance_count_parent
SELECT i.status, count(*) FROM instance AS i INDEXED BY instance_parent
WHERE i.parent = ?6 AND {instance_filters} GROUP BY i.status;

-- name: instance_count_business_key
SELECT i.status, count(*) FROM instance AS i INDEXED BY instance_business_key
WHERE i.business_key = ?7 AND {instance_filters} GROUP BY i.status;

-- name: instance_count_correlation
SELECT i.status, count(*) FROM instance AS i
WHERE i.id IN (SELECT c.id FROM instance AS c INDEXED BY instance_correlation
               WHERE c.correlation = ?8 AND c.correlation <> c.id UNION ALL SELECT ?8)
      AND {instance_filters} GROUP BY i.status;

-- name: instance_count_label
-- ?9 name of a label  ?10 its value
SELECT i.status, count(*)
FROM label AS l INDEXED BY label_value CROSS JOIN instance AS i ON i.id = l.instance
WHERE l.name = ?9 AND l.value = ?10 AND {instance_filters} GROUP BY i.status;

-- name: label_put
-- ?1 instance  ?2 name  ?3 value  ?4 its creation
INSERT INTO label (instance, name, value, created_ms) VALUES (?1, ?2, ?3, ?4);

-- name: instance_delete_look
-- ?1 id
SELECT token, ended_ms IS NOT NULL, EXISTS (SELECT 1 FROM delivery WHERE instance = ?1),
       EXISTS (SELECT 1 FROM fault INDEXED BY fault_open_of WHERE instance = ?1 AND resolved_ms IS NULL),
       EXISTS (SELECT 1 FROM outbox_delivery WHERE instance = ?1 AND state IN ('pending', 'dead'))
FROM instance WHERE id = ?1;

-- name: instance_delete_taken
-- A message that it took has had its effect, though its delivery goes. ?1 id
UPDATE message SET taken = 1
WHERE number IN (SELECT number FROM delivery WHERE instance = ?1 AND consumed_step > 0);

-- name: instance_delete_given_back
-- ?1 id
UPDATE delivery SET consumed_step = 0 WHERE instance = ?1 AND consumed_step IS NULL;

-- name: instance_delete_freed
-- Nobody has them, or will have: to be routed once more. ?1 id
UPDATE message SET state = 'new'
WHERE number IN (SELECT number FROM delivery WHERE instance = ?1) AND state = 'delivered' AND taken = 0
      AND NOT EXISTS (SELECT 1 FROM delivery AS d WHERE d.number = message.number
                                                  AND (d.consumed_step IS NULL OR d.consumed_step > 0));

-- name: instance_delete_inbox
-- ?1 id
DELETE FROM inbox WHERE target = ?1;

-- name: instance_delete
-- With all that is below it, by the foreign keys. ?1 id
DELETE FROM instance WHERE id = ?1;
