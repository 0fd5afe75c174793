select
    shares.symbol,
    securities.name as security_name,
    shares.as_of,
    shares.shares_outstanding,
    shares.share_class,
    shares.note,
    shares.source
from {{ ref("int_shares_split_adjusted") }} as shares
inner join {{ ref("securities") }} as securities on shares.symbol = securities.symbol
