-- Counts what widen.sql has to change.
SELECT COUNT(*)
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
