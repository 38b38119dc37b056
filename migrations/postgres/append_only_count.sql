SELECT COUNT(*) FROM pg_trigger
WHERE tgrelid IN (to_regclass('PedigreeChange'), to_regclass('PedigreeLargeValue'))
    AND tgname IN (
        'pedigree_change_update', 'pedigree_change_delete', 'pedigree_change_truncate',
        'pedigree_large_value_update', 'pedigree_large_value_delete', 'pedigree_large_value_truncate'
    )
    AND tgenabled <> 'D'
