SELECT COUNT(*) FROM information_schema.triggers
WHERE trigger_schema = DATABASE() AND trigger_name IN (
    'pedigree_change_update', 'pedigree_change_delete', 'pedigree_large_value_update', 'pedigree_large_value_delete'
)
