-- What rides on what: upwards along references, from the ports of what is looked at.

-- name: impact_subject
SELECT s.id, s.product, s.description, s.status FROM subscriptions s WHERE s.id = :id

-- A fiber, or leased spectrum: itself and the ports at its ends.
-- name: impact_fiber
SELECT b.instance_id, '' AS port FROM blocks b WHERE b.subscription_id = :id AND b.parent_id IS NULL
UNION ALL
SELECT r.to_id, COALESCE(v.value, '') FROM blocks b JOIN block_refs r ON r.from_id = b.instance_id AND r.field = 'terminations'
LEFT JOIN block_values v ON v.instance_id = r.to_id AND v.name = 'port_name'
WHERE b.subscription_id = :id AND b.parent_id IS NULL

-- The ports of a device that anybody uses.
-- name: impact_device
SELECT v.instance_id, v.value AS port FROM block_values v
WHERE v.subscription_id = :id AND v.name = 'port_name' AND EXISTS (SELECT 1 FROM block_refs r WHERE r.to_id = v.instance_id)
ORDER BY v.value, v.instance_id

-- The same of all devices at a PoP.
-- name: impact_pop
SELECT v.instance_id, s.description AS device, v.value AS port FROM blocks p JOIN block_refs r ON r.to_id = p.instance_id AND r.field = 'pop'
JOIN blocks d ON d.instance_id = r.from_id JOIN subscriptions s ON s.id = d.subscription_id
JOIN block_values v ON v.subscription_id = s.id AND v.name = 'port_name'
WHERE p.subscription_id = :id AND p.parent_id IS NULL AND s.status <> 'terminated'
AND EXISTS (SELECT 1 FROM block_refs u WHERE u.to_id = v.instance_id)
ORDER BY s.description, v.value, v.instance_id

-- Anything else: all its blocks.
-- name: impact_blocks
SELECT b.instance_id, '' AS port FROM blocks b WHERE b.subscription_id = :id ORDER BY b.instance_id

-- Blocks that use this one, and the block it stands in.
-- name: impact_above
SELECT b.instance_id, b.block, b.doc, s.id, s.product, s.customer_id, s.description, s.status, s.insync, c.description AS customer
FROM block_refs r JOIN blocks b ON b.instance_id = r.from_id JOIN subscriptions s ON s.id = b.subscription_id
LEFT JOIN subscriptions c ON c.id = s.customer_id
WHERE r.to_id = :block AND s.status <> 'terminated'

-- name: impact_parent
SELECT b.instance_id, b.block, b.doc, s.id, s.product, s.customer_id, s.description, s.status, s.insync, c.description AS customer
FROM blocks a JOIN blocks b ON b.instance_id = a.parent_id JOIN subscriptions s ON s.id = b.subscription_id
LEFT JOIN subscriptions c ON c.id = s.customer_id
WHERE a.instance_id = :block
