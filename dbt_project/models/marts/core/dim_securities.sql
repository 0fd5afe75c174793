select
    securities.symbol,
    securities.name as security_name,
    securities.kind,
    securities.exchange,
    exchanges.name as exchange_name,
    exchanges.market,
    exchanges.timezone,
    securities.currency,
    securities.reporting_currency,
    securities.sector,
    securities.country,
    securities.isin
from {{ ref("int_securities") }} as securities
inner join {{ ref("exchanges") }} as exchanges on securities.exchange = exchanges.exchange
