-- The value that each claim is compared with, or in words why there is none.
select
    claim_id,
    evaluated_at,
    claim_date,
    subject,
    subject_name,
    measure,
    comparison,
    claimed_value,
    tolerance,
    unit,
    statement,
    claim_source,
    first_date,
    value_date,
    has_own_level,
    case when has_own_level then value end as value,
    forward_pe_basket_weighted,
    forward_pe_equal_weight,
    forward_pe_median,
    case
        when has_own_level and value is not null then null
        when first_date is null then 'there are no data of ' || subject_name
        when claim_date < first_date then 'the data begin on ' || first_date
        when claim_date > complete_until then 'the data reach to ' || complete_until
        when value_date is null then 'no session to hold it against'
        when not has_own_level then 'no level on that day, the last one is carried'
        when measure = 'highest_since' then 'a record: no close was as high since the data begin on ' || first_date
        when measure = 'market_value_usd' and subject_kind = 'equity' then 'no share count'
        when members_valued < members_priced and measure in ('market_value_usd', 'market_value_change_ytd_usd')
            then 'share counts are known for ' || members_valued || ' of ' || members_priced || ' members'
        when measure = 'market_value_change_ytd_usd' then 'no market value at the end of the year before'
        when measure = 'forward_pe' and subject_kind = 'equity'
            then case when is_loss_maker then 'a loss is expected' else 'no estimates of the next twelve months' end
        when measure = 'forward_pe' and coalesce(coverage_ratio, 0) < {{ var("min_coverage_ratio") }}
            then
                members_covered || ' of ' || members || ' members have estimates'
                || coalesce(', ' || {{ percent_short_of("coverage_ratio") }} || ' of market value', ', and a member lacks its share count')
        when measure = 'forward_pe_discount' and not coalesce(is_pair_covered, false)
            then
                coalesce(own_covered, 0) || ' of ' || coalesce(own_members, 0) || ' members have estimates, and '
                || coalesce(other_covered, 0) || ' of ' || coalesce(other_members, 0) || ' of the other basket'
        when measure in ('forward_pe', 'forward_pe_discount') then 'the members together are expected to lose money'
        else 'no close to measure from'
    end as reason
from {{ ref("int_press_measurements") }}
