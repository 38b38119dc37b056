-- Counts what widen.sql has to change.
SELECT
    (
        SELECT COUNT(*)
        FROM information_schema.columns
        WHERE table_schema = current_schema() AND data_type = 'integer'
            AND table_name IN (
                'type', 'typeproperty', 'parenttype', 'artifact', 'artifactproperty', 'execution', 'executionproperty', 'event',
                'eventpath', 'context', 'contextproperty', 'parentcontext', 'association', 'attribution'
            )
            AND column_name IN (
                'id', 'type_id', 'parent_type_id', 'artifact_id', 'execution_id', 'context_id', 'parent_context_id', 'event_id',
                'int_value', 'step_index'
            )
    )
    + 4
    - (
        SELECT COUNT(*)
        FROM pg_indexes
        WHERE schemaname = current_schema() AND indexdef LIKE '%"left"(%, 255)%'
            AND indexname IN (
                'idx_artifact_uri', 'idx_artifact_property_string', 'idx_execution_property_string', 'idx_context_property_string'
            )
    )
