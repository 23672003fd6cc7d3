-- Statements of the operator side of the engine: registry, audit, events, forms and gate, service calls, read models.

-- ---- registry ----

-- name: reg_setting_default
INSERT INTO settings (name, value, changed_by, changed_at) VALUES (:name, :value, 'SYSTEM', :now)
ON CONFLICT (name) DO NOTHING

-- name: reg_setting_put
INSERT INTO settings (name, value, changed_by, changed_at) VALUES (:name, :value, :actor, :now)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_by = excluded.changed_by, changed_at = excluded.changed_at

-- name: reg_setting
SELECT value, changed_at FROM settings WHERE name = :name

-- name: reg_definition_insert
INSERT INTO definitions (hash, workflow, doc, seen_at) VALUES (:hash, :workflow, :doc, :now)
ON CONFLICT (hash) DO NOTHING

-- name: reg_catalog_text
INSERT INTO catalog_texts (kind, id, name, description, created_at) VALUES (:kind, :id, :name, :description, :now)
ON CONFLICT (kind, id) DO NOTHING

-- name: reg_subscriptions_page
SELECT id, description FROM subscriptions WHERE id > :after ORDER BY id LIMIT CAST(:limit AS bigint)

-- ---- audit ----

-- name: audit_insert append
INSERT INTO audit (chain, seq, actor, reason, ticket, correlation_id, body, at, prev_hash, hash)
VALUES (:chain, :seq, :actor, :reason, :ticket, :correlation_id, :body, :at, :prev_hash, :hash)

-- name: audit_newest
SELECT chain, seq, actor, reason, ticket, correlation_id, body, at, prev_hash, hash FROM audit
ORDER BY at DESC, chain DESC, seq DESC LIMIT CAST(:limit AS bigint)

-- name: audit_chain
SELECT chain, seq, actor, reason, ticket, correlation_id, body, at, prev_hash, hash FROM audit
WHERE chain = :chain ORDER BY seq LIMIT CAST(:limit AS bigint)

-- name: audit_page
SELECT chain, seq, actor, reason, ticket, correlation_id, body, at, prev_hash, hash FROM audit
WHERE (chain, seq) > (CAST(:chain AS text), CAST(:seq AS bigint)) ORDER BY chain, seq LIMIT CAST(:limit AS bigint)

-- name: audit_heads
SELECT a.chain, a.seq, a.hash, a.at FROM audit a
JOIN (SELECT chain AS chain, MAX(seq) AS seq FROM audit WHERE at >= CAST(:since AS bigint) AND chain > CAST(:after AS text)
      GROUP BY chain ORDER BY chain LIMIT CAST(:limit AS bigint)) h
  ON h.chain = a.chain AND h.seq = a.seq
ORDER BY a.chain

-- name: audit_head
SELECT (SELECT hash FROM audit WHERE chain = CAST(:chain AS text) AND seq = CAST(:seq AS bigint)) AS hash,
       (SELECT MAX(seq) FROM audit WHERE chain = CAST(:chain AS text)) AS newest

-- name: audit_seal_newest
SELECT n, at, hash FROM audit_seals ORDER BY n DESC LIMIT 1

-- name: audit_seal_insert
INSERT INTO audit_seals (n, at, rows, heads, prev_hash, hash) VALUES (:n, :at, :rows, :heads, :prev_hash, :hash)

-- name: audit_seals
SELECT n, at, rows, heads, prev_hash, hash FROM audit_seals WHERE n > CAST(:n AS bigint) ORDER BY n LIMIT CAST(:limit AS bigint)

-- ---- events ----

-- name: event_insert append
INSERT INTO outbox (events, doc, created_at) VALUES (:events, :doc, :now)

-- One writer: what it inserts becomes visible in that order, so the number is given at once. The settings row keeps the highest number of
-- rows that are deleted.
-- name: event_insert sqlite
INSERT INTO outbox (seq, events, doc, created_at)
SELECT max(COALESCE((SELECT MAX(o.seq) FROM outbox o WHERE o.seq IS NOT NULL), 0),
           COALESCE((SELECT CAST(s.value AS bigint) FROM settings s WHERE s.name = 'event_seq'), 0)) + CAST(:events AS bigint),
       CAST(:events AS bigint), :doc, :now

-- The row of settings is the sequencer's lock: the second one waits here and numbers what the first one left.
-- name: event_turn
UPDATE settings SET value = CAST((SELECT CASE WHEN MAX(o.seq) > CAST(settings.value AS bigint) THEN MAX(o.seq)
                                              ELSE CAST(settings.value AS bigint) END FROM outbox o WHERE o.seq IS NOT NULL) AS text)
WHERE name = 'event_seq'

-- name: event_number
UPDATE outbox SET seq = (SELECT CAST(s.value AS bigint) FROM settings s WHERE s.name = 'event_seq') + n.place
FROM (SELECT u.id AS id, SUM(u.events) OVER (ORDER BY u.id) AS place FROM outbox u WHERE u.seq IS NULL
      ORDER BY u.id LIMIT CAST(:limit AS bigint)) n
WHERE outbox.id = n.id

-- name: event_numbered
UPDATE settings SET changed_at = CAST(:now AS bigint),
  value = CAST((SELECT CASE WHEN MAX(o.seq) > CAST(settings.value AS bigint) THEN MAX(o.seq)
                       ELSE CAST(settings.value AS bigint) END FROM outbox o WHERE o.seq IS NOT NULL) AS text)
WHERE name = 'event_seq' RETURNING CAST(value AS bigint) AS seq

-- name: event_newest
SELECT CASE WHEN m.seq > CAST(s.value AS bigint) THEN m.seq ELSE CAST(s.value AS bigint) END AS seq
FROM settings s, (SELECT MAX(o.seq) AS seq FROM outbox o WHERE o.seq IS NOT NULL) m WHERE s.name = 'event_seq'

-- name: event_page
SELECT seq, doc FROM outbox WHERE seq > CAST(:after AS bigint) ORDER BY seq LIMIT CAST(:limit AS bigint)

-- ---- gate and forms ----

-- name: gate_workflow_texts
SELECT name, description FROM catalog_texts WHERE kind = 'workflow'

-- name: form_product_status
SELECT id, status FROM catalog_texts WHERE kind = 'product'

-- The marker of the form memo: what was created last, and the state of the chosen subscription.
-- name: form_marker
SELECT (SELECT MAX(created_at) FROM subscriptions) AS newest,
       (SELECT version FROM subscriptions WHERE id = CAST(:id AS text)) AS version,
       (SELECT lock_seq FROM subscriptions WHERE id = CAST(:id AS text)) AS lock_seq

-- ---- starting ----

-- name: svc_idempotency
SELECT request, process_id FROM idempotency WHERE actor = :actor AND key = :key

-- name: svc_idempotency_insert
INSERT INTO idempotency (actor, key, request, process_id, created_at) VALUES (:actor, :key, :request, :process_id, :now)

-- The conditions of the form once more, on the row itself; null breaks NOT NULL and with it the unit (W12).
-- name: svc_target_check
UPDATE subscriptions SET lock_seq = CASE
  WHEN CAST(:usable AS text) LIKE '%,' || status || ',%'
   AND (CAST(:in_sync AS bigint) = 0 OR insync = 1)
   AND (CAST(:version AS bigint) < 0 OR version = CAST(:version AS bigint))
  THEN lock_seq + 1 END
WHERE id = CAST(:id AS text)

-- name: svc_shared_check
UPDATE subscriptions SET lock_seq = CASE WHEN status <> 'terminated' THEN lock_seq + 1 END WHERE id = CAST(:id AS text)

-- The row is locked by the statement before; this one sees what was committed while it waited (W10).
-- name: svc_lock_check
UPDATE subscriptions SET lock_seq = CASE
  WHEN EXISTS (SELECT 1 FROM process_locks l WHERE l.subscription_id = subscriptions.id
                 AND l.process_id <> CAST(:process_id AS text)
                 AND (l.mode = 'exclusive' OR CAST(:mode AS text) = 'exclusive'))
  THEN NULL ELSE lock_seq END
WHERE id = CAST(:id AS text)

-- name: svc_lock_insert
INSERT INTO process_locks (subscription_id, process_id, mode, taken_at) VALUES (:id, :process_id, :mode, :now)

-- name: svc_relations_check
UPDATE subscriptions SET lock_seq = CASE
  WHEN EXISTS (SELECT 1 FROM blocks own JOIN block_refs r ON r.to_id = own.instance_id
                 JOIN blocks b ON b.instance_id = r.from_id JOIN subscriptions s ON s.id = b.subscription_id
               WHERE own.subscription_id = subscriptions.id AND s.id <> subscriptions.id
                 AND s.status <> 'terminated' AND s.insync = 0)
    OR EXISTS (SELECT 1 FROM blocks own JOIN block_refs r ON r.from_id = own.instance_id
                 JOIN blocks b ON b.instance_id = r.to_id JOIN subscriptions s ON s.id = b.subscription_id
               WHERE own.subscription_id = subscriptions.id AND s.id <> subscriptions.id
                 AND s.status <> 'terminated' AND s.insync = 0)
  THEN NULL ELSE lock_seq END
WHERE id = CAST(:id AS text)

-- name: svc_unused_check
UPDATE subscriptions SET lock_seq = CASE
  WHEN EXISTS (SELECT 1 FROM blocks own JOIN block_refs r ON r.to_id = own.instance_id
                 JOIN blocks b ON b.instance_id = r.from_id JOIN subscriptions s ON s.id = b.subscription_id
               WHERE own.subscription_id = subscriptions.id AND s.id <> subscriptions.id AND s.status <> 'terminated')
    OR EXISTS (SELECT 1 FROM subscriptions c WHERE c.customer_id = subscriptions.id AND c.id <> subscriptions.id
                 AND c.status <> 'terminated')
  THEN NULL ELSE lock_seq END
WHERE id = CAST(:id AS text)

-- name: svc_process_insert
INSERT INTO processes (id, workflow, workflow_id, target, is_task, priority, status, created_by, ticket, reason, correlation_id,
                       definition_hash, created_at, modified_at, lease_owner, lease_epoch, label, parent_id, parent_step, parent_item,
                       audit_seq, audit_hash, dry_run)
VALUES (:id, :workflow, :workflow_id, :target, :is_task, :priority, :status, :created_by, :ticket, :reason, :correlation_id,
        :definition_hash, :now, :now, :owner, :epoch, :label, :parent_id, :parent_step, :parent_item, :audit_seq, :audit_hash,
        :dry_run)

-- name: svc_input_insert
INSERT INTO process_inputs (process_id, step_key, n, kind, doc, actor, created_at, consumed_at)
VALUES (:process_id, :step_key, :n, :kind, :doc, :actor, :now, :consumed_at)

-- name: svc_lock_holder
SELECT l.process_id, l.mode, p.workflow, p.status, s.description
FROM process_locks l LEFT JOIN processes p ON p.id = l.process_id LEFT JOIN subscriptions s ON s.id = l.subscription_id
WHERE l.subscription_id = :id AND (l.mode = 'exclusive' OR CAST(:mode AS text) = 'exclusive')
ORDER BY l.mode, l.taken_at LIMIT 1

-- ---- acting on a process ----

-- name: svc_head
SELECT p.id, p.workflow, p.is_task, p.priority, p.status, p.lease_epoch, p.last_key, p.last_step, p.head_seq, p.delta_bytes,
       p.audit_seq, p.audit_hash, p.parent_id, p.wait_kind, p.requests,
       CASE WHEN p.lease_owner IS NULL THEN 1
            WHEN EXISTS (SELECT 1 FROM executors e WHERE e.incarnation = p.lease_owner AND e.retired_at IS NULL
                           AND e.expires_at > lp_now()) THEN 0
            ELSE 1 END AS free
FROM processes p WHERE p.id = :id

-- name: svc_take
UPDATE processes SET
  lease_epoch = CASE WHEN lease_epoch = CAST(:epoch AS bigint) AND status = CAST(:old AS text) THEN lease_epoch + 1 END,
  lease_owner = NULL, status = CAST(:status AS text), wake_at = NULL, wait_kind = NULL, wait_reason = NULL, label = NULL,
  modified_at = :now, audit_seq = :audit_seq, audit_hash = :audit_hash
WHERE id = :id

-- name: svc_waits
SELECT step_key, kind, MAX(n) AS newest, COUNT(consumed_at) AS consumed FROM process_inputs
WHERE process_id = :id AND kind IN ('form', 'callback') GROUP BY step_key, kind

-- name: svc_callback_touch
UPDATE processes SET
  status = CASE WHEN status = 'awaiting_callback' AND last_key = CAST(:step_key AS text) THEN 'resumed' ELSE status END,
  wake_at = CASE WHEN status = 'awaiting_callback' AND last_key = CAST(:step_key AS text) THEN NULL ELSE wake_at END
WHERE id = :id

-- name: svc_touch
UPDATE processes SET modified_at = :now WHERE id = :id

-- name: svc_callback_insert
INSERT INTO process_inputs (process_id, step_key, n, kind, doc, actor, created_at)
VALUES (:process_id, :step_key, :n, 'callback', :doc, 'callback', :now)
ON CONFLICT (process_id, step_key, n, kind) DO NOTHING

-- name: svc_callback_close
INSERT INTO process_inputs (process_id, step_key, n, kind, doc, actor, created_at, consumed_at)
VALUES (:process_id, :step_key, :n, 'callback', '{}', :actor, :now, :now)
ON CONFLICT (process_id, step_key, n, kind) DO UPDATE SET consumed_at = excluded.consumed_at

-- name: svc_progress_put
INSERT INTO process_inputs (process_id, step_key, n, kind, doc, actor, created_at)
VALUES (:process_id, :step_key, :n, 'progress', :doc, 'callback', :now)
ON CONFLICT (process_id, step_key, n, kind) DO UPDATE SET doc = excluded.doc, created_at = excluded.created_at

-- name: svc_request_insert
INSERT INTO process_requests (id, process_id, kind, actor, ticket, reason, correlation_id, created_at)
VALUES (:id, :process_id, :kind, :actor, :ticket, :reason, :correlation_id, :now)

-- The status is asked again: a process that ended in the meantime gets no request that nobody would read.
-- name: svc_request_mark
UPDATE processes SET
  lease_epoch = CASE WHEN status IN ('completed', 'aborted') THEN NULL ELSE lease_epoch END,
  requests = requests + 1, wake_at = CASE WHEN lease_owner IS NULL THEN CAST(:now AS bigint) ELSE wake_at END
WHERE id = :id

-- name: svc_abort_row
INSERT INTO process_steps (process_id, seq, step_id, key, title, status, created_by, started_at, completed_at)
VALUES (:process_id, :seq, :step_id, 'abort', 'User Aborted', 'abort', :actor, :now, :now)

-- name: svc_abort_head
UPDATE processes SET last_key = 'abort', last_step = 'User Aborted', head_seq = :seq, assignee = 'SYSTEM',
  failed_reason = NULL, error = NULL WHERE id = :id

-- name: svc_step_settle
UPDATE process_steps SET status = :status, delta = :delta, error = NULL, created_by = :actor, completed_at = :now
WHERE process_id = :process_id AND key = :key

-- name: svc_step_bytes
UPDATE processes SET delta_bytes = delta_bytes + CAST(:bytes AS bigint), failed_reason = NULL, error = NULL WHERE id = :id

-- name: svc_locks_release
DELETE FROM process_locks WHERE process_id = :process_id

-- name: svc_named_locks_release
DELETE FROM named_locks WHERE process_id = :process_id

-- name: svc_children_open
SELECT id FROM processes WHERE parent_id = :id AND status NOT IN ('completed', 'aborted')

-- name: svc_parent_wake
UPDATE processes SET wake_at = :now WHERE id = :id AND status = 'waiting' AND wait_kind = 'children'

-- name: svc_process_subscriptions
SELECT subscription_id FROM process_subscriptions WHERE process_id = :id

-- name: svc_note
UPDATE processes SET note = :note, modified_at = :now WHERE id = :id

-- name: svc_retryable_tasks
SELECT id, workflow, status, lease_epoch, last_key, priority FROM processes
WHERE is_task = 1 AND lease_owner IS NULL AND id > CAST(:after AS text) AND status NOT IN ('completed', 'aborted')
  AND (status IN ('failed', 'api_unavailable', 'inconsistent_data') OR (status = 'waiting' AND wait_kind = 'retry'))
ORDER BY id LIMIT CAST(:limit AS bigint)

-- name: svc_retry_one
UPDATE processes SET status = 'resumed', lease_epoch = lease_epoch + 1, wake_at = NULL, wait_kind = NULL, wait_reason = NULL,
  label = NULL, modified_at = :now
WHERE id = :id AND lease_epoch = :epoch AND status = :old AND lease_owner IS NULL

-- name: svc_delete_check
UPDATE processes SET lease_epoch = CASE WHEN is_task = 1 AND status IN ('completed', 'aborted') AND lease_owner IS NULL
  THEN lease_epoch + 1 END WHERE id = :id

-- name: svc_delete_steps
DELETE FROM process_steps WHERE process_id = :id

-- name: svc_delete_attempts
DELETE FROM step_attempts WHERE process_id = :id

-- name: svc_delete_compensations
DELETE FROM step_compensations WHERE process_id = :id

-- name: svc_delete_inputs
DELETE FROM process_inputs WHERE process_id = :id

-- name: svc_delete_requests
DELETE FROM process_requests WHERE process_id = :id

-- name: svc_delete_links
DELETE FROM process_subscriptions WHERE process_id = :id

-- name: svc_delete_process
DELETE FROM processes WHERE id = :id

-- ---- engine ----

-- name: svc_running
SELECT COUNT(*) AS n FROM processes p JOIN executors e ON e.incarnation = p.lease_owner
WHERE e.retired_at IS NULL AND e.expires_at > lp_now()

-- name: svc_queued
SELECT COUNT(*) AS n FROM processes WHERE status NOT IN ('completed', 'aborted') AND status IN ('created', 'running', 'resumed')
  AND lease_owner IS NULL

-- name: svc_drain_known
SELECT count(*) AS n FROM executors WHERE name = :name

-- name: svc_drain_add
INSERT INTO executor_drains (name, drained_by, reason, drained_at) VALUES (:name, :actor, CAST(:reason AS text), :now)
ON CONFLICT (name) DO UPDATE SET drained_by = excluded.drained_by, reason = excluded.reason, drained_at = excluded.drained_at

-- name: svc_drain_drop
DELETE FROM executor_drains WHERE name = :name

-- name: svc_executors
SELECT COUNT(*) AS n FROM executors WHERE retired_at IS NULL AND expires_at > lp_now()

-- ---- subscriptions ----

-- name: svc_not_validated
SELECT s.id, s.product_id, s.status FROM subscriptions s
WHERE s.id > CAST(:after AS text) AND s.status <> 'terminated'
  AND (s.validated_at IS NULL OR s.validated_at < (SELECT r.changed_at FROM settings r WHERE r.name = 'restored'))
ORDER BY s.id LIMIT CAST(:limit AS bigint)

-- name: svc_step_delta
SELECT delta FROM process_steps WHERE process_id = :process_id AND key = :key ORDER BY seq DESC LIMIT 1

-- name: svc_sub_turn
UPDATE subscriptions SET lock_seq = lock_seq + 1 WHERE id = :id

-- name: svc_sub_idle_check
UPDATE subscriptions SET lock_seq = CASE
  WHEN EXISTS (SELECT 1 FROM process_subscriptions l JOIN processes p ON p.id = l.process_id
               WHERE l.subscription_id = subscriptions.id AND p.is_task = 0 AND p.status NOT IN ('completed', 'aborted'))
    OR EXISTS (SELECT 1 FROM process_locks l JOIN processes p ON p.id = l.process_id
               WHERE l.subscription_id = subscriptions.id AND l.mode = 'exclusive' AND p.is_task = 0
                 AND p.status NOT IN ('completed', 'aborted'))
  THEN NULL ELSE lock_seq END
WHERE id = :id

-- name: svc_sub_unfinished
SELECT p.id FROM process_subscriptions l JOIN processes p ON p.id = l.process_id
WHERE l.subscription_id = :id AND p.is_task = 0 AND p.status NOT IN ('completed', 'aborted')
UNION
SELECT p.id FROM process_locks l JOIN processes p ON p.id = l.process_id
WHERE l.subscription_id = :id AND l.mode = 'exclusive' AND p.is_task = 0 AND p.status NOT IN ('completed', 'aborted')
ORDER BY 1


-- ---- task_validate_subscriptions ----

-- name: validate_oldest
SELECT s.id, s.product_id, s.status FROM subscriptions s WHERE s.status <> 'terminated'
ORDER BY COALESCE(s.validated_at, 0), s.id LIMIT CAST(:limit AS bigint)

-- name: validate_running
SELECT p.id FROM processes p WHERE p.workflow = :workflow
  AND p.status NOT IN ('completed', 'aborted') AND p.status IN ('created', 'running', 'resumed', 'waiting') LIMIT 1

-- name: validate_counts
SELECT p.status, count(*) AS n FROM processes p WHERE p.parent_id = :id AND p.parent_step = 'validations' GROUP BY p.status

-- name: validate_outcomes
SELECT p.id, p.status, p.workflow, p.failed_reason, s.id AS subscription_id, s.description
FROM processes p LEFT JOIN subscriptions s ON s.id = substr(p.parent_item, 1, 36)
WHERE p.parent_id = :id AND p.parent_step = 'validations' AND p.status <> 'completed'
ORDER BY p.status DESC, p.id LIMIT CAST(:limit AS bigint)
