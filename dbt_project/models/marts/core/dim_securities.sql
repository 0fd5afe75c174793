select
    securities.symbol,
    securities.name,
    securities.kind,
    securities.exchange,
    exchanges.name as exchange_name,
    exchanges.market,
    exchanges.timezone,
    securities.currency,
    securities.reporting_currency
from {{ ref("securities") }} as securities
inner join {{ ref("exchanges") }} as exchanges on securities.exchange = exchanges.exchange
