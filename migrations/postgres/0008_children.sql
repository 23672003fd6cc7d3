-- What a parent asks of its children (is one at work, how many have ended) costs the same whatever is stored of them.

CREATE INDEX processes_children ON processes (parent_id, parent_step, status) WHERE parent_id IS NOT NULL;
