-- Spectrum claims: who may light which range of which fiber. Ranges are half-open, in MHz; those of one fiber are disjoint, and the database
-- says so. The extension belongs to the database, not to one schema: it stands where dropping a schema does not take it along.

SELECT pg_advisory_xact_lock(723011309431);      -- several schemas of one database may be migrated side by side
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

CREATE TABLE spectrum_claims (
  fiber_id        text NOT NULL,                 -- subscription of the Optical Fiber
  low_mhz         bigint NOT NULL,
  high_mhz        bigint NOT NULL,
  holder          text NOT NULL,                 -- instance of the block that uses the light
  subscription_id text NOT NULL,
  process_id      text NOT NULL,                 -- who claimed this piece
  slot            bigint NOT NULL,               -- number of the carrier or leg
  state           text NOT NULL,                 -- reserved, lit
  created_at      bigint NOT NULL,
  PRIMARY KEY (fiber_id, low_mhz),
  CONSTRAINT spectrum_claims_range CHECK (low_mhz < high_mhz),
  CONSTRAINT spectrum_claims_state CHECK (state IN ('reserved', 'lit')),
  CONSTRAINT spectrum_claims_disjoint EXCLUDE USING gist (fiber_id WITH =, int8range(low_mhz, high_mhz) WITH &&)
);
CREATE INDEX spectrum_claims_holder ON spectrum_claims (holder);
CREATE INDEX spectrum_claims_subscription ON spectrum_claims (subscription_id);
CREATE INDEX spectrum_claims_process ON spectrum_claims (process_id);

-- Whose turn it is: who counts a row up decides about its fiber, or its range of numbers, until his transaction ends; others wait.
CREATE TABLE claim_turns (
  name text NOT NULL PRIMARY KEY,                -- "fiber:<id>", "numbers:<scope>"
  turn bigint NOT NULL
);
