-- How text and typed values of a file become days and numbers. NULL where they do not.

-- What vendors and libraries write where there is no value.
create macro is_empty(given) as
    given is null
    or lower(trim(given::varchar)) in ('', 'nan', '-nan', 'na', 'n/a', '#n/a', 'null', 'none', 'nat', '<na>', '-');

create macro number_of(given) as
    case when isfinite(try_cast(given as double)) then try_cast(given as double) end;

-- A whole number, or none.
create macro whole_of(given) as
    case
        when number_of(given) = floor(number_of(given)) and abs(number_of(given)) < 9e18
            then number_of(given)::bigint
    end;

-- A volume that is adjusted for a split may be a fraction of a share.
create macro rounded_of(given) as whole_of(round(number_of(given)));

-- A day, or the midnight of a day in the zone that the text itself names. Any other time of day is ambiguous.
create macro day_of(given) as
    case
        when regexp_full_match(trim(given), '\d{4}-\d{2}-\d{2}') then try_cast(given as date)
        when
            regexp_full_match(
                trim(given),
                '\d{4}-\d{2}-\d{2}[ T]00:00(:00(\.0+)?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?'
            )
            then try_cast(left(trim(given), 10) as date)
        when regexp_full_match(trim(given), '\d{4}([-/])\d{1,2}[-/]\d{1,2}') then try_cast(given as date)
        when regexp_full_match(trim(given), '\d{8}') then try_strptime(trim(given), '%Y%m%d')::date
    end;

-- The same of a timestamp, whose zone has been taken off: what a clock in it shows.
create macro day_of_moment(given) as
    case when given = date_trunc('day', given) then given::date end;

create macro is_moment(given) as
    regexp_matches(given, '^\s*\d{4}-\d{1,2}-\d{1,2}[ T]\d{1,2}:\d{2}');

-- What is wrong with the values of a row, each a struct of name, wanted, is_day, is_read and given.
create macro problem_of(cells, moment) as
    nullif(
        array_to_string(
            list_transform(
                list_filter(cells, lambda cell: not cell.is_read and not is_empty(cell.given)),
                lambda cell: cell.name || ' is ''' || cell.given || '''' || case
                    when cell.is_day and is_moment(cell.given) then ', ' || moment
                    when cell.is_day and regexp_full_match(trim(cell.given), '\d{5}')
                        then ', a day as Excel counts them: give the column the format yyyy-mm-dd'
                    else ', which is not ' || cell.wanted
                end
            ),
            '; '
        ),
        ''
    );
