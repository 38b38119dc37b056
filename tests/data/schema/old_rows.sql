-- What a database older than version 8 can hold: one event several times, and steps of events that do not exist.
INSERT INTO Event (id, artifact_id, execution_id, type, milliseconds_since_epoch) VALUES
    (21, 1, 1, 3, 900),
    (22, 2, 1, 4, 901),
    (23, 2, 1, 4, 899),
    (24, 2, 1, 5, NULL);
INSERT INTO EventPath (event_id, is_index_step, step_index, step_key) VALUES
    (21, 0, NULL, 'newer'),
    (22, 1, 5, NULL),
    (23, 0, NULL, 'newest'),
    (23, 1, 6, NULL),
    (77, 0, NULL, 'orphan');
-- The highest id was given, and must not be given again.
DELETE FROM Event WHERE id = 24;
