SELECT COUNT(*) FROM sqlite_master
WHERE type = 'trigger' AND name IN (
    'pedigree_change_insert', 'pedigree_change_update', 'pedigree_change_delete',
    'pedigree_large_value_insert', 'pedigree_large_value_update', 'pedigree_large_value_delete'
)
