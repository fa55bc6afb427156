-- Messages from outside: what the writer runs for them, and behind that what readers run.

-- name: message_put
-- No row: (source, id) is there; see message_named. The number is one above the highest, and the newest is
-- never deleted, so no number is given twice.
-- ?1 source  ?2 id  ?3 type  ?4 actor  ?5 received  ?6 expires  ?7 body  ?8 nonce
INSERT INTO message (source, id, type, state, actor, received_ms, expires_ms, nonce, body)
VALUES (?1, ?2, ?3, 'new', ?4, ?5, ?6, ?8, ?7)
ON CONFLICT (source, id) DO NOTHING
RETURNING number;

-- name: message_named
-- ?1 source  ?2 id
SELECT number, state FROM message WHERE source = ?1 AND id = ?2;

-- name: message_state
-- ?1 number
SELECT state FROM message WHERE number = ?1;

-- name: message_move
-- ?1 number  ?2 state
UPDATE message SET state = ?2 WHERE number = ?1;

-- name: message_free
-- Given back by all that had it: new again, to be routed once more.
-- ?1 number
UPDATE message SET state = 'new'
WHERE number = ?1 AND state = 'delivered' AND taken = 0 AND NOT EXISTS
      (SELECT 1 FROM delivery WHERE number = ?1 AND (consumed_step IS NULL OR consumed_step > 0));

-- name: delivery_route
-- A row for each bookmark that got it now.
-- ?1 hash  ?2 number  ?3 now
INSERT INTO delivery (instance, visit, number, partition, created_ms)
SELECT s.instance, s.visit, ?2, i.partition, ?3
FROM subscription AS s JOIN instance AS i ON i.id = s.instance WHERE s.hash = ?1
ON CONFLICT (instance, visit, number) DO NOTHING
RETURNING instance;

-- name: delivery_lives
-- Somebody has the message, or will have.
-- ?1 number
SELECT EXISTS (SELECT 1 FROM delivery WHERE number = ?1 AND (consumed_step IS NULL OR consumed_step > 0));

-- name: delivery_take
-- No row changed: see delivery_get.
-- ?1 instance  ?2 visit  ?3 number  ?4 step
UPDATE delivery SET consumed_step = ?4
WHERE instance = ?1 AND visit = ?2 AND number = ?3 AND consumed_step IS NULL;

-- name: delivery_get
-- ?1 instance  ?2 visit  ?3 number
SELECT consumed_step FROM delivery WHERE instance = ?1 AND visit = ?2 AND number = ?3;

-- name: delivery_give_back
-- ?1 instance  ?2 visit  ?3 number
UPDATE delivery SET consumed_step = 0
WHERE instance = ?1 AND visit = ?2 AND number = ?3 AND consumed_step IS NULL;

-- name: delivery_forget
-- Of a message that goes. ?1 number
DELETE FROM delivery WHERE number = ?1;

-- name: message_key_put
-- Only while it is kept. ?1 hash  ?2 number
INSERT INTO message_key (hash, number)
SELECT ?1, number FROM message WHERE number = ?2 AND state = 'kept'
ON CONFLICT (hash, number) DO NOTHING;

-- name: message_keys_drop
-- ?1 number
DELETE FROM message_key WHERE number = ?1;

-- name: message_claim
-- The oldest kept message under a hash that this bookmark, if it still wants it, has not had before.
-- ?1 instance  ?2 visit  ?3 hash  ?4 now  ?5 behind number
SELECT k.number FROM message_key AS k JOIN message AS m ON m.number = k.number
WHERE k.hash = ?3 AND k.number > ?5 AND m.state = 'kept' AND m.expires_ms > ?4
      AND EXISTS (SELECT 1 FROM subscription WHERE hash = ?3 AND instance = ?1 AND visit = ?2)
      AND NOT EXISTS (SELECT 1 FROM delivery WHERE instance = ?1 AND visit = ?2 AND number = k.number)
ORDER BY k.number LIMIT 1;

-- name: delivery_put
-- ?1 instance  ?2 visit  ?3 number  ?4 partition  ?5 now
INSERT INTO delivery (instance, visit, number, partition, created_ms) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: message_expired
-- Not those that are still to be routed or that a delivery waits for, and not the newest, whose number would
-- be given again.
-- ?1 now  ?2 behind: expiry  ?3 behind: number
SELECT number, expires_ms FROM message AS m
WHERE expires_ms <= ?1 AND state <> 'new' AND (expires_ms, number) > (?2, ?3)
      AND number < (SELECT max(number) FROM message)
      AND NOT EXISTS (SELECT 1 FROM delivery WHERE number = m.number AND consumed_step IS NULL)
ORDER BY expires_ms, number LIMIT 1;

-- name: message_drop
-- ?1 number
DELETE FROM message WHERE number = ?1;

-- name: subscription_put
-- No row changed: its bookmark is not open, or its matcher is not there yet.
-- ?1 instance  ?2 visit  ?3 ordinal  ?4 matcher  ?5 hash
INSERT INTO subscription (instance, visit, ordinal, matcher, hash)
SELECT ?1, ?2, ?3, digest, ?5 FROM matcher
WHERE digest = ?4 AND EXISTS (SELECT 1 FROM bookmark WHERE instance = ?1 AND visit = ?2
                                                           AND kind = 'external-message' AND ended_ms IS NULL);

-- name: matcher_put
-- ?1 digest  ?2 type  ?3 parts
INSERT INTO matcher (digest, type, parts) VALUES (?1, ?2, ?3) ON CONFLICT (digest) DO NOTHING;

-- name: matcher_complete
-- No row changed: there is no such matcher. ?1 digest
UPDATE matcher SET complete = 1 WHERE digest = ?1;

-- name: subscription_end
-- ?1 instance  ?2 visit  ?3 ordinal
DELETE FROM subscription WHERE instance = ?1 AND visit = ?2 AND ordinal = ?3;

-- name: subscriptions_end
-- Those of a bookmark that has ended. ?1 instance  ?2 visit
DELETE FROM subscription WHERE instance = ?1 AND visit = ?2;

-- name: subscriptions_end_all
-- ?1 instance that has ended
DELETE FROM subscription WHERE instance = ?1;

-- name: matcher_count
-- All, and those that are complete.
SELECT (SELECT count(*) FROM matcher), (SELECT count(*) FROM matcher WHERE complete = 1);

-- name: messages_new
-- ?1 behind number  ?2 limit
SELECT number, source, id, type, actor, body, received_ms, expires_ms, state, nonce FROM message
WHERE state = 'new' AND number > ?1 ORDER BY number LIMIT ?2;

-- name: messages_kept
-- ?1 behind number  ?2 limit  ?3 now
SELECT number, source, id, type, actor, body, received_ms, expires_ms, state, nonce FROM message
WHERE state = 'kept' AND number > ?1 AND expires_ms > ?3 ORDER BY number LIMIT ?2;

-- name: messages_kept_type
-- ... ?4 type
SELECT number, source, id, type, actor, body, received_ms, expires_ms, state, nonce FROM message
WHERE state = 'kept' AND type = ?4 AND number > ?1 AND expires_ms > ?3 ORDER BY number LIMIT ?2;

-- name: message_get
-- ?1 source  ?2 id
SELECT number, source, id, type, actor, body, received_ms, expires_ms, state, nonce FROM message
WHERE source = ?1 AND id = ?2;

-- name: matchers
SELECT digest, type, parts, complete FROM matcher ORDER BY digest;

-- name: subscriptions_fed
-- Behind (?1 instance, ?2 visit, ?3 ordinal); ?4 limit  ?5 mask: bit n is partition n
SELECT s.instance, s.visit, s.ordinal, s.matcher, s.hash
FROM subscription AS s JOIN instance AS i ON i.id = s.instance
WHERE (s.instance, s.visit, s.ordinal) > (?1, ?2, ?3) AND (?5 >> i.partition) & 1
      AND EXISTS (SELECT 1 FROM message_key WHERE hash = s.hash)
ORDER BY s.instance, s.visit, s.ordinal LIMIT ?4;

-- name: subscriptions_instance
-- Behind (?1 instance, ?2 visit, ?3 ordinal) of ?5 instance; ?4 limit
SELECT instance, visit, ordinal, matcher, hash FROM subscription
WHERE instance = ?5 AND (instance, visit, ordinal) > (?1, ?2, ?3)
ORDER BY instance, visit, ordinal LIMIT ?4;

-- name: subscriptions_matcher
-- Behind (?1 instance, ?2 visit, ?3 ordinal); ?4 limit  ?5 matcher
SELECT instance, visit, ordinal, matcher, hash FROM subscription INDEXED BY subscription_matcher
WHERE matcher = ?5 AND (instance, visit, ordinal) > (?1, ?2, ?3)
ORDER BY instance, visit, ordinal LIMIT ?4;

-- name: deliveries
-- ?1 instance  ?2 behind number
SELECT d.visit, d.number, m.source, m.id, m.actor, m.body
FROM delivery AS d INDEXED BY delivery_pending JOIN message AS m ON m.number = d.number
WHERE d.instance = ?1 AND d.consumed_step IS NULL AND d.number > ?2
ORDER BY d.number, d.partition, d.visit;

-- name: deliveries_pending
-- ?1 behind instance  ?2 limit  ?3 mask: bit n is partition n
SELECT DISTINCT instance FROM delivery INDEXED BY delivery_pending
WHERE consumed_step IS NULL AND instance > ?1 AND (?3 >> partition) & 1
ORDER BY instance LIMIT ?2;
