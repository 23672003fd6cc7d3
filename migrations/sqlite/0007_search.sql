-- Processes are found by their ticket.

CREATE INDEX processes_ticket ON processes (ticket) WHERE ticket IS NOT NULL;
