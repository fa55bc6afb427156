-- Incidents: faults, and whether a person is done with them; circuit breakers of services.

-- part: fault_columns
f.step, f.task, f.visit, f.kind, f.error, f.class, f.attempt, f.decision, f.action, f.created_ms, f.resolved_ms,
       f.resolved_by, f.resolution

-- part: incidents
-- What a list lets through, whichever index it runs along; newest first, behind (?1 created, ?2 instance, ?3 step).
-- ?4 limit  ?5 also those that are over; NULL: any: ?6 instance  ?7 namespace  ?8 namespaces, a JSON array
-- ?9 name  ?10 kind  ?11 class  ?12 task  ?13 version  ?14 labels, a JSON object
CROSS JOIN instance AS i ON i.id = f.instance
WHERE (?5 OR f.resolved_ms IS NULL) AND (?6 IS NULL OR f.instance = ?6)
      AND (?7 IS NULL OR i.namespace = ?7)
      AND (?8 IS NULL OR i.namespace IN (SELECT value FROM json_each(?8)))
      AND (?9 IS NULL OR f.name = ?9) AND (?10 IS NULL OR f.kind = ?10)
      AND (?11 IS NULL OR f.class = ?11) AND (?12 IS NULL OR f.task = ?12)
      AND (?13 IS NULL OR i.version = ?13)
      AND (?14 IS NULL OR NOT EXISTS
           (SELECT 1 FROM json_each(?14) AS wanted
            WHERE NOT EXISTS (SELECT 1 FROM label WHERE instance = i.id AND name = wanted.key
                                                        AND value = wanted.value)))
      AND (f.created_ms, f.instance, f.step) < (?1, ?2, ?3)

-- part: incident_order
ORDER BY f.created_ms DESC, f.instance DESC, f.step DESC LIMIT ?4

-- part: incident_columns
{fault_columns},
       i.id, i.namespace, i.name, i.version, i.status

-- part: breaker_columns
service, state, epoch, open_until, forced, probe_by, probe_until, changed_ms, changed_by, reason

-- name: fault_put
-- ?1 instance  ?2 step  ?3 task  ?4 visit  ?5 kind  ?6 class  ?7 attempt  ?8 decision  ?9 action
-- ?10 error  ?11 now  ?12 resolution, NULL: it is open
INSERT INTO fault (instance, step, name, task, visit, kind, class, attempt, decision, action, error, created_ms,
                   resolved_ms, resolved_by, resolution)
VALUES (?1, ?2, (SELECT name FROM instance WHERE id = ?1), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
        iif(?12 IS NULL, NULL, ?11), iif(?12 IS NULL, NULL, 'system'), ?12);

-- name: faults_resolve
-- No row changed: none is open.
-- ?1 instance  ?2 now  ?3 by  ?4 resolution
UPDATE fault INDEXED BY fault_open_of SET resolved_ms = ?2, resolved_by = ?3, resolution = ?4
WHERE instance = ?1 AND resolved_ms IS NULL;

-- name: fault_is_open
-- ?1 instance
SELECT EXISTS (SELECT 1 FROM fault INDEXED BY fault_open_of WHERE instance = ?1 AND resolved_ms IS NULL);

-- name: faults
-- ?1 instance
SELECT {fault_columns} FROM fault AS f WHERE f.instance = ?1 ORDER BY f.step;

-- name: incident_get
-- ?1 instance  ?2 step
SELECT {incident_columns} FROM fault AS f CROSS JOIN instance AS i ON i.id = f.instance
WHERE f.instance = ?1 AND f.step = ?2;

-- name: incidents
SELECT {incident_columns} FROM fault AS f INDEXED BY fault_created {incidents} {incident_order};

-- name: incidents_of
-- Of one instance a later step is not earlier in time.
SELECT {incident_columns} FROM fault AS f {incidents} AND f.instance = ?6
ORDER BY f.instance DESC, f.step DESC LIMIT ?4;

-- name: incidents_open
SELECT {incident_columns} FROM fault AS f INDEXED BY fault_open {incidents} AND f.resolved_ms IS NULL
{incident_order};

-- name: incidents_open_name
SELECT {incident_columns} FROM fault AS f INDEXED BY fault_open_name {incidents} AND f.resolved_ms IS NULL
      AND f.name = ?9
{incident_order};

-- name: incidents_open_task
SELECT {incident_columns} FROM fault AS f INDEXED BY fault_open_task {incidents} AND f.resolved_ms IS NULL
      AND f.task = ?12
{incident_order};

-- name: incidents_open_class
SELECT {incident_columns} FROM fault AS f INDEXED BY fault_open_class {incidents} AND f.resolved_ms IS NULL
      AND f.class = ?11
{incident_order};

-- name: incidents_open_kind
SELECT {incident_columns} FROM fault AS f INDEXED BY fault_open_kind {incidents} AND f.resolved_ms IS NULL
      AND f.kind = ?10
{incident_order};

-- name: incident_count
-- Counts read what they count, along the index of the list that is like them.
SELECT count(*) FROM fault AS f INDEXED BY fault_created {incidents};

-- name: incident_count_of
SELECT count(*) FROM fault AS f {incidents} AND f.instance = ?6;

-- name: incident_count_open
SELECT count(*) FROM fault AS f INDEXED BY fault_open {incidents} AND f.resolved_ms IS NULL;

-- name: incident_count_open_name
SELECT count(*) FROM fault AS f INDEXED BY fault_open_name {incidents} AND f.resolved_ms IS NULL
      AND f.name = ?9;

-- name: incident_count_open_task
SELECT count(*) FROM fault AS f INDEXED BY fault_open_task {incidents} AND f.resolved_ms IS NULL
      AND f.task = ?12;

-- name: incident_count_open_class
SELECT count(*) FROM fault AS f INDEXED BY fault_open_class {incidents} AND f.resolved_ms IS NULL
      AND f.class = ?11;

-- name: incident_count_open_kind
SELECT count(*) FROM fault AS f INDEXED BY fault_open_kind {incidents} AND f.resolved_ms IS NULL
      AND f.kind = ?10;

-- name: breakers
SELECT {breaker_columns} FROM breaker ORDER BY service;

-- name: breaker_get
-- ?1 service
SELECT {breaker_columns} FROM breaker WHERE service = ?1;

-- name: breaker_put
-- The first of a service. No row changed: somebody was first.
-- ?1 service  ?2 state  ?3 epoch that was read  ?4 open until  ?5 forced  ?6 probe by  ?7 probe until  ?8 changed
-- ?9 by  ?10 reason
INSERT INTO breaker (service, state, epoch, open_until, forced, probe_by, probe_until, changed_ms, changed_by, reason)
VALUES (?1, ?2, ?3 + 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (service) DO NOTHING;

-- name: breaker_change
-- No row changed: it is another by now.
-- ?1 ... ?10 as above
UPDATE breaker SET state = ?2, epoch = ?3 + 1, open_until = ?4, forced = ?5, probe_by = ?6, probe_until = ?7,
                   changed_ms = ?8, changed_by = ?9, reason = ?10
WHERE service = ?1 AND epoch = ?3;
