-- Every question to a source, answered or not.
with landed as (
    select
        batch_id,
        dataset,
        symbol,
        'landed' as outcome,
        null as reason,
        start_date,
        end_date,
        row_count,
        rejected_count,
        content_hash,
        address,
        asked_at,
        fetched_at,
        run_id,
        attempt
    from {{ ref("stg_fetch_windows") }}
),

failed as (
    select
        batch_id,
        dataset,
        symbol,
        'failed' as outcome,
        reason,
        start_date,
        end_date,
        0 as row_count,
        0 as rejected_count,
        null as content_hash,
        address,
        asked_at,
        null as fetched_at,
        run_id,
        attempt
    from {{ ref("stg_failed_fetches") }}
)

select * from landed
union all
select * from failed
