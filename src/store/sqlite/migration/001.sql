-- Schema 1. Never edited after a release: a change is the next number.
--
-- Conventions
--   *_ms         milliseconds since the Unix epoch, UTC; NULL: not yet, never, none
--   JSON         text, checked by the program, never by the database: a check here would read it again
--                at every write
--   NULL         an absent text; the empty text is not stored where the program cannot tell them apart
--   WITHOUT ROWID where the key leads with the instance, so that what belongs together lies together and
--                a row costs one tree; not for large rows
--   ON DELETE CASCADE below instance: what belongs to an instance goes with it, in the transaction
--                that deletes it. RESTRICT where the other side would lose its meaning.
--   OR           where a check has more than two values: for IN, SQLite makes a temporary index of them at
--                every row that is written, 8 % of a step's instructions
-- Length limits are repeated from the program (store.c), as the last line of defence.

CREATE TABLE migration (
    version INTEGER NOT NULL PRIMARY KEY,
    applied_ms INTEGER NOT NULL,
    program TEXT NOT NULL
) STRICT;

CREATE TABLE store_info (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    generation TEXT NOT NULL CHECK (length(generation) = 32), -- changed when a backup is restored
    secret TEXT NOT NULL CHECK (length(secret) = 64), -- signs the tokens of jobs; never shown
    created_ms INTEGER NOT NULL
) STRICT;

---- definitions

CREATE TABLE definition (
    namespace TEXT NOT NULL CHECK (length(namespace) BETWEEN 1 AND 256),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 256),
    version TEXT NOT NULL CHECK (length(version) BETWEEN 1 AND 256),
    digest TEXT NOT NULL CHECK (length(digest) BETWEEN 1 AND 128),
    level INTEGER NOT NULL CHECK (level >= 0), -- the evaluator's, when it was published
    status TEXT NOT NULL CHECK (status = 'draft' OR status = 'published' OR status = 'deprecated' OR status = 'archived'),
    created_ms INTEGER NOT NULL,
    scheduled INTEGER NOT NULL DEFAULT 0 CHECK (scheduled IN (0, 1)), -- it has a schedule
    document TEXT NOT NULL,
    PRIMARY KEY (namespace, name, version)
) STRICT;
CREATE INDEX definition_by_name ON definition (name, namespace, version);

-- Running instances depend on it, so what was published stays as it is; only its status may move on.
CREATE TRIGGER definition_is_immutable
BEFORE UPDATE OF namespace, name, version, digest, level, created_ms, scheduled, document ON definition
WHEN old.status <> 'draft'
BEGIN
    SELECT RAISE(ABORT, 'a published definition cannot be changed: publish a new version');
END;

---- instances

-- state is last: what is before it is read without touching its pages. Rows of up to megabytes: a
-- rowid table. parent has no foreign key: a child may outlive its parent's row.
CREATE TABLE instance (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128),
    partition INTEGER NOT NULL CHECK (partition BETWEEN 0 AND 63), -- a hash of id: who owns it
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status = 'pending' OR status = 'running' OR status = 'waiting' OR status = 'suspended' OR
                                status = 'compensating' OR status = 'completed' OR status = 'faulted' OR status = 'cancelled' OR
                                status = 'compensated'),
    token INTEGER NOT NULL CHECK (token >= 1), -- the sequence of its last step
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    wake_at INTEGER CHECK (wake_at >= 0), -- 0: needs driving now; NULL: only a command can move it
    business_key TEXT CHECK (length(business_key) BETWEEN 1 AND 512),
    input_digest TEXT NOT NULL CHECK (length(input_digest) <= 128),
    correlation TEXT CHECK (length(correlation) BETWEEN 1 AND 512),
    labels TEXT,
    parent TEXT CHECK (length(parent) BETWEEN 1 AND 128),
    schedule INTEGER NOT NULL DEFAULT 0 CHECK (schedule IN (0, 1)), -- it is the schedule of its definition
    trace TEXT CHECK (length(trace) BETWEEN 1 AND 512), -- W3C traceparent of its start
    output TEXT,
    error TEXT,
    state_format INTEGER NOT NULL CHECK (state_format >= 1),
    state TEXT NOT NULL,
    FOREIGN KEY (namespace, name, version) REFERENCES definition ON DELETE RESTRICT,
    CHECK ((ended_ms IS NULL) = (status <> 'completed' AND status <> 'faulted' AND status <> 'cancelled' AND
                                 status <> 'compensated')),
    CHECK (ended_ms IS NULL OR wake_at IS NULL)
) STRICT;
CREATE INDEX instance_wake ON instance (wake_at, id, partition) WHERE wake_at IS NOT NULL;
CREATE INDEX instance_created ON instance (created_ms, id);
CREATE INDEX instance_status ON instance (status, created_ms, id, schedule, namespace); -- counts need no more
CREATE INDEX instance_name ON instance (name, created_ms, id);
CREATE INDEX instance_parent ON instance (parent, created_ms, id) WHERE parent IS NOT NULL;
CREATE INDEX instance_schedule ON instance (created_ms, id) WHERE schedule = 1;
CREATE INDEX instance_business_key ON instance (business_key, created_ms, id) WHERE business_key IS NOT NULL;
-- Whoever gives none has its own id, which needs no index.
CREATE INDEX instance_correlation ON instance (correlation, created_ms, id) WHERE correlation <> id;

-- What `labels` says, to find instances by it.
CREATE TABLE label (
    instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 256),
    value TEXT NOT NULL CHECK (length(value) <= 256),
    created_ms INTEGER NOT NULL, -- the instance's
    PRIMARY KEY (instance, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX label_value ON label (name, value, created_ms, instance);

-- The audit trail: rows are added, never changed, and go only together with their instance.
CREATE TABLE step (
    instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    event TEXT NOT NULL CHECK (length(event) BETWEEN 1 AND 64),
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL CHECK (length(actor) BETWEEN 1 AND 512),
    correlation TEXT CHECK (length(correlation) BETWEEN 1 AND 512), -- NULL: the instance's
    epoch INTEGER NOT NULL CHECK (epoch >= 0), -- of the partition, under which it was decided; 0: not by a node
    nonce INTEGER NOT NULL DEFAULT 0, -- of a first step: random, names it among others of one key
    entries TEXT NOT NULL, -- JSON array
    cause TEXT CHECK (length(cause) >= 1), -- JSON: what of the event the entries do not tell; NULL: nothing
    PRIMARY KEY (instance, sequence)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER step_is_never_changed BEFORE UPDATE ON step
BEGIN
    SELECT RAISE(ABORT, 'the execution log is append-only');
END;

-- The cascade deletes after the instance itself, so it passes.
CREATE TRIGGER step_is_never_deleted_alone BEFORE DELETE ON step
WHEN EXISTS (SELECT 1 FROM instance WHERE id = old.instance)
BEGIN
    SELECT RAISE(ABORT, 'the execution log is append-only: it goes only with its instance');
END;

CREATE VIEW execution_log AS
SELECT step.instance, step.sequence, entry.key AS ordinal, step.at_ms, step.event, step.actor,
       coalesce(step.correlation, instance.correlation) AS correlation, entry.value AS entry
FROM step JOIN instance ON instance.id = step.instance, json_each(step.entries) AS entry;

CREATE TABLE payload (
    instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    digest TEXT NOT NULL CHECK (length(digest) BETWEEN 1 AND 128),
    value TEXT NOT NULL,
    PRIMARY KEY (instance, digest)
) STRICT;

CREATE TRIGGER payload_is_never_changed BEFORE UPDATE ON payload
BEGIN
    SELECT RAISE(ABORT, 'a payload is named by its content and cannot be changed');
END;

-- Parts of the state: the branches of a fork with many. Each changes alone; all go when the fork ends.
CREATE TABLE branch (
    instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    fork INTEGER NOT NULL CHECK (fork >= 1), -- its visit
    number INTEGER NOT NULL CHECK (number >= 0),
    state TEXT NOT NULL,
    PRIMARY KEY (instance, fork, number)
) STRICT, WITHOUT ROWID;

-- A visit belongs to one task, so (instance, visit, key) is unique where (instance, task, visit, key) is.
CREATE TABLE bookmark (
    instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    visit INTEGER NOT NULL CHECK (visit >= 0),
    key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 1024),
    kind TEXT NOT NULL CHECK (kind = 'user-action' OR kind = 'timer' OR kind = 'external-message' OR kind = 'child'),
    task TEXT NOT NULL,
    assigned_to TEXT,
    candidates TEXT,
    message_type TEXT, -- for people: what a message is looked at by is in subscription
    due_at INTEGER,
    priority INTEGER NOT NULL DEFAULT 0, -- of a person's task: higher goes first
    payload TEXT,
    claimed_by TEXT,
    claimed_until INTEGER,
    created_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    consumed INTEGER NOT NULL DEFAULT 0 CHECK (consumed IN (0, 1)),
    ended_by TEXT,
    digest TEXT,
    -- the order of tasks, rising: the most urgent first, what is due before what never is
    rank INTEGER NOT NULL GENERATED ALWAYS AS (-priority) VIRTUAL,
    due_rank INTEGER NOT NULL GENERATED ALWAYS AS (coalesce(due_at, 9223372036854775807)) VIRTUAL,
    PRIMARY KEY (instance, visit, key),
    CHECK (ended_ms IS NOT NULL OR consumed = 0),
    CHECK (claimed_by IS NOT NULL OR claimed_until IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX bookmark_by_key ON bookmark (instance, key, visit);
CREATE INDEX bookmark_open ON bookmark (instance, visit, key) WHERE ended_ms IS NULL;
CREATE INDEX bookmark_kind ON bookmark (kind, created_ms, instance, visit, key) WHERE ended_ms IS NULL;
CREATE INDEX bookmark_task ON bookmark (rank, due_rank, created_ms, instance, visit, key)
WHERE ended_ms IS NULL AND kind = 'user-action';

-- Who may do an open task of a person's, in the order of tasks: 'u:' and its assignee; of one without an assignee 'u:' and each
-- candidate, 'g:' and each group; '*' of one that has neither assignee nor candidates.
CREATE TABLE bookmark_person (
    who TEXT NOT NULL,
    rank INTEGER NOT NULL,
    due_rank INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    instance TEXT NOT NULL,
    visit INTEGER NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (who, rank, due_rank, created_ms, instance, visit, key),
    FOREIGN KEY (instance, visit, key) REFERENCES bookmark ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX bookmark_person_of ON bookmark_person (instance, visit, key); -- for its end, and the foreign key

CREATE TABLE external_call (
    instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 1024), -- idempotency key, the same over retries
    visit INTEGER NOT NULL CHECK (visit >= 0), -- the newest that wants it
    revision INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL CHECK (attempt >= 0),
    attempts INTEGER NOT NULL CHECK (attempts >= 1), -- how often it was committed as pending
    state TEXT NOT NULL CHECK (state = 'pending' OR state = 'completed' OR state = 'failed' OR state = 'timed-out' OR
                               state = 'abandoned' OR state = 'unknown'),
    created_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    duration_ms INTEGER NOT NULL DEFAULT 0,
    timeout_ms INTEGER NOT NULL,
    task TEXT NOT NULL,
    kind TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    method TEXT NOT NULL,
    request TEXT NOT NULL,
    outcome TEXT,
    PRIMARY KEY (instance, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX external_call_pending ON external_call (instance, visit, key) WHERE state = 'pending';

-- What was done, and how it is undone: a row for each effect, a step of the instance's compensation plan. What was done
-- again under the same key takes the row over, and moves to the end.
CREATE TABLE compensation (
    instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL CHECK (ordinal >= 1), -- of completion; carried out from the highest down
    key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 1024), -- of the effect
    task TEXT NOT NULL, -- what was done
    visit INTEGER NOT NULL CHECK (visit >= 0),
    branch TEXT, -- of the forks that it was in
    child TEXT CHECK (length(child) BETWEEN 1 AND 128), -- a child that is to be compensated itself
    state TEXT NOT NULL CHECK (state = 'registered' OR state = 'running' OR state = 'done' OR state = 'failed' OR
                               state = 'skipped' OR state = 'unknown'),
    carried_out_by INTEGER CHECK (carried_out_by >= 1), -- the visit of what undoes it
    created_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    arguments TEXT, -- evaluated when the task ended
    error TEXT,
    PRIMARY KEY (instance, ordinal),
    CHECK ((ended_ms IS NULL) = (state = 'registered' OR state = 'running' OR state = 'unknown'))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX compensation_key ON compensation (instance, key);
CREATE INDEX compensation_left ON compensation (instance, ordinal) WHERE ended_ms IS NULL;

-- An incident that needs a person while it is open. What is open is looked for along what it is like; all that ever
-- was only by its time, or its instance.
CREATE TABLE fault (
    instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    step INTEGER NOT NULL CHECK (step >= 1),
    name TEXT NOT NULL, -- the instance's
    task TEXT NOT NULL,
    visit INTEGER NOT NULL CHECK (visit >= 0),
    kind TEXT NOT NULL,
    class TEXT NOT NULL,
    attempt INTEGER NOT NULL CHECK (attempt >= 0),
    decision TEXT NOT NULL,
    action TEXT NOT NULL, -- what a person should check and do next
    error TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    resolved_ms INTEGER,
    resolved_by TEXT,
    resolution TEXT,
    PRIMARY KEY (instance, step),
    CHECK ((resolved_ms IS NULL) = (resolved_by IS NULL)),
    CHECK ((resolved_ms IS NULL) = (resolution IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX fault_created ON fault (created_ms, instance, step);
CREATE INDEX fault_open_of ON fault (instance) WHERE resolved_ms IS NULL;
CREATE INDEX fault_open ON fault (created_ms, instance, step) WHERE resolved_ms IS NULL;
CREATE INDEX fault_open_name ON fault (name, created_ms, instance, step) WHERE resolved_ms IS NULL;
CREATE INDEX fault_open_task ON fault (task, created_ms, instance, step) WHERE resolved_ms IS NULL;
CREATE INDEX fault_open_class ON fault (class, created_ms, instance, step) WHERE resolved_ms IS NULL;
CREATE INDEX fault_open_kind ON fault (kind, created_ms, instance, step) WHERE resolved_ms IS NULL;

---- events out

CREATE TABLE outbox (
    instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    step INTEGER NOT NULL CHECK (step >= 1),
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0), -- the event's id is instance-step-ordinal
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    payload TEXT NOT NULL, -- the CloudEvent
    PRIMARY KEY (instance, step, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox_delivery (
    instance TEXT NOT NULL,
    step INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    sink TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state = 'pending' OR state = 'published' OR state = 'dead' OR state = 'discarded'),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER,
    leased_by TEXT,
    leased_until INTEGER,
    error TEXT,
    PRIMARY KEY (instance, step, ordinal, sink),
    FOREIGN KEY (instance, step, ordinal) REFERENCES outbox ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

---- events in

-- target has no foreign key: the row that starts a child is there before the child.
CREATE TABLE inbox (
    target TEXT NOT NULL CHECK (length(target) BETWEEN 1 AND 128),
    dedupe_key TEXT NOT NULL CHECK (length(dedupe_key) BETWEEN 1 AND 1024),
    partition INTEGER NOT NULL CHECK (partition BETWEEN 0 AND 63), -- of the target
    kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    actor TEXT,
    created_ms INTEGER NOT NULL,
    consumed_step INTEGER CHECK (consumed_step >= 1), -- in which it had its effect
    payload TEXT,
    answer TEXT, -- what the sender was told; a repeat is told the same
    PRIMARY KEY (target, dedupe_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_pending ON inbox (created_ms, target, dedupe_key, partition) WHERE consumed_step IS NULL;
CREATE INDEX inbox_answer ON inbox (created_ms) -- of requests with a key, which are forgotten some day
WHERE consumed_step IS NOT NULL AND substr(dedupe_key, 1, 8) = 'request:';

-- A CloudEvent that came in, numbered in the order of arrival.
CREATE TABLE message (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number >= 1),
    source TEXT NOT NULL CHECK (length(source) BETWEEN 1 AND 1024),
    id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 1024),
    type TEXT NOT NULL CHECK (length(type) BETWEEN 1 AND 1024),
    state TEXT NOT NULL CHECK (state = 'new' OR state = 'delivered' OR state = 'kept'),
    actor TEXT NOT NULL CHECK (length(actor) BETWEEN 1 AND 512),
    received_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    nonce INTEGER NOT NULL, -- random, of who put it
    taken INTEGER NOT NULL DEFAULT 0 CHECK (taken IN (0, 1)), -- by an instance that was deleted since
    body TEXT NOT NULL,
    UNIQUE (source, id)
) STRICT;
CREATE INDEX message_new ON message (number) WHERE state = 'new';
CREATE INDEX message_kept ON message (type, number) WHERE state = 'kept';
CREATE INDEX message_kept_any ON message (number) WHERE state = 'kept'; -- for matchers of every type
CREATE INDEX message_expiry ON message (expires_ms);

-- One way to look at messages; grows with definitions, not with instances.
CREATE TABLE matcher (
    digest TEXT NOT NULL PRIMARY KEY CHECK (length(digest) BETWEEN 1 AND 128),
    type TEXT, -- NULL: any
    parts TEXT NOT NULL, -- JSON array
    complete INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)) -- every kept message has its key of it
) STRICT, WITHOUT ROWID;
CREATE INDEX matcher_complete ON matcher (complete);

-- What an open bookmark wants to be delivered.
CREATE TABLE subscription (
    instance TEXT NOT NULL,
    visit INTEGER NOT NULL,
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    matcher TEXT NOT NULL REFERENCES matcher ON DELETE RESTRICT,
    hash TEXT NOT NULL CHECK (length(hash) BETWEEN 1 AND 128), -- of the matcher and the values expected
    PRIMARY KEY (instance, visit, ordinal),
    FOREIGN KEY (instance) REFERENCES instance (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX subscription_hash ON subscription (hash, instance, visit);
CREATE INDEX subscription_matcher ON subscription (matcher); -- for the foreign key, and for new matchers

-- Under which hashes a kept message may be wanted.
CREATE TABLE message_key (
    hash TEXT NOT NULL CHECK (length(hash) BETWEEN 1 AND 128),
    number INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,
    PRIMARY KEY (hash, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_key_number ON message_key (number); -- for the foreign key

-- A message reaches a bookmark once: also one that was given back leaves its row.
CREATE TABLE delivery (
    instance TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    visit INTEGER NOT NULL,
    number INTEGER NOT NULL REFERENCES message ON DELETE RESTRICT,
    partition INTEGER NOT NULL CHECK (partition BETWEEN 0 AND 63), -- of the instance
    created_ms INTEGER NOT NULL,
    consumed_step INTEGER CHECK (consumed_step >= 0), -- NULL: not yet taken; 0: it was not wanted
    PRIMARY KEY (instance, visit, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_pending ON delivery (instance, number, partition) WHERE consumed_step IS NULL;
CREATE INDEX delivery_message ON delivery (number, consumed_step); -- for the foreign key, and who has it

---- services, nodes, people

CREATE TABLE breaker (
    service TEXT NOT NULL PRIMARY KEY CHECK (length(service) BETWEEN 1 AND 1024),
    state TEXT NOT NULL CHECK (state = 'closed' OR state = 'open' OR state = 'half-open'),
    epoch INTEGER NOT NULL CHECK (epoch >= 1), -- compare-and-set: rises with each change
    open_until INTEGER,
    forced TEXT CHECK (forced IN ('open', 'closed')),
    probe_by TEXT,
    probe_until INTEGER,
    changed_ms INTEGER NOT NULL,
    changed_by TEXT NOT NULL CHECK (length(changed_by) BETWEEN 1 AND 512),
    reason TEXT,
    CHECK ((state = 'half-open') = (probe_by IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- Heartbeats touch `node` only, and a take-over `partition` only: so a commit that holds its partition's row
-- never waits for a heartbeat.
CREATE TABLE node (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128), -- of one process, never used again
    started_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    leased_until INTEGER, -- by the database's clock; NULL: for ever, the store has one owner
    state_format INTEGER NOT NULL -- the highest it can read
) STRICT, WITHOUT ROWID;

CREATE TABLE partition (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number BETWEEN 0 AND 63),
    epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0), -- fencing: rises at every take-over
    node TEXT REFERENCES node (id) ON DELETE SET NULL
) STRICT;
CREATE INDEX partition_node ON partition (node); -- for the foreign key

INSERT INTO partition (number)
WITH RECURSIVE n (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM n WHERE number < 63)
SELECT number FROM n;

-- A token and whom it stands for.
CREATE TABLE principal (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128), -- the token's, public
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 512), -- the identity's; it may have several tokens
    digest TEXT NOT NULL UNIQUE CHECK (length(digest) BETWEEN 1 AND 128), -- of the secret, which is nowhere
    roles TEXT NOT NULL, -- JSON array of {"role", "namespace"}
    group_names TEXT, -- JSON array
    note TEXT,
    created_by TEXT,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER,
    revoked_by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX principal_name ON principal (name, created_ms, id);

-- Commands of no instance that were asked for under a key, until they are forgotten.
CREATE TABLE request (
    actor TEXT NOT NULL CHECK (length(actor) <= 512),
    key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 1024),
    digest TEXT NOT NULL CHECK (length(digest) BETWEEN 1 AND 128),
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_created ON request (created_ms);

-- One action on many instances, as an operator wanted it, and how far it is.
CREATE TABLE bulk (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128),
    request TEXT NOT NULL CHECK (length(request) BETWEEN 1 AND 1048576), -- JSON
    actor TEXT NOT NULL CHECK (length(actor) BETWEEN 1 AND 512),
    created_ms INTEGER NOT NULL,
    epoch INTEGER NOT NULL CHECK (epoch >= 1), -- compare-and-set: rises with each change
    state TEXT NOT NULL CHECK (state = 'running' OR state = 'stopped' OR state = 'done'),
    cursor TEXT, -- behind the page, or the first if there is none; NULL: nothing is behind it
    page TEXT, -- JSON array of incidents that are at work: their counts are not in this row
    counted INTEGER NOT NULL CHECK (counted >= 0),
    done INTEGER NOT NULL CHECK (done >= 0),
    skipped INTEGER NOT NULL CHECK (skipped >= 0),
    failed INTEGER NOT NULL CHECK (failed >= 0),
    node TEXT, -- who is at it
    leased_until INTEGER,
    changed_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    stopped_by TEXT,
    CHECK ((state = 'done') = (ended_ms IS NOT NULL)),
    CHECK (state <> 'done' OR page IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX bulk_created ON bulk (created_ms, id);
CREATE INDEX bulk_work ON bulk (created_ms, id) WHERE state = 'running' OR page IS NOT NULL;

CREATE TABLE bulk_failure (
    bulk TEXT NOT NULL REFERENCES bulk (id) ON DELETE CASCADE,
    number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 1000),
    instance TEXT NOT NULL CHECK (length(instance) BETWEEN 1 AND 128),
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (bulk, number)
) STRICT, WITHOUT ROWID;
