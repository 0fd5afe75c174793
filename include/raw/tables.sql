{# Of every raw row: when the vendor answered, when the answer landed, when the value could be known, whose splits it #}
{# includes, its batch. #}
{% set time_columns %}
fetched_at timestamp not null,
    landed_at timestamp not null,
    known_from timestamp not null,
    basis_date date not null,
    batch_id varchar not null,
    source varchar not null,
    loaded_at timestamp not null
{%- endset %}
create schema if not exists meta;
create schema if not exists raw;

create table if not exists meta.store (
    source varchar not null,
    schema_version integer not null
);

create table if not exists meta.builds (
    build_id varchar primary key,
    transformed_at timestamp not null,
    passed_at timestamp
);

create table if not exists raw.prices (
    symbol varchar not null,
    date date not null,
    open double,
    high double,
    low double,
    close double not null,
    volume bigint,
    currency varchar not null,
    {{ time_columns }}
);

create table if not exists raw.corporate_actions (
    symbol varchar not null,
    date date not null,
    action varchar not null,
    value double not null,
    currency varchar,
    {{ time_columns }}
);

create table if not exists raw.fx_rates (
    base_currency varchar not null,
    quote_currency varchar not null,
    date date not null,
    rate double not null,
    {{ time_columns }}
);

create table if not exists raw.shares (
    symbol varchar not null,
    as_of date not null,
    shares_outstanding double not null,
    share_class varchar,
    note varchar,
    {{ time_columns }}
);

create table if not exists raw.estimates (
    symbol varchar not null,
    as_of date not null,
    metric varchar not null,
    period_type varchar not null,
    period_end date not null,
    period_label varchar,
    mean double not null,
    low double,
    high double,
    analyst_count bigint,
    currency varchar not null,
    note varchar,
    {{ time_columns }}
);

create table if not exists raw.risk_free (
    currency varchar not null,
    tenor varchar not null,
    date date not null,
    rate double not null,
    quote_basis varchar not null,
    note varchar,
    {{ time_columns }}
);

create table if not exists raw.rejected_rows (
    dataset varchar not null,
    symbol varchar,
    date date,
    reasons varchar[] not null,
    row_values varchar not null,
    batch_id varchar not null,
    fetched_at timestamp not null,
    loaded_at timestamp not null
);

create table if not exists raw.fetch_windows (
    batch_id varchar not null,
    dataset varchar not null,
    market varchar not null,
    symbol varchar not null,
    start_date date,
    end_date date not null,
    row_count bigint not null,
    rejected_count bigint not null,
    fetched_at timestamp not null,
    landed_at timestamp not null,
    run_id varchar not null,
    attempt integer not null,
    asked_at timestamp,
    address varchar,
    content_hash varchar
);

create table if not exists raw.failed_fetches (
    batch_id varchar not null,
    dataset varchar not null,
    symbol varchar not null,
    start_date date,
    end_date date not null,
    reason varchar not null,
    run_id varchar not null,
    attempt integer not null,
    asked_at timestamp not null,
    address varchar
);

create table if not exists raw.load_ledger (
    batch_id varchar primary key,
    dataset varchar not null,
    file_name varchar not null,
    rows_read bigint not null,
    rows_new bigint not null,
    rows_unchanged bigint not null,
    rows_rejected bigint not null,
    loaded_at timestamp not null
);

create table if not exists raw.unit_verdicts (
    batch_id varchar not null,
    dataset varchar not null,
    symbol varchar not null,
    verdict varchar not null,
    reasons varchar[] not null,
    decided_at timestamp not null
);

create table if not exists raw.exchange_sessions (
    exchange varchar not null,
    market varchar not null,
    date date not null,
    opens_at timestamp not null,
    closes_at timestamp not null,
    is_half_day boolean not null
);

create or replace view raw.current_verdicts as
select
    batch_id,
    dataset,
    symbol,
    verdict,
    reasons,
    decided_at
from raw.unit_verdicts
qualify row_number() over (partition by batch_id, symbol order by decided_at desc, verdict desc) = 1;

-- Units in quarantine that no later good delivery of the same symbol has healed; newest first.
create or replace view raw.unhealed_units as
select
    verdicts.batch_id,
    verdicts.dataset,
    verdicts.symbol,
    verdicts.reasons,
    windows.fetched_at
from raw.current_verdicts as verdicts
inner join raw.fetch_windows as windows
    on verdicts.batch_id = windows.batch_id and verdicts.symbol = windows.symbol
where
    verdicts.verdict = 'quarantined'
    and not exists (
        select 1
        from raw.current_verdicts as later
        inner join raw.fetch_windows as fetches
            on later.batch_id = fetches.batch_id and later.symbol = fetches.symbol
        where
            later.dataset = verdicts.dataset
            and later.symbol = verdicts.symbol
            and later.verdict in ('accepted', 'released')
            and fetches.row_count > 0
            and {{ version_order("fetches") }} > {{ version_order("windows") }}
    )
order by {{ version_order("windows") }} desc, verdicts.symbol asc;
