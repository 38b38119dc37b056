-- Counts what widen.sql has to change.
SELECT COUNT(*)
    /*M!100303 + (
        SELECT COUNT(*)
        FROM information_schema.tables AS paths
        WHERE paths.table_schema = DATABASE() AND paths.table_name = 'EventPath'
            AND NOT EXISTS (
                SELECT 1 FROM information_schema.columns AS keys_of_paths
                WHERE keys_of_paths.table_schema = DATABASE() AND keys_of_paths.table_name = 'EventPath'
                    AND keys_of_paths.column_name = 'pedigree_id'
            )
    ) */
FROM information_schema.columns
WHERE table_schema = DATABASE() AND data_type = 'int'
    AND table_name IN (
        'Type', 'TypeProperty', 'ParentType', 'Artifact', 'ArtifactProperty', 'Execution', 'ExecutionProperty', 'Event',
        'EventPath', 'Context', 'ContextProperty', 'ParentContext', 'Association', 'Attribution'
    )
    AND column_name IN (
        'id', 'type_id', 'parent_type_id', 'artifact_id', 'execution_id', 'context_id', 'parent_context_id', 'event_id',
        'int_value', 'step_index'
    )
