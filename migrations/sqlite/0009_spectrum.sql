-- Spectrum claims: who may light which range of which fiber. Ranges are half-open, in MHz; those of one fiber are disjoint, and the database
-- says so: as they are disjoint, only the last one that begins below the new end can reach into the new range.

CREATE TABLE spectrum_claims (
  fiber_id        TEXT NOT NULL,                 -- subscription of the Optical Fiber
  low_mhz         INTEGER NOT NULL,
  high_mhz        INTEGER NOT NULL,
  holder          TEXT NOT NULL,                 -- instance of the block that uses the light
  subscription_id TEXT NOT NULL,
  process_id      TEXT NOT NULL,                 -- who claimed this piece
  slot            INTEGER NOT NULL,              -- number of the carrier or leg
  state           TEXT NOT NULL,                 -- reserved, lit
  created_at      INTEGER NOT NULL,
  PRIMARY KEY (fiber_id, low_mhz),
  CONSTRAINT spectrum_claims_range CHECK (low_mhz < high_mhz),
  CONSTRAINT spectrum_claims_state CHECK (state IN ('reserved', 'lit'))
) STRICT;
CREATE INDEX spectrum_claims_holder ON spectrum_claims (holder);
CREATE INDEX spectrum_claims_subscription ON spectrum_claims (subscription_id);
CREATE INDEX spectrum_claims_process ON spectrum_claims (process_id);

CREATE TRIGGER spectrum_claims_insert BEFORE INSERT ON spectrum_claims
WHEN (SELECT c.high_mhz FROM spectrum_claims c WHERE c.fiber_id = new.fiber_id AND c.low_mhz < new.high_mhz
      ORDER BY c.low_mhz DESC LIMIT 1) > new.low_mhz
BEGIN
  SELECT RAISE(ABORT, 'spectrum_claims_disjoint');
END;
CREATE TRIGGER spectrum_claims_update BEFORE UPDATE OF fiber_id, low_mhz, high_mhz ON spectrum_claims
BEGIN
  SELECT RAISE(ABORT, 'spectrum_claims_disjoint');   -- a claim is taken anew, never moved
END;

-- Whose turn it is: who counts a row up decides about its fiber, or its range of numbers, until his transaction ends; others wait.
CREATE TABLE claim_turns (
  name TEXT NOT NULL PRIMARY KEY,                -- "fiber:<id>", "numbers:<scope>"
  turn INTEGER NOT NULL
) STRICT;
