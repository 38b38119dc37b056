-- Makes the history append-only: its rows and what is too large for them cannot change, and only what the retention gave up can be
-- deleted.
INSERT INTO PedigreeLock (name, counter) VALUES ('retention', 0)
ON CONFLICT DO NOTHING;

DROP TRIGGER IF EXISTS pedigree_change_insert;
DROP TRIGGER IF EXISTS pedigree_change_update;
DROP TRIGGER IF EXISTS pedigree_change_delete;
DROP TRIGGER IF EXISTS pedigree_large_value_insert;
DROP TRIGGER IF EXISTS pedigree_large_value_update;
DROP TRIGGER IF EXISTS pedigree_large_value_delete;

-- REPLACE deletes without a trigger for it.
CREATE TRIGGER pedigree_change_insert BEFORE INSERT ON PedigreeChange
WHEN EXISTS (SELECT 1 FROM PedigreeChange WHERE position = NEW.position)
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;

CREATE TRIGGER pedigree_change_update BEFORE UPDATE ON PedigreeChange
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;

CREATE TRIGGER pedigree_change_delete BEFORE DELETE ON PedigreeChange
WHEN OLD.position > COALESCE((SELECT counter FROM PedigreeLock WHERE name = 'retention'), 0)
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;

CREATE TRIGGER pedigree_large_value_insert BEFORE INSERT ON PedigreeLargeValue
WHEN EXISTS (SELECT 1 FROM PedigreeLargeValue WHERE id = NEW.id AND part_number = NEW.part_number)
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;

CREATE TRIGGER pedigree_large_value_update BEFORE UPDATE ON PedigreeLargeValue
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;

-- The parts go before their row, in the transaction in which the retention gives it up.
CREATE TRIGGER pedigree_large_value_delete BEFORE DELETE ON PedigreeLargeValue
WHEN NOT EXISTS (
    SELECT 1 FROM PedigreeChange
    WHERE position <= COALESCE((SELECT counter FROM PedigreeLock WHERE name = 'retention'), 0)
        AND SUBSTR(changes, 1, 2) = X'3A10' AND SUBSTR(changes, 3, 16) = OLD.id
)
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;
