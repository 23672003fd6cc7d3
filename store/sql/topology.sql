-- The network as its subscriptions say it is, and finding things in it.

-- Root blocks of a product.
-- name: topology_roots
SELECT s.id, s.status, s.insync, s.customer_id, b.instance_id, b.doc
FROM subscriptions s JOIN blocks b ON b.subscription_id = s.id AND b.parent_id IS NULL
WHERE s.product = :product AND s.status <> 'terminated' ORDER BY s.id

-- What those root blocks reference.
-- name: topology_refs
SELECT s.id, r.field, r.position, p.subscription_id AS owner, p.doc
FROM subscriptions s
JOIN blocks b ON b.subscription_id = s.id AND b.parent_id IS NULL
JOIN block_refs r ON r.from_id = b.instance_id
JOIN blocks p ON p.instance_id = r.to_id
WHERE s.product = :product AND s.status <> 'terminated' ORDER BY s.id, r.field, r.position

-- name: search_values
SELECT v.name, v.instance_id, b.block, s.id, s.product, s.description, s.status
FROM block_values v JOIN subscriptions s ON s.id = v.subscription_id JOIN blocks b ON b.instance_id = v.instance_id
WHERE v.name = :name AND v.value = :value AND s.status <> 'terminated' ORDER BY s.description, s.id LIMIT CAST(:most AS bigint)

-- name: search_keys
SELECT k.instance_id, b.block, s.id, s.product, s.description, s.status
FROM block_keys k JOIN subscriptions s ON s.id = k.subscription_id JOIN blocks b ON b.instance_id = k.instance_id
WHERE k.scope = :scope AND k.value = :value

-- Who uses that block.
-- name: search_users
SELECT DISTINCT s.id, s.product, s.description, s.status
FROM block_refs r JOIN blocks b ON b.instance_id = r.from_id JOIN subscriptions s ON s.id = b.subscription_id
WHERE r.to_id = :instance_id AND s.status <> 'terminated' ORDER BY s.description, s.id LIMIT CAST(:most AS bigint)

-- name: search_tickets
SELECT id, workflow, status, ticket, created_at FROM processes WHERE ticket = :ticket ORDER BY created_at DESC LIMIT CAST(:most AS bigint)

-- name: search_customers
SELECT s.id, s.product, s.description, s.status FROM subscriptions s
WHERE s.customer_id = :customer AND s.id <> :customer AND s.status <> 'terminated' ORDER BY s.description, s.id LIMIT CAST(:most AS bigint)

-- name: search_spectrum
SELECT c.element_id, c.doc, s.description FROM device_cache c JOIN subscriptions s ON s.id = c.element_id
WHERE c.kind = 'spectrum' AND s.status <> 'terminated' ORDER BY s.description, s.id

-- A port with its device and the site of that.
-- name: service_port
SELECT p.doc, p.subscription_id AS device_id, d.doc AS device, site.doc AS pop
FROM blocks p
JOIN blocks d ON d.subscription_id = p.subscription_id AND d.parent_id IS NULL
LEFT JOIN block_refs r ON r.from_id = d.instance_id AND r.field = 'pop'
LEFT JOIN blocks site ON site.instance_id = r.to_id
WHERE p.instance_id = :instance_id

-- name: service_fiber
SELECT b.doc, b.subscription_id AS fiber_id FROM blocks b WHERE b.instance_id = :instance_id
