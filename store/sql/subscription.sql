-- Subscriptions, their blocks, links and history. Conditions that matter fail in SQL: a NOT NULL column is set to null.

-- One statement is one snapshot: header, blocks and references come together (a block is repeated per reference it holds).
-- name: subscription_load
SELECT s.id, s.product_id, s.product, s.customer_id, s.description, s.status, s.insync, s.start_date, s.end_date, s.note,
       s.version, s.created_at, s.modified_at, s.validated_at,
       b.instance_id, b.block, b.parent_id, b.field, b.position, b.label, b.doc,
       r.field AS ref_field, r.position AS ref_position, r.to_id AS ref_to
FROM subscriptions s
LEFT JOIN blocks b ON b.subscription_id = s.id
LEFT JOIN block_refs r ON r.from_id = b.instance_id
WHERE s.id = :id
ORDER BY b.instance_id, r.field, r.position

-- A block with its root block and the header: of a device with hundreds of ports one. Columns as of subscription_load.
-- name: subscription_around
SELECT s.id, s.product_id, s.product, s.customer_id, s.description, s.status, s.insync, s.start_date, s.end_date, s.note,
       s.version, s.created_at, s.modified_at, s.validated_at,
       b.instance_id, b.block, b.parent_id, b.field, b.position, b.label, b.doc,
       r.field AS ref_field, r.position AS ref_position, r.to_id AS ref_to
FROM blocks n
JOIN subscriptions s ON s.id = n.subscription_id
JOIN blocks b ON b.instance_id IN (n.instance_id, n.parent_id)
LEFT JOIN block_refs r ON r.from_id = b.instance_id
WHERE n.instance_id = :instance_id
ORDER BY b.instance_id, r.field, r.position

-- The root block alone.
-- name: subscription_top
SELECT s.id, s.product_id, s.product, s.customer_id, s.description, s.status, s.insync, s.start_date, s.end_date, s.note,
       s.version, s.created_at, s.modified_at, s.validated_at,
       b.instance_id, b.block, b.parent_id, b.field, b.position, b.label, b.doc,
       r.field AS ref_field, r.position AS ref_position, r.to_id AS ref_to
FROM subscriptions s
JOIN blocks b ON b.subscription_id = s.id AND b.parent_id IS NULL
LEFT JOIN block_refs r ON r.from_id = b.instance_id
WHERE s.id = :id
ORDER BY b.instance_id, r.field, r.position

-- A terminated customer owns nothing new.
-- name: subscription_insert
INSERT INTO subscriptions (id, product_id, product, customer_id, description, status, insync, start_date, end_date, note,
                           version, created_at, modified_at)
VALUES (:id, :product_id, :product,
        CASE WHEN EXISTS (SELECT 1 FROM subscriptions c WHERE c.id = CAST(:customer AS text) AND c.status = 'terminated')
             THEN NULL ELSE CAST(:customer AS text) END,
        :description, :status, :insync, :start_date, :end_date, :note, 1, :at, :at)

-- name: subscription_update
UPDATE subscriptions
SET version = CASE WHEN version = CAST(:version AS bigint) THEN version + 1 END,
    product_id = :product_id, product = :product, customer_id = :customer, description = :description, status = :status,
    insync = :insync, start_date = :start_date, end_date = :end_date, note = :note, modified_at = :at
WHERE id = :id

-- Runs after subscription_update holds the row: a reference made meanwhile is seen.
-- name: subscription_guard_users
UPDATE subscriptions
SET status = CASE WHEN EXISTS (
        SELECT 1 FROM blocks b
        JOIN block_refs r ON r.to_id = b.instance_id
        JOIN blocks u ON u.instance_id = r.from_id
        JOIN subscriptions us ON us.id = u.subscription_id
        WHERE b.subscription_id = :id AND us.id <> :id AND us.status NOT IN (:p0, :p1, :p2, :p3, :p4, :p5))
    THEN NULL ELSE status END
WHERE id = :id

-- name: subscription_guard_customers
UPDATE subscriptions
SET status = CASE WHEN EXISTS (
        SELECT 1 FROM subscriptions c WHERE c.customer_id = :id AND c.id <> :id AND c.status <> 'terminated')
    THEN NULL ELSE status END
WHERE id = :id

-- Serialises a new reference with a status change of the subscription that owns the block.
-- name: subscription_touch_owner
UPDATE subscriptions SET lock_seq = lock_seq + 1
WHERE id IN (SELECT b.subscription_id FROM blocks b WHERE b.instance_id = :to_id)

-- name: subscription_history_add
INSERT INTO subscription_history (subscription_id, version, doc, process_id, actor, at)
VALUES (:id, :version, :doc, :process_id, :actor, :at)

-- name: block_insert
INSERT INTO blocks (instance_id, subscription_id, block, parent_id, field, position, label, doc, version)
VALUES (:instance_id, :subscription_id, :block, :parent_id, :field, :position, :label, :doc,
        (SELECT COALESCE(MAX(h.version), 0) + 1 FROM block_history h WHERE h.instance_id = :instance_id))

-- Somebody else's instance is never written: its owner column would become null.
-- name: block_update
UPDATE blocks
SET subscription_id = CASE WHEN subscription_id = CAST(:subscription_id AS text) THEN subscription_id END,
    parent_id = :parent_id, field = :field, position = :position, label = :label, doc = :doc, version = version + 1
WHERE instance_id = :instance_id

-- The same for several blocks of one subscription, an object of {instance id: row}: one statement, where each one of its own would cost a
-- look-up of the plan, a trigger's savepoint and a flush of the words that are searched.
-- name: block_inserts
INSERT INTO blocks (instance_id, subscription_id, block, parent_id, field, position, label, doc, version)
SELECT j.key, CAST(:subscription_id AS text), j.value ->> 'block', j.value ->> 'parent', j.value ->> 'field',
       CAST(j.value ->> 'position' AS bigint), j.value ->> 'label', j.value ->> 'doc',
       (SELECT COALESCE(MAX(h.version), 0) + 1 FROM block_history h WHERE h.instance_id = j.key)
FROM json_each(:rows) j

-- name: block_updates
UPDATE blocks
SET subscription_id = CASE WHEN subscription_id = CAST(:subscription_id AS text) THEN subscription_id END,
    parent_id = j.value ->> 'parent', field = j.value ->> 'field', position = CAST(j.value ->> 'position' AS bigint),
    label = j.value ->> 'label', doc = j.value ->> 'doc', version = version + 1
FROM json_each(:rows) j WHERE blocks.instance_id = j.key

-- name: block_delete
DELETE FROM blocks WHERE instance_id = :instance_id AND subscription_id = :subscription_id

-- A block goes to another subscription: its history ends there (block_history_remove, before) and goes on here.
-- name: block_give
UPDATE blocks
SET subscription_id = CASE WHEN subscription_id = CAST(:giver AS text) THEN CAST(:taker AS text) END,
    parent_id = COALESCE(CAST(:parent_id AS text), parent_id), version = version + 2
WHERE instance_id = :instance_id

-- name: block_give_keys
UPDATE block_keys SET subscription_id = :taker WHERE subscription_id = :giver AND instance_id = :instance_id

-- name: block_give_values
UPDATE block_values SET subscription_id = :taker WHERE subscription_id = :giver AND instance_id = :instance_id

-- name: block_history_add
INSERT INTO block_history (instance_id, version, subscription_id, subscription_version, block, doc, process_id, actor, at)
SELECT b.instance_id, b.version, b.subscription_id, CAST(:subscription_version AS bigint), b.block, CAST(:doc AS text),
       CAST(:process_id AS text), CAST(:actor AS text), CAST(:at AS bigint)
FROM blocks b WHERE b.instance_id = :instance_id

-- Behind block_inserts and block_updates; a row is what follows the document in what is kept of an instance.
-- name: block_history_adds
INSERT INTO block_history (instance_id, version, subscription_id, subscription_version, block, doc, process_id, actor, at)
SELECT b.instance_id, b.version, b.subscription_id, CAST(:subscription_version AS bigint), b.block,
       '{"doc":' || b.doc || (j.value ->> 'rest'), CAST(:process_id AS text), CAST(:actor AS text), CAST(:at AS bigint)
FROM json_each(:rows) j JOIN blocks b ON b.instance_id = j.key

-- name: block_history_remove
INSERT INTO block_history (instance_id, version, subscription_id, subscription_version, block, doc, process_id, actor, at)
SELECT b.instance_id, b.version + 1, b.subscription_id, CAST(:subscription_version AS bigint), b.block, NULL,
       CAST(:process_id AS text), CAST(:actor AS text), CAST(:at AS bigint)
FROM blocks b WHERE b.instance_id = :instance_id

-- A block that is missing, of another type, or owned by a terminated subscription cannot be referenced: to_id becomes null.
-- name: block_ref_insert
INSERT INTO block_refs (from_id, field, position, to_id)
VALUES (:from_id, :field, :position,
        (SELECT b.instance_id FROM blocks b JOIN subscriptions s ON s.id = b.subscription_id
         WHERE b.instance_id = :to_id AND s.status <> 'terminated'
           AND (CAST(:block AS text) IS NULL OR b.block = CAST(:block AS text))))

-- name: block_ref_delete
DELETE FROM block_refs WHERE from_id = :from_id AND field = :field AND position = :position

-- name: block_key_insert
INSERT INTO block_keys (scope, value, instance_id, subscription_id)
VALUES (:scope, :value, :instance_id, :subscription_id)

-- name: block_key_delete
DELETE FROM block_keys WHERE scope = :scope AND value = :value AND instance_id = :instance_id

-- name: block_value_insert
INSERT INTO block_values (name, value, instance_id, subscription_id)
VALUES (:name, :value, :instance_id, :subscription_id)

-- name: block_value_delete
DELETE FROM block_values
WHERE subscription_id = :subscription_id AND name = :name AND value = :value AND instance_id = :instance_id

-- name: block_keys_of
SELECT scope, value, instance_id FROM block_keys WHERE subscription_id = :id ORDER BY scope, value

-- name: block_key_holder
SELECT k.subscription_id, k.instance_id FROM block_keys k WHERE k.scope = :scope AND k.value = :value

-- name: block_owner
SELECT b.subscription_id, b.block, s.status, s.description
FROM blocks b JOIN subscriptions s ON s.id = b.subscription_id WHERE b.instance_id = :instance_id

-- name: block_users
SELECT DISTINCT us.id, us.description, us.status, us.insync
FROM block_refs r
JOIN blocks u ON u.instance_id = r.from_id
JOIN subscriptions us ON us.id = u.subscription_id
WHERE r.to_id = :instance_id
ORDER BY us.description, us.id

-- name: subscription_users
SELECT DISTINCT us.id, us.description, us.status, us.insync
FROM blocks b
JOIN block_refs r ON r.to_id = b.instance_id
JOIN blocks u ON u.instance_id = r.from_id
JOIN subscriptions us ON us.id = u.subscription_id
WHERE b.subscription_id = :id AND us.id <> :id AND (CAST(:all AS bigint) = 1 OR us.status <> 'terminated')
ORDER BY us.description, us.id

-- name: subscription_dependencies
SELECT DISTINCT os.id, os.description, os.status, os.insync
FROM blocks b
JOIN block_refs r ON r.from_id = b.instance_id
JOIN blocks o ON o.instance_id = r.to_id
JOIN subscriptions os ON os.id = o.subscription_id
WHERE b.subscription_id = :id AND os.id <> :id AND (CAST(:all AS bigint) = 1 OR os.status <> 'terminated')
ORDER BY os.description, os.id

-- name: subscription_customer_of
SELECT c.id, c.description, c.status, c.insync
FROM subscriptions c
WHERE c.customer_id = :id AND c.id <> :id AND (CAST(:all AS bigint) = 1 OR c.status <> 'terminated')
ORDER BY c.description, c.id

-- name: subscription_in_use_by
SELECT r.to_id, r.from_id, u.subscription_id
FROM blocks b
JOIN block_refs r ON r.to_id = b.instance_id
JOIN blocks u ON u.instance_id = r.from_id
WHERE b.subscription_id = :id
ORDER BY r.to_id, r.from_id

-- name: subscription_status
SELECT s.id, s.product_id, s.product, s.customer_id, s.description, s.status, s.insync, s.version
FROM subscriptions s WHERE s.id = :id

-- name: subscription_choices
SELECT s.id, s.description, s.status FROM subscriptions s
WHERE s.product_id = :product_id AND s.status = 'active'
ORDER BY s.description, s.id LIMIT 20000

-- name: subscription_product_text
SELECT t.description, t.status, t.created_at, t.end_date FROM catalog_texts t WHERE t.kind = 'product' AND t.id = :id

-- name: subscription_history_list
SELECT h.version, h.doc, h.process_id, h.actor, h.at
FROM subscription_history h WHERE h.subscription_id = :id ORDER BY h.version DESC LIMIT CAST(:limit AS bigint)

-- name: subscription_history_at
SELECT h.version, h.doc, h.process_id, h.actor, h.at
FROM subscription_history h WHERE h.subscription_id = :id AND h.version = :version

-- name: block_history_list
SELECT h.instance_id, h.version, h.subscription_version, h.block, CASE WHEN h.doc IS NULL THEN 1 ELSE 0 END AS removed
FROM block_history h
WHERE h.subscription_id = :id AND h.subscription_version >= :from_version
ORDER BY h.subscription_version, h.instance_id

-- The newest state of every instance at a version of its subscription.
-- name: block_history_at
SELECT h.instance_id, h.block, h.doc
FROM block_history h
WHERE h.subscription_id = :id AND h.doc IS NOT NULL
  AND h.subscription_version = (SELECT MAX(g.subscription_version) FROM block_history g
                                WHERE g.instance_id = h.instance_id AND g.subscription_version <= CAST(:version AS bigint))
ORDER BY h.instance_id

-- name: import_row_add
INSERT INTO import_rows (source, key, imported_at, doc, process_id)
VALUES (:source, :key, :imported_at, :doc, :process_id)

-- Keeps the newest rows of a source and key.
-- name: import_rows_prune
DELETE FROM import_rows
WHERE source = :source AND key = :key
  AND imported_at < (SELECT MIN(k.imported_at) FROM (
        SELECT n.imported_at FROM import_rows n WHERE n.source = :source AND n.key = :key
        ORDER BY n.imported_at DESC LIMIT CAST(:keep AS bigint)) k)

-- name: import_row_newest
SELECT i.doc, i.imported_at, i.process_id FROM import_rows i
WHERE i.source = :source AND i.key = :key ORDER BY i.imported_at DESC LIMIT 1

-- What one import left, by the start of the primary key.
-- name: import_rows_of
SELECT i.key, i.doc FROM import_rows i
WHERE i.source = :source AND i.imported_at = :imported_at AND i.process_id = :process_id
ORDER BY i.key
