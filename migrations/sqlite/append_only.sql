-- Makes the history append-only: its rows cannot change, and only those that the retention gave up can be deleted.
INSERT INTO PedigreeLock (name, counter) VALUES ('retention', 0)
ON CONFLICT DO NOTHING;

DROP TRIGGER IF EXISTS pedigree_change_insert;
DROP TRIGGER IF EXISTS pedigree_change_update;
DROP TRIGGER IF EXISTS pedigree_change_delete;

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
