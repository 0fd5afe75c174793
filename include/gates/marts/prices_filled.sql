-- severity: critical
-- table: marts.fct_security_daily
-- why: A generation without prices must never replace one with them.

select 'no row' as detail
where
    (select count(*) from marts.fct_security_daily) = 0
    and (select count(*) from marts.fct_index_daily) = 0
