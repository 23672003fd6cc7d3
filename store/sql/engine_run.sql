-- What the executor reads and writes. Every flush that touches a process begins with a statement that carries the fence:
-- a stale epoch becomes NULL in a NOT NULL column and fails the whole flush.

-- name: run_executor_add
INSERT INTO executors (incarnation, name, host, labels, version, threads, started_at, renewed_at, expires_at)
VALUES (:incarnation, :name, :host, :labels, :version, :threads, lp_now(), lp_now(), lp_now() + CAST(:lease AS bigint))

-- name: run_executor_renew
UPDATE executors SET renewed_at = lp_now(), expires_at = lp_now() + CAST(:lease AS bigint)
WHERE incarnation = :incarnation AND retired_at IS NULL

-- name: run_executor_revive
-- Retired or forgotten by others: only while no other living executor has the name.
UPDATE executors SET renewed_at = lp_now(), expires_at = lp_now() + CAST(:lease AS bigint), retired_at = NULL
WHERE incarnation = :incarnation
  AND NOT EXISTS (SELECT 1 FROM executors o WHERE o.name = executors.name AND o.incarnation <> executors.incarnation
                  AND o.retired_at IS NULL AND o.expires_at > lp_now())

-- name: run_executor_namesakes
SELECT o.incarnation, o.host, o.expires_at - lp_now() AS left_us,
  CASE WHEN o.expires_at > lp_now() THEN 1 ELSE 0 END AS alive
FROM executors o WHERE o.name = :name AND o.incarnation <> :incarnation AND o.retired_at IS NULL
ORDER BY o.expires_at DESC

-- name: run_executor_retire
UPDATE executors SET retired_at = lp_now() WHERE incarnation = :incarnation AND retired_at IS NULL

-- name: run_executor_retire_name
UPDATE executors SET retired_at = lp_now()
WHERE name = :name AND incarnation <> :incarnation AND retired_at IS NULL

-- name: run_executor_retire_others
UPDATE executors SET retired_at = lp_now() WHERE incarnation <> :incarnation AND retired_at IS NULL

-- name: run_claim
UPDATE processes SET lease_owner = CAST(:owner AS text), lease_epoch = lease_epoch + 1
WHERE id = :id AND status NOT IN ('completed', 'aborted')
  AND (status IN ('created', 'running', 'resumed') OR requests > 0 OR wake_at <= lp_now())
  AND (lease_owner IS NULL OR lease_owner = CAST(:owner AS text)
       OR NOT EXISTS (SELECT 1 FROM executors x WHERE x.incarnation = processes.lease_owner
                      AND x.retired_at IS NULL AND x.expires_at > lp_now()))
  AND (label IS NULL OR replace(CAST(:labels AS text), ',' || label || ',', '') <> CAST(:labels AS text))
  AND (target = 'VALIDATE' OR NOT EXISTS (
         SELECT 1 FROM settings r WHERE r.name = 'restored' AND r.value = '1' AND processes.created_at < r.changed_at
            AND NOT (processes.status = 'resumed' AND processes.modified_at >= r.changed_at)))
RETURNING workflow, target, is_task, priority, status, created_by, ticket, reason, correlation_id, definition_hash, last_key,
          last_step, wake_at, wait_kind, lease_epoch, parent_id, head_seq, snapshot_seq, delta_bytes, audit_seq, audit_hash,
          requests, label, window_id

-- name: run_claim_steps
SELECT s.seq, s.key, s.status, s.delta, s.snapshot, s.error, s.retries, s.completed_at
FROM process_steps s
WHERE s.process_id = :id AND s.seq >= (SELECT p.snapshot_seq FROM processes p WHERE p.id = :id)
ORDER BY s.seq

-- name: run_claim_inputs
SELECT i.step_key, i.n, i.kind, i.doc, i.actor
FROM process_inputs i
WHERE i.process_id = :id
  AND (i.kind IN ('form', 'callback') AND i.consumed_at IS NULL
       OR i.kind = 'initial' AND (SELECT p.snapshot_seq FROM processes p WHERE p.id = :id) = 0)
ORDER BY i.step_key, i.n

-- name: run_claim_attempt
SELECT a.step_key, a.n, a.outcome, a.token
FROM step_attempts a
WHERE a.process_id = :id AND a.step_key = (SELECT p.last_key FROM processes p WHERE p.id = :id)
ORDER BY a.n DESC LIMIT 1

-- name: run_fence
UPDATE processes SET
  lease_epoch = CASE WHEN lease_epoch = CAST(:epoch AS bigint) THEN lease_epoch END,
  lease_owner = CAST(:owner AS text), status = :status, assignee = :assignee, modified_at = :now,
  last_key = CAST(:key AS text), last_step = CAST(:title AS text), failed_reason = CAST(:failed AS text),
  error = CAST(:error AS text),
  wake_at = CASE WHEN requests > 0 AND CAST(:owner AS text) IS NULL THEN CAST(:now AS bigint)
                 ELSE CAST(:wake AS bigint) END,
  wait_kind = CAST(:wait_kind AS text), wait_reason = CAST(:wait_reason AS text), label = CAST(:label AS text),
  head_seq = :head, snapshot_seq = :snapshot, delta_bytes = :bytes, audit_seq = :audit_seq, audit_hash = :audit_hash
WHERE id = :id
RETURNING requests, window_id

-- The same for a process that goes on as it is: no column of an index is named, which SQLite would rewrite the entries of.
-- name: run_fence_on
UPDATE processes SET
  lease_epoch = CASE WHEN lease_epoch = CAST(:epoch AS bigint) THEN lease_epoch END,
  assignee = :assignee, modified_at = :now, last_key = CAST(:key AS text), last_step = CAST(:title AS text),
  head_seq = :head, snapshot_seq = :snapshot, delta_bytes = :bytes, audit_seq = :audit_seq, audit_hash = :audit_hash
WHERE id = :id
RETURNING requests, window_id

-- name: run_touch
UPDATE processes SET lease_epoch = CASE WHEN lease_epoch = CAST(:epoch AS bigint) THEN lease_epoch END
WHERE id = :id

-- name: run_begin
UPDATE processes SET lease_epoch = CASE WHEN lease_epoch = CAST(:epoch AS bigint) THEN lease_epoch END, status = 'running',
  modified_at = :now, last_key = :key, last_step = :title, wake_at = NULL, wait_kind = NULL, wait_reason = NULL,
  failed_reason = NULL, error = NULL
WHERE id = :id

-- A parent that looked and found nothing new: back to where it was.
-- name: run_park
UPDATE processes SET lease_epoch = CASE WHEN lease_epoch = CAST(:epoch AS bigint) THEN lease_epoch END, lease_owner = NULL,
  wake_at = CASE WHEN requests > 0 THEN CAST(:now AS bigint) ELSE CAST(:wake AS bigint) END
WHERE id = :id
RETURNING requests, window_id

-- name: run_release
UPDATE processes SET lease_epoch = CASE WHEN lease_epoch = CAST(:epoch AS bigint) THEN lease_epoch END, lease_owner = NULL
WHERE id = :id

-- name: run_step_add append
INSERT INTO process_steps (process_id, seq, step_id, key, title, status, delta, snapshot, error, retries, created_by,
                           assignee, started_at, completed_at)
VALUES (:id, :seq, :step_id, :key, :title, :status, :delta, CAST(:snapshot AS text), CAST(:error AS text), :retries,
        :created_by, :assignee, :started, :now)

-- name: run_step_set
UPDATE process_steps SET title = :title, status = :status, delta = :delta, snapshot = CAST(:snapshot AS text),
  error = CAST(:error AS text), retries = :retries, created_by = :created_by, assignee = :assignee,
  started_at = :started, completed_at = :now
WHERE process_id = :id AND seq = :seq

-- name: run_steps_drop
DELETE FROM process_steps WHERE process_id = :id AND seq >= :seq

-- name: run_steps_head
SELECT s.seq, s.key, s.status, s.snapshot IS NOT NULL AS has_snapshot, length(s.delta) AS bytes
FROM process_steps s WHERE s.process_id = :id ORDER BY s.seq

-- name: run_attempt_add append
INSERT INTO step_attempts (process_id, step_key, n, epoch, executor, token, started_at, ended_at, outcome, error)
VALUES (:id, :key, :n, :epoch, :executor, :token, :started, CAST(:ended AS bigint), :outcome, CAST(:error AS text))

-- name: run_attempt_end
UPDATE step_attempts SET outcome = :outcome, error = CAST(:error AS text), ended_at = CAST(:now AS bigint)
WHERE process_id = :id AND step_key = :key AND n = :n

-- name: run_attempt_last
SELECT step_key, n, outcome, token FROM step_attempts WHERE process_id = :id AND step_key = :key ORDER BY n DESC LIMIT 1

-- name: run_attempt_crashes
SELECT count(*) AS n FROM step_attempts
WHERE process_id = :id AND step_key = :key AND outcome = 'outcome-unknown' AND error IS NULL

-- name: run_inputs_consumed
SELECT count(*) AS n FROM process_inputs
WHERE process_id = :id AND step_key = :key AND kind = :kind AND consumed_at IS NOT NULL

-- name: run_input_consume
UPDATE process_inputs SET consumed_at = CAST(:now AS bigint)
WHERE process_id = :id AND step_key = :key AND n = :n AND kind = :kind

-- name: run_input_close
INSERT INTO process_inputs (process_id, step_key, n, kind, doc, actor, created_at, consumed_at)
VALUES (:id, :key, :n, :kind, :doc, :actor, :now, :now)
ON CONFLICT (process_id, step_key, n, kind) DO UPDATE SET consumed_at = excluded.consumed_at

-- name: run_input_keep
INSERT INTO process_inputs (process_id, step_key, n, kind, doc, actor, created_at, consumed_at)
VALUES (:id, :key, :n, :kind, :doc, :actor, :now, CAST(:consumed AS bigint))
ON CONFLICT (process_id, step_key, n, kind) DO NOTHING

-- name: run_progress
INSERT INTO process_inputs (process_id, step_key, n, kind, doc, actor, created_at, consumed_at)
VALUES (:id, :key, 0, 'progress', :doc, :actor, :now, :now)
ON CONFLICT (process_id, step_key, n, kind) DO UPDATE SET doc = excluded.doc, created_at = excluded.created_at

-- name: run_input_get
SELECT doc FROM process_inputs WHERE process_id = :id AND step_key = :key AND n = :n AND kind = :kind

-- name: run_wake_input
UPDATE processes SET wake_at = CAST(:now AS bigint)
WHERE id = :id AND EXISTS (SELECT 1 FROM process_inputs i WHERE i.process_id = :id AND i.step_key = :key
                           AND i.n = :n AND i.kind = 'callback' AND i.consumed_at IS NULL)
RETURNING wake_at

-- name: run_wake_children
UPDATE processes SET wake_at = CAST(:now AS bigint)
WHERE id = :id AND (SELECT count(*) FROM processes c WHERE c.parent_id = :id AND c.parent_step = :key
                    AND c.status NOT IN ('created', 'running', 'resumed', 'waiting')) <> CAST(:seen AS bigint)
RETURNING wake_at

-- name: run_wake_parent
-- At once when no child is at work any more, else a little later, so that several ends are one look of the parent.
UPDATE processes SET wake_at = CASE
  WHEN status <> 'waiting' OR wait_kind <> 'children' THEN wake_at
  WHEN NOT EXISTS (SELECT 1 FROM processes c WHERE c.parent_id = :id AND c.parent_step = processes.last_key
                   AND c.status IN ('created', 'running', 'resumed', 'waiting')) THEN CAST(:now AS bigint)
  WHEN wake_at < CAST(:later AS bigint) THEN wake_at
  ELSE CAST(:later AS bigint) END
WHERE id = :id
RETURNING wake_at

-- name: run_wake_parents
UPDATE processes SET wake_at = lp_now()
WHERE status = 'waiting' AND wait_kind = 'children' AND lease_owner IS NULL

-- name: run_children
SELECT c.status, count(*) AS n FROM processes c WHERE c.parent_id = :id AND c.parent_step = :key GROUP BY c.status

-- name: run_children_abort
INSERT INTO process_requests (id, process_id, kind, actor, ticket, reason, correlation_id, doc, created_at)
SELECT c.id || ':parent', c.id, 'abort', :actor, CAST(:ticket AS text), CAST(:reason AS text), :correlation, '{}',
       CAST(:now AS bigint)
FROM processes c WHERE c.parent_id = :id AND c.status NOT IN ('completed', 'aborted')
ON CONFLICT (id) DO NOTHING

-- name: run_children_tell
UPDATE processes SET requests = requests + 1, wake_at = CAST(:now AS bigint)
WHERE parent_id = :id AND status NOT IN ('completed', 'aborted')

-- name: run_requests
SELECT id, kind, actor, ticket, reason, correlation_id FROM process_requests WHERE process_id = :id
ORDER BY created_at, id

-- name: run_request_drop
DELETE FROM process_requests WHERE id = :request

-- name: run_requests_count
UPDATE processes SET requests = (SELECT count(*) FROM process_requests r WHERE r.process_id = :id) WHERE id = :id

-- name: run_locks_drop
DELETE FROM process_locks WHERE process_id = :id

-- name: run_named_drop
DELETE FROM named_locks WHERE process_id = :id

-- name: run_named_stale
DELETE FROM named_locks WHERE name = :name AND process_id <> :id
  AND NOT EXISTS (SELECT 1 FROM processes p, executors x
                  WHERE p.id = named_locks.process_id AND p.lease_epoch = named_locks.epoch
                    AND x.incarnation = p.lease_owner AND x.retired_at IS NULL AND x.expires_at > lp_now())

-- name: run_named_unclean
-- The lock is left over from a holder that did not give it back: it died, or lost its lease, holding it. An executor that was retired
-- before its lease ended may act until that end.
INSERT INTO lock_takeovers (name, process_id, epoch, at)
SELECT l.name, l.process_id, l.epoch, COALESCE((
    SELECT max(CASE WHEN x.expires_at <= lp_now() THEN lp_now()
                    WHEN x.expires_at > lp_now() + CAST(:lease AS bigint) THEN lp_now() + CAST(:lease AS bigint)
                    ELSE x.expires_at END)
    FROM step_attempts a, executors x
    WHERE a.process_id = l.process_id AND a.epoch = l.epoch AND x.incarnation = a.executor), lp_now())
FROM named_locks l
WHERE l.name = :name
  AND (l.process_id = :id AND l.epoch < CAST(:epoch AS bigint)
       OR l.process_id <> :id AND NOT EXISTS (
            SELECT 1 FROM processes p, executors x
            WHERE p.id = l.process_id AND p.lease_epoch = l.epoch
              AND x.incarnation = p.lease_owner AND x.retired_at IS NULL AND x.expires_at > lp_now()))
ON CONFLICT (name) DO UPDATE SET process_id = excluded.process_id, epoch = excluded.epoch, at = excluded.at

-- name: run_named_left
-- The same for all that a process still has from before this epoch, when it ends without having taken them again.
INSERT INTO lock_takeovers (name, process_id, epoch, at)
SELECT l.name, l.process_id, l.epoch, COALESCE((
    SELECT max(CASE WHEN x.expires_at <= lp_now() THEN lp_now()
                    WHEN x.expires_at > lp_now() + CAST(:lease AS bigint) THEN lp_now() + CAST(:lease AS bigint)
                    ELSE x.expires_at END)
    FROM step_attempts a, executors x
    WHERE a.process_id = l.process_id AND a.epoch = l.epoch AND x.incarnation = a.executor), lp_now())
FROM named_locks l
WHERE l.process_id = :id AND l.epoch < CAST(:epoch AS bigint)
ON CONFLICT (name) DO UPDATE SET process_id = excluded.process_id, epoch = excluded.epoch, at = excluded.at

-- name: run_takeover
SELECT at, lp_now() AS now FROM lock_takeovers WHERE name = :name

-- name: run_takeover_settled
DELETE FROM lock_takeovers WHERE name = :name

-- name: run_owner
SELECT p.lease_epoch, p.lease_owner, p.status FROM processes p WHERE p.id = :id

-- name: run_named_take
INSERT INTO named_locks (name, process_id, epoch, taken_at) VALUES (:name, :id, :epoch, :now)
ON CONFLICT (name) DO UPDATE SET
  epoch = CASE WHEN named_locks.process_id = excluded.process_id THEN excluded.epoch END

-- name: run_named_wait
INSERT INTO named_waits (name, process_id, since) VALUES (:name, :id, :now) ON CONFLICT (name, process_id) DO NOTHING

-- name: run_named_waits_drop
DELETE FROM named_waits WHERE process_id = :id

-- Given back between the try and this flush: nobody would tell.
-- name: run_wake_lock
UPDATE processes SET wake_at = CAST(:now AS bigint)
WHERE id = :id AND NOT EXISTS (SELECT 1 FROM named_locks l WHERE l.name = CAST(:name AS text) AND l.process_id <> CAST(:id AS text))
RETURNING wake_at

-- name: run_wake_waiters
UPDATE processes SET wake_at = lp_now()
WHERE status = 'waiting' AND wait_kind = 'lock' AND lease_owner IS NULL AND id IN (
  SELECT w.process_id FROM named_waits w JOIN processes p ON p.id = w.process_id
  WHERE w.name = :name AND p.status = 'waiting' AND p.wait_kind = 'lock' AND p.lease_owner IS NULL
  ORDER BY w.since, w.process_id LIMIT 2)
RETURNING id, priority

-- name: run_named_holder
SELECT l.name, l.process_id, p.workflow FROM named_locks l LEFT JOIN processes p ON p.id = l.process_id WHERE l.name = :name

-- name: run_lock_exclusive
INSERT INTO process_locks (subscription_id, process_id, mode, taken_at) VALUES (:subscription, :id, 'exclusive', :now)

-- name: run_link
INSERT INTO process_subscriptions (process_id, subscription_id, created_at) VALUES (:id, :subscription, :now)
ON CONFLICT (process_id, subscription_id) DO NOTHING

-- name: run_validated
UPDATE subscriptions SET validated_at = CAST(:now AS bigint) WHERE id = :subscription

-- name: run_compensation_add
INSERT INTO step_compensations (process_id, step_key, n, doc) VALUES (:id, :key, :n, :doc)
ON CONFLICT (process_id, step_key, n) DO NOTHING

-- name: run_compensations
SELECT n, doc FROM step_compensations WHERE process_id = :id AND step_key = :key AND done_at IS NULL ORDER BY n DESC

-- name: run_compensations_done
UPDATE step_compensations SET done_at = CAST(:now AS bigint) WHERE process_id = :id AND step_key = :key AND done_at IS NULL

-- name: run_undo_rows
SELECT seq, key, status, retries, error FROM process_steps WHERE process_id = :id ORDER BY seq DESC

-- name: run_state_head
SELECT p.snapshot_seq, p.head_seq FROM processes p WHERE p.id = :id

-- name: run_state_snapshot
SELECT seq, snapshot FROM process_steps
WHERE process_id = :id AND seq <= :upto AND snapshot IS NOT NULL ORDER BY seq DESC LIMIT 1

-- name: run_state_initial
SELECT doc FROM process_inputs WHERE process_id = :id AND step_key = '' AND n = 0 AND kind = 'initial'

-- name: run_state_deltas
SELECT seq, delta FROM process_steps
WHERE process_id = :id AND seq > :after AND seq <= :upto AND delta <> '{}' ORDER BY seq

-- name: run_sweep_runnable
SELECT p.id, p.priority FROM processes p
WHERE p.status IN ('created', 'running', 'resumed')
  AND (p.lease_owner IS NULL OR NOT EXISTS (SELECT 1 FROM executors x WHERE x.incarnation = p.lease_owner
                                            AND x.retired_at IS NULL AND x.expires_at > lp_now()))
  AND (p.label IS NULL OR replace(CAST(:labels AS text), ',' || p.label || ',', '') <> CAST(:labels AS text))
  AND (p.target = 'VALIDATE' OR NOT EXISTS (
         SELECT 1 FROM settings r WHERE r.name = 'restored' AND r.value = '1' AND p.created_at < r.changed_at
            AND NOT (p.status = 'resumed' AND p.modified_at >= r.changed_at)))
ORDER BY p.is_task, p.priority, p.created_at, p.id LIMIT CAST(:limit AS bigint)

-- name: run_sweep_due
SELECT p.id, p.priority FROM processes p
WHERE p.wake_at IS NOT NULL AND p.wake_at <= lp_now() AND p.status NOT IN ('completed', 'aborted')
  AND (p.label IS NULL OR replace(CAST(:labels AS text), ',' || p.label || ',', '') <> CAST(:labels AS text))
  AND (p.target = 'VALIDATE' OR NOT EXISTS (
         SELECT 1 FROM settings r WHERE r.name = 'restored' AND r.value = '1' AND p.created_at < r.changed_at
            AND NOT (p.status = 'resumed' AND p.modified_at >= r.changed_at)))
ORDER BY p.wake_at LIMIT CAST(:limit AS bigint)

-- name: run_sweep_mine
SELECT p.id, p.priority FROM processes p WHERE p.lease_owner = :owner AND p.status NOT IN ('completed', 'aborted')
LIMIT CAST(:limit AS bigint)

-- name: run_sweep_requests
SELECT p.id FROM processes p WHERE p.lease_owner = :owner AND p.requests > 0

-- name: run_sweep_next
SELECT min(p.wake_at) AS at, lp_now() AS now FROM processes p
WHERE p.wake_at IS NOT NULL AND p.status NOT IN ('completed', 'aborted')
  AND (p.label IS NULL OR replace(CAST(:labels AS text), ',' || p.label || ',', '') <> CAST(:labels AS text))

-- name: run_sweep_waiting
SELECT count(*) AS n FROM executors WHERE retired_at IS NULL AND expires_at <= lp_now()

-- name: run_drained
SELECT (SELECT count(*) FROM executor_drains WHERE name = :name) AS n,
  COALESCE((SELECT value FROM settings WHERE name = 'global_lock'), '0') AS paused

-- name: run_due_count
SELECT count(*) AS n FROM processes p
WHERE p.id <> :id AND p.lease_owner IS NULL
  AND (p.status IN ('created', 'running', 'resumed') OR p.wake_at IS NOT NULL AND p.wake_at <= lp_now())

-- ---- the sweep of the scheduler lease's holder ----

-- name: sweep_runnable
SELECT p.id, p.priority, p.label FROM processes p
WHERE p.status IN ('created', 'running', 'resumed')
  AND (p.lease_owner IS NULL OR NOT EXISTS (SELECT 1 FROM executors x WHERE x.incarnation = p.lease_owner
                                            AND x.retired_at IS NULL AND x.expires_at > lp_now()))
  AND (p.target = 'VALIDATE' OR NOT EXISTS (
         SELECT 1 FROM settings r WHERE r.name = 'restored' AND r.value = '1' AND p.created_at < r.changed_at
            AND NOT (p.status = 'resumed' AND p.modified_at >= r.changed_at)))
ORDER BY p.is_task, p.priority, p.created_at, p.id LIMIT CAST(:limit AS bigint)

-- name: sweep_due
-- Who waits for a label is announced as soon as an executor has it.
SELECT p.id, p.priority, p.label FROM processes p
WHERE p.wake_at IS NOT NULL AND p.wake_at <= lp_now() AND p.status NOT IN ('completed', 'aborted')
  AND (p.lease_owner IS NULL OR NOT EXISTS (SELECT 1 FROM executors x WHERE x.incarnation = p.lease_owner
                                            AND x.retired_at IS NULL AND x.expires_at > lp_now()))
  AND (p.label IS NULL OR EXISTS (
         SELECT 1 FROM executors x WHERE x.retired_at IS NULL AND x.expires_at > lp_now()
            AND replace(x.labels, ',' || p.label || ',', '') <> x.labels
            AND NOT EXISTS (SELECT 1 FROM executor_drains d WHERE d.name = x.name)))
  AND (p.target = 'VALIDATE' OR NOT EXISTS (
         SELECT 1 FROM settings r WHERE r.name = 'restored' AND r.value = '1' AND p.created_at < r.changed_at
            AND NOT (p.status = 'resumed' AND p.modified_at >= r.changed_at)))
ORDER BY p.wake_at LIMIT CAST(:limit AS bigint)

-- name: sweep_look
-- Whether there is anything to do at all, in one question: idle, the sweep asks nothing more. Those that are due already and wait for a
-- label have nothing to be waited for here.
SELECT COALESCE((SELECT value FROM settings WHERE name = 'global_lock'), '0') AS paused,
  (SELECT min(p.wake_at) FROM processes p WHERE p.wake_at IS NOT NULL AND p.status NOT IN ('completed', 'aborted')
     AND (p.label IS NULL OR p.wake_at > lp_now())) AS at,
  CASE WHEN EXISTS (SELECT 1 FROM processes p WHERE p.wake_at IS NOT NULL AND p.status NOT IN ('completed', 'aborted')
                    AND p.wake_at <= lp_now()) THEN 1 ELSE 0 END AS due,
  CASE WHEN EXISTS (SELECT 1 FROM processes p WHERE p.status IN ('created', 'running', 'resumed')) THEN 1 ELSE 0 END AS open,
  lp_now() AS now

-- name: sweep_unservable
SELECT p.id, p.lease_epoch FROM processes p
WHERE p.status IN ('created', 'resumed') AND p.label IS NOT NULL AND p.lease_owner IS NULL
  AND NOT EXISTS (SELECT 1 FROM executors x WHERE x.retired_at IS NULL AND x.expires_at > lp_now()
                  AND replace(x.labels, ',' || p.label || ',', '') <> x.labels
                  AND NOT EXISTS (SELECT 1 FROM executor_drains d WHERE d.name = x.name))
LIMIT CAST(:limit AS bigint)

-- name: sweep_park
UPDATE processes SET status = 'waiting', wait_kind = 'label', wait_reason = CAST(:words AS text) || label || '''',
  wake_at = CAST(:now AS bigint), modified_at = CAST(:now AS bigint)
WHERE id = :id AND lease_epoch = CAST(:epoch AS bigint) AND lease_owner IS NULL AND status IN ('created', 'resumed')
  AND label IS NOT NULL

-- Processes that wait for an answer for too long while they keep light reserved.
-- name: run_expired_approvals
SELECT p.id FROM processes p WHERE p.status = 'suspended' AND p.modified_at < :before
  AND EXISTS (SELECT 1 FROM spectrum_claims c WHERE c.process_id = p.id AND c.state = 'reserved')
ORDER BY p.created_at, p.id LIMIT 100
