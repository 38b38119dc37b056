SELECT COUNT(*) FROM pg_trigger
WHERE tgrelid = to_regclass('PedigreeChange')
    AND tgname IN ('pedigree_change_update', 'pedigree_change_delete', 'pedigree_change_truncate')
    AND tgenabled <> 'D'
