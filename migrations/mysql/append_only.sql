-- Makes the history append-only: its rows cannot change, and only those that the retention gave up can be deleted.
INSERT INTO PedigreeLock (name, counter)
SELECT 'retention', 0 FROM (SELECT COUNT(*) AS locks FROM PedigreeLock WHERE name = 'retention') AS counted
WHERE locks = 0;

DROP TRIGGER IF EXISTS pedigree_change_update;
DROP TRIGGER IF EXISTS pedigree_change_delete;

CREATE TRIGGER pedigree_change_update BEFORE UPDATE ON PedigreeChange
FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the history is append-only';

CREATE TRIGGER pedigree_change_delete BEFORE DELETE ON PedigreeChange
FOR EACH ROW
BEGIN
    IF OLD.position > COALESCE((SELECT counter FROM PedigreeLock WHERE name = 'retention'), 0) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the history is append-only';
    END IF;
END;
