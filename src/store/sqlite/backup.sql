-- Copies of a store, and whether one is whole.

-- name: copy_count
SELECT count(*) FROM instance;

-- name: check_log
-- An instance whose log does not lead to its token without a gap. What cleanup took of the log of one that has ended is at its
-- beginning, or all of it.
SELECT instance.id, instance.token, count(step.sequence), min(step.sequence), max(step.sequence)
FROM instance LEFT JOIN step ON step.instance = instance.id
GROUP BY instance.id
HAVING CASE WHEN count(step.sequence) = 0 THEN instance.ended_ms IS NULL
            ELSE max(step.sequence) <> instance.token
                 OR count(step.sequence) <> max(step.sequence) - min(step.sequence) + 1 END
LIMIT 1;

-- name: check_partition
SELECT id, partition FROM instance;

-- name: check_payload
SELECT instance, digest, value FROM payload;

-- name: restore_past
-- ?1 now
INSERT INTO past_generation (generation, ended_ms) SELECT generation, ?1 FROM store_info;

-- name: restore_generation
-- ?1 generation
UPDATE store_info SET generation = ?1;

-- name: restore_nodes
-- Their partitions are nobody's then.
DELETE FROM node;

-- name: restore_bulks
-- Whoever was at one is not at it here.
UPDATE bulk SET node = NULL, leased_until = NULL, epoch = epoch + 1 WHERE node IS NOT NULL;
