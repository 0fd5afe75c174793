"""The SQL of loading: which rows are refused and why, and which of the others are new.

A row rule is a pair of a reason, in words, and a condition. A row with any reason goes to ``raw.rejected_rows``, with
all its reasons.
"""

from __future__ import annotations

from dataclasses import dataclass

from include.raw.versions import latest_version, version_order
from include.sources.base import KEY_COLUMNS, SCHEMAS, Dataset


@dataclass(frozen=True)
class TableRules:
    """How one dataset is judged and stored.

    Attributes:
        judge: query over ``incoming`` that adds ``reasons`` (list of text) and ``known_from``.
        key: columns that name a row.
        values: columns whose change makes a new version.
        symbol: expression for the symbol, currency pair or currency, the unit of quarantine.
        date: expression for the day a rejected row is about.
        basis: expression for basis_date.
    """

    judge: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    symbol: str
    date: str
    basis: str = "basis_date"


def _judge(rules: list[tuple[str, str]], key: str, known_from: str, joins: str = "", incoming: str = "incoming") -> str:
    """The judging query. Identical rows are judged once, as ``copies``; rows that share a key and differ are all refused."""
    reasons = ",\n            ".join(f"case when {condition} then '{reason}' end" for reason, condition in rules)
    return f"""
        select i.*, {known_from} as known_from,
            list_filter([
            {reasons},
            i.problem,
            case when count(*) over (partition by {key}) > 1 then 'duplicate key with different values' end
            ], lambda reason: reason is not null) as reasons
        from (select *, count(*) as copies from {incoming} group by all) as i
        {joins}
    """


THIS_VERSION = "($fetched_at::timestamp, $landed_at::timestamp)"
"""The place of the batch that is being loaded in the order of versions."""
IS_ACCEPTED = (
    "len(list_filter(reasons, lambda reason: reason not in ('negative dividend', 'split ratio is negative'))) = 0"
)
"""Of a row of ``judged``: a bad dividend or split is rejected alone, and the price beside it counts."""
_SECURITY_JOIN = "left join seed_securities as s on s.symbol = i.symbol"
_SESSION_JOIN = f"""{_SECURITY_JOIN}
        left join raw.exchange_sessions as x on x.exchange = s.exchange and x.date = i.date
        left join (select exchange, min(date) as first_date, max(date) as last_date from raw.exchange_sessions group by exchange) as c
            on c.exchange = s.exchange"""

# Calendars are stored to the end of a year.
_AFTER_THE_CALENDAR = "year(i.date) > year(c.last_date)"

_BASIS_IN_THE_FUTURE = ("basis date in the future", "i.basis_date > $bound + 1")
"""A fetch in the evening of one zone is on the morning of the next day in another."""
_LATEST_PUBLICATION = """last_day(
                    period_end + case when period_type = 'interim' then interval 2 month else interval 3 month end)"""
"""When results have to be out (Listing Rules of HKEX, 13.49): of a first half-year within two months, of a year within three.

A quarter may be the last of its year.
"""
_LOWEST_RATE, _HIGHEST_RATE = -0.1, 1
_TENOR = "[1-9][0-9]{0,3}[dwmy]"
_TENOR_OF_BILLS = "([1-9]?[0-9]|1[0-7][0-9]|18[0-2])d|(1?[0-9]|2[0-6])w|[1-6]m"

RULES: dict[Dataset, TableRules] = {
    Dataset.PRICES: TableRules(
        judge=_judge(
            [
                ("no symbol", "i.symbol is null"),
                ("unknown symbol", "i.symbol is not null and s.symbol is null"),
                ("no date", "i.date is null"),
                ("future date", "i.date > $bound"),
                ("before the calendar of its exchange begins", "i.date < c.first_date"),
                ("its session had not closed when it was fetched", "x.closes_at > $fetched_at"),
                ("after the calendar of its exchange ends", f"{_AFTER_THE_CALENDAR} and i.date <= $bound"),
                ("no session on that day", f"i.date >= c.first_date and x.date is null and not {_AFTER_THE_CALENDAR}"),
                ("no close", "i.close is null or isnan(i.close)"),
                ("close is not above zero", "i.close <= 0 or isinf(i.close)"),
                ("open, high or low is not above zero", "least(i.open, i.high, i.low) <= 0"),
                ("high is below low", "i.high < i.low"),
                ("close is outside of low and high", "i.close > i.high * 1.000001 or i.close < i.low * 0.999999"),
                ("negative volume", "i.volume < 0"),
                ("no currency", "i.currency is null"),
                ("another currency than the security has", "i.currency <> s.currency"),
                ("negative dividend", "i.dividend < 0"),
                ("split ratio is negative", "i.split_ratio < 0"),
            ],
            key="i.symbol, i.date",
            known_from="coalesce(x.closes_at, i.date::timestamp)",
            joins=_SESSION_JOIN,
        ),
        key=KEY_COLUMNS[Dataset.PRICES],
        values=("open", "high", "low", "close", "volume", "currency"),
        symbol="symbol",
        date="date",
    ),
    Dataset.FX_RATES: TableRules(
        judge=_judge(
            [
                ("no currency pair", "i.base_currency is null or i.quote_currency is null"),
                ("no date", "i.date is null"),
                ("future date", "i.date > $bound"),
                ("no rate", "i.rate is null or isnan(i.rate)"),
                ("rate is not above zero", "i.rate <= 0 or isinf(i.rate)"),
            ],
            key="i.base_currency, i.quote_currency, i.date",
            # Reference rates are fixed in the European afternoon and can be known from then on.
            known_from="i.date::timestamp + interval 15 hour",
        ),
        key=KEY_COLUMNS[Dataset.FX_RATES],
        values=("rate",),
        symbol="base_currency || quote_currency",
        date="date",
        basis="date",
    ),
    Dataset.SHARES: TableRules(
        judge=_judge(
            [
                ("unknown symbol", "s.symbol is null"),
                ("no date", "i.as_of is null"),
                ("future date", "i.as_of > $bound"),
                ("no share count", "i.shares_outstanding is null or isnan(i.shares_outstanding)"),
                ("share count is not above zero", "i.shares_outstanding <= 0 or isinf(i.shares_outstanding)"),
                _BASIS_IN_THE_FUTURE,
            ],
            key="i.symbol, i.as_of",
            known_from="i.as_of::timestamp",
            joins=_SECURITY_JOIN,
        ),
        key=KEY_COLUMNS[Dataset.SHARES],
        values=("shares_outstanding", "share_class"),
        symbol="symbol",
        date="as_of",
    ),
    Dataset.ESTIMATES: TableRules(
        judge=_judge(
            [
                ("unknown symbol", "s.symbol is null"),
                ("no date", "i.as_of is null"),
                ("future date", "i.as_of > $bound"),
                ("no metric", "i.metric is null"),
                (
                    "period is neither annual nor quarter",
                    "i.period_type is null or i.period_type not in ('annual', 'quarter')",
                ),
                ("no period end", "i.period_end is null"),
                ("no mean", "i.mean is null or isnan(i.mean) or isinf(i.mean)"),
                ("no currency", "i.currency is null"),
                ("high is below low", "i.high < i.low"),
                ("negative analyst count", "i.analyst_count < 0"),
                _BASIS_IN_THE_FUTURE,
            ],
            key="i.symbol, i.as_of, i.metric, i.period_type, i.period_end",
            known_from="i.as_of::timestamp",
            joins=_SECURITY_JOIN,
        ),
        key=KEY_COLUMNS[Dataset.ESTIMATES],
        values=("period_label", "mean", "low", "high", "analyst_count", "currency"),
        symbol="symbol",
        date="as_of",
    ),
    Dataset.RISK_FREE: TableRules(
        judge=_judge(
            [
                ("no currency", "i.currency is null"),
                ("no date", "i.date is null"),
                ("future date", "i.date > $bound"),
                (
                    "tenor is not a number of days, weeks, months or years, such as 13w",
                    f"coalesce(not regexp_full_match(i.tenor, '{_TENOR}'), true)",
                ),
                ("no rate", "i.rate is null or isnan(i.rate)"),
                (
                    "rate is not a fraction a year: write 4.3% as 0.043",
                    f"not isnan(i.rate) and i.rate not between {_LOWEST_RATE} and {_HIGHEST_RATE}",
                ),
                (
                    "quote basis is neither yield nor discount",
                    "i.quote_basis is null or i.quote_basis not in ('yield', 'discount')",
                ),
                (
                    "a discount is of bills of at most half a year",
                    f"i.quote_basis = 'discount' and not regexp_full_match(i.tenor, '{_TENOR_OF_BILLS}')",
                ),
            ],
            key="i.currency, i.tenor, i.date",
            # Known by the close of New York, as bills are.
            known_from="i.date::timestamp + interval 21 hour",
        ),
        key=KEY_COLUMNS[Dataset.RISK_FREE],
        values=("rate", "quote_basis"),
        symbol="currency",
        date="date",
        basis="date",
    ),
    Dataset.FUNDAMENTALS: TableRules(
        judge=_judge(
            [
                ("unknown symbol", "s.symbol is null"),
                (
                    "period is none of annual, interim, quarter and ttm",
                    "i.period_type is null or i.period_type not in ('annual', 'interim', 'quarter', 'ttm')",
                ),
                ("no period end", "i.period_end is null"),
                ("period ends in the future", "i.period_end > $bound"),
                ("published before the period ends", "i.published_on < i.period_end"),
                ("published in the future", "not i.is_publication_assumed and i.published_on > $bound"),
                ("no currency", "i.currency is null"),
                (
                    "neither earnings nor book value nor dividends",
                    "coalesce(i.eps, i.book_value_per_share, i.dividends_per_share) is null",
                ),
                (
                    "a figure is not finite",
                    "not (isfinite(coalesce(i.eps, 0)) and isfinite(coalesce(i.book_value_per_share, 0)) "
                    "and isfinite(coalesce(i.dividends_per_share, 0)))",
                ),
                ("negative dividends", "i.dividends_per_share < 0"),
                _BASIS_IN_THE_FUTURE,
                (
                    "shares per receipt are not above zero",
                    "i.shares_per_receipt <= 0 or not isfinite(i.shares_per_receipt)",
                ),
            ],
            key="i.symbol, i.period_type, i.period_end, i.published_on",
            # Who fetches them knows them, whenever they had to be published.
            known_from="least(i.published_on::timestamp, $fetched_at::timestamp)",
            joins=_SECURITY_JOIN,
            incoming=f"""(
                select * replace (
                        coalesce(published_on, {_LATEST_PUBLICATION}) as published_on,
                        coalesce(shares_per_receipt, 1) as shares_per_receipt),
                    published_on is null as is_publication_assumed
                from incoming)""",
        ),
        key=KEY_COLUMNS[Dataset.FUNDAMENTALS],
        values=(
            "is_publication_assumed",
            "currency",
            "eps",
            "book_value_per_share",
            "dividends_per_share",
            "shares_per_receipt",
        ),
        symbol="symbol",
        date="period_end",
    ),
}


def reject(dataset: Dataset, rules: TableRules) -> tuple[str, str]:
    """Two statements that put the refused rows of ``judged`` in, each once however often the vendor repeats it.

    A row stands with the first batch that has it, in the order of versions: a batch that is loaded late takes it over.
    """
    columns = (
        *rules.key,
        *rules.values,
        *(("dividend", "dividend_currency", "split_ratio") if dataset is Dataset.PRICES else ()),
    )
    row = "{" + ", ".join(f"'{name}': {name}" for name in columns) + "}"
    refused = f"""(
        select distinct {rules.symbol} as symbol, {rules.date} as date, reasons, to_json({row}) as row_values
        from judged where len(reasons) > 0) as refused"""
    is_same = f"r.dataset = '{dataset}' and r.row_values = refused.row_values and r.reasons = refused.reasons"
    take_over = f"""
        delete from raw.rejected_rows as r
        using {refused}, (
            select batch_id, any_value(fetched_at) as fetched_at, any_value(landed_at) as landed_at
            from raw.fetch_windows group by batch_id) as batches
        where {is_same} and r.batch_id = batches.batch_id and {version_order("batches")} > {THIS_VERSION}
    """
    insert = f"""
        insert into raw.rejected_rows
        select '{dataset}', refused.symbol, refused.date, refused.reasons, refused.row_values,
            $batch_id, $fetched_at, $loaded_at
        from {refused}
        where not exists (select 1 from raw.rejected_rows as r where {is_same})
    """
    return take_over, insert


def append(dataset: Dataset, rules: TableRules) -> str:
    """Insert the accepted rows that differ from the version before them.

    The version before is the latest one of those before it that are not in quarantine. A row that equals one
    of a pending unit is stored with its own unit too, or it would be lost with the other. Otherwise a row is unchanged if
    its values are, and no split fetched up to then lies between the two bases: the same number on another basis is
    another value. Later versions do not count, so the order of loading makes no difference. A batch stores a key once,
    however often it is appended.
    """
    same_key = " and ".join(f"r.{name} = j.{name}" for name in rules.key)
    is_first = " and ".join(f"f.{name} = j.{name}" for name in rules.key)
    stored = ", ".join((*rules.key, *rules.values, *(["note"] if "note" in SCHEMAS[dataset].names else [])))
    # Judged rows carry basis_date except rates, which no split touches: their own date stands in.
    basis = "" if rules.basis == "basis_date" else f", {rules.basis} as basis_date"
    return f"""
        insert into raw.{dataset} ({stored}, fetched_at, landed_at, known_from, basis_date, batch_id, source, loaded_at)
        with accepted as (select *{basis} from judged where {IS_ACCEPTED}),
        {_previous(dataset, rules, "accepted")}
        select {", ".join(f"j.{name.strip()}" for name in stored.split(","))}, $fetched_at, $landed_at,
            case when exists (select 1 from usable as f where {is_first} and {version_order("f")} < {THIS_VERSION})
                then greatest(j.known_from, $fetched_at) else j.known_from end,
            j.basis_date, $batch_id, $source, $loaded_at
        from accepted as j
        where not {_is_unchanged(dataset, rules)}
            and not exists (select 1 from raw.{dataset} as r where r.batch_id = $batch_id and {same_key})
    """


def remove_unchanged(dataset: Dataset, rules: TableRules) -> str:
    """Delete rows of the batch that ``append`` would not store now that the versions before them are judged."""
    return f"""
        delete from raw.{dataset} where rowid in (
            with own as (select rowid as row_number, * from raw.{dataset} where batch_id = $batch_id),
            {_previous(dataset, rules, "own")}
            select j.row_number from own as j where {_is_unchanged(dataset, rules)})
    """


def _previous(dataset: Dataset, rules: TableRules, rows: str) -> str:
    """Of each row of ``rows``, the version before it, as the query ``previous``.

    Only the symbols of ``rows`` are read: loading a file must not cost more the more others are stored.
    """
    same_key = " and ".join(f"r.{name} = j.{name}" for name in rules.key)
    return f"""usable as (
            select r.* from raw.{dataset} as r
            where {_prefixed(rules.symbol)} in (select {rules.symbol} from {rows})
                and (r.batch_id, {_prefixed(rules.symbol)}) not in
                    (select (batch_id, symbol) from raw.current_verdicts where verdict = 'quarantined')
        ),
        previous as (
            select r.*, {_is_good(rules.symbol)} as is_good
            from usable as r inner join {rows} as j on {same_key} and {version_order("r")} < {THIS_VERSION}
            {latest_version([f"r.{name}" for name in rules.key], "r")}
        )"""


def _is_unchanged(dataset: Dataset, rules: TableRules) -> str:
    """Whether the row ``j`` says what the version before it says."""
    same_key = " and ".join(f"p.{name} = j.{name}" for name in rules.key)
    same_values = " and ".join(f"p.{name} is not distinct from j.{name}" for name in rules.values)
    split_between = "" if rules.basis != "basis_date" else f" and not {_split_between('j')}"
    return f"exists (select 1 from previous as p where {same_key} and p.is_good and {same_values}{split_between})"


def date_first_versions(dataset: Dataset, rules: TableRules) -> str:
    """Set ``known_from`` of the rows of some batches, and of the other versions of these rows, by the order of versions.

    It is set when a row is stored; by then an earlier version may be missing, or not be judged yet.
    """
    key = ", ".join(rules.key)
    return f"""
        update raw.{dataset} as stored set known_from = versions.known_from
        from (
            select rowid as row_number,
                case when row_number() over history = 1 then min(known_from) over (partition by {key})
                else greatest(min(known_from) over (partition by {key}), fetched_at) end as known_from
            from raw.{dataset} as r
            where ({key}) in (select ({key}) from raw.{dataset} where batch_id in (select unnest($batches)))
                and (r.batch_id, {_prefixed(rules.symbol)}) not in
                    (select (batch_id, symbol) from raw.current_verdicts where verdict = 'quarantined')
            window history as (partition by {key} order by {version_order()})
        ) as versions
        where stored.rowid = versions.row_number and stored.known_from <> versions.known_from
    """


def _split_between(row: str) -> str:
    """Whether a split fetched up to then lies between the bases of ``row`` and of ``p``, the version before."""
    return f"""exists (
                select 1 from raw.corporate_actions as a
                where a.symbol = {row}.symbol and a.action = 'split' and {version_order("a")} <= {THIS_VERSION}
                    and a.date > least(p.basis_date, {row}.basis_date)
                    and a.date <= greatest(p.basis_date, {row}.basis_date))"""


def _is_good(symbol: str) -> str:
    return f"""(r.batch_id, {_prefixed(symbol)}) in
                (select (batch_id, symbol) from raw.current_verdicts where verdict in ('accepted', 'released'))"""


def _prefixed(symbol: str, alias: str = "r") -> str:
    return " || ".join(f"{alias}.{part.strip()}" for part in symbol.split("||"))


_PRICE_REASONS = (
    "no close",
    "close is not above zero",
    "open, high or low is not above zero",
    "high is below low",
    "close is outside of low and high",
    "negative volume",
    "before the calendar of its exchange begins",
    "after the calendar of its exchange ends",
    "no session on that day",
    "duplicate key with different values",
    "its session had not closed when it was fetched",
)
"""What can be wrong with a price row whose dividend or split still counts."""

_IS_NEW_ACTION = f"""(t.value is distinct from coalesce(p.value, 0)
            or (p.value is not null and not p.is_good)
            or (t.value > 0 and t.currency is distinct from p.currency)
            or (t.action = 'dividend' and t.value > 0 and coalesce({_split_between("t")}, false)))"""

# A dividend or split stands on the price row of its ex-date. A good row without one withdraws it: a version of value 0.
APPEND_CORPORATE_ACTIONS = f"""
    insert into raw.corporate_actions
        (symbol, date, action, value, currency, fetched_at, landed_at, known_from, basis_date, batch_id, source, loaded_at)
    with rows_with_actions as (
        select *, len(reasons) > 0 as is_rejected from judged
        where len(list_filter(reasons, lambda reason: reason not in {_PRICE_REASONS})) = 0
    ),
    delivered as (
        select symbol, date, 'dividend' as action, coalesce(dividend, 0) as value,
            coalesce(dividend_currency, currency) as currency, basis_date, is_rejected
        from rows_with_actions
        union all
        select symbol, date, 'split', case when coalesce(split_ratio, 0) = 1 then 0 else coalesce(split_ratio, 0) end,
            null, basis_date, is_rejected
        from rows_with_actions
    ),
    -- Rows of one day that differ in their prices are all refused; where they agree on an action, it counts.
    actions as (
        select symbol, date, action, any_value(value) as value, any_value(currency) as currency,
            any_value(basis_date) as basis_date, bool_or(is_rejected) as is_rejected
        from delivered
        group by symbol, date, action
        having count(distinct value) = 1 and count(distinct currency) <= 1 and count(distinct basis_date) = 1
    ),
    previous as (
        select r.*, {_is_good("symbol")} as is_good
        from raw.corporate_actions as r
        where r.symbol in (select symbol from actions)
            and (r.batch_id, r.symbol) not in
                (select (batch_id, symbol) from raw.current_verdicts where verdict = 'quarantined')
            and {version_order("r")} < {THIS_VERSION}
        {latest_version(["r.symbol", "r.date", "r.action"], "r")}
    )
    select t.symbol, t.date, t.action, t.value, case when t.value > 0 then t.currency end, $fetched_at, $landed_at,
        t.date::timestamp, t.basis_date, $batch_id, $source, $loaded_at
    from actions as t
    left join previous as p on p.symbol = t.symbol and p.date = t.date and p.action = t.action
    where not (t.is_rejected and t.value = 0)
        and {_IS_NEW_ACTION}
        and not exists (
            select 1 from raw.corporate_actions as r
            where r.batch_id = $batch_id and r.symbol = t.symbol and r.date = t.date and r.action = t.action)
"""

# What APPEND_CORPORATE_ACTIONS would not store, now that the versions before are judged.
REMOVE_UNCHANGED_ACTIONS = f"""
    delete from raw.corporate_actions where rowid in (
        with own as (select rowid as row_number, * from raw.corporate_actions where batch_id = $batch_id),
        previous as (
            select r.*, {_is_good("symbol")} as is_good
            from raw.corporate_actions as r
            inner join own as t on r.symbol = t.symbol and r.date = t.date and r.action = t.action
            where (r.batch_id, r.symbol) not in
                (select (batch_id, symbol) from raw.current_verdicts where verdict = 'quarantined')
                and {version_order("r")} < {THIS_VERSION}
            {latest_version(["r.symbol", "r.date", "r.action"], "r")}
        )
        select t.row_number
        from own as t
        left join previous as p on p.symbol = t.symbol and p.date = t.date and p.action = t.action
        where not {_IS_NEW_ACTION})
"""
