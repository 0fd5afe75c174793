-- How many sessions of its exchange lie between each session and the base of each period. A security has a row for
-- every session from its first price on, so that its own bases are as many rows back.
{{ days_back(ref("stg_exchange_sessions"), ["exchange"]) }}
