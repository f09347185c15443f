-- Functions of Redshift that PostgreSQL does not have. They are in pg_catalog, so that they are
-- found with any search_path. Source: "SQL functions reference" in the Amazon Redshift Database
-- Developer Guide.
set allow_system_table_mods = on;
set client_min_messages = warning;

------------------------------------------------------------------------------------------- hashing

-- CHECKSUM takes a varchar, an integer or a decimal and returns an integer. AWS does not publish
-- the algorithm: these numbers are NOT those of AWS, they only have the same range, -2^31..2^31-1.
-- A query of N partitions evaluates it N times per row: PostgreSQL inlines it as one call in C.
-- checksum('8845783719') is -2147483648, the only value whose abs() is out of range.
create or replace function pg_catalog.checksum(text) returns integer
language sql immutable strict parallel safe as 'select hashtext($1)';

create or replace function pg_catalog.checksum(integer) returns integer
language sql immutable strict parallel safe as 'select $1';

-- AWS's example prints 10920 for a decimal(8,2) of 109.20: the unscaled value, not a mixing hash.
create or replace function pg_catalog.checksum(numeric) returns integer
language sql immutable strict parallel safe as $$
    select (mod(mod($1 * 10::numeric ^ scale($1), 4294967296) + 6442450944, 4294967296)
            - 2147483648)::integer
$$;

-- FARMFINGERPRINT64 and FNV_HASH return 64 bits. These numbers are NOT those of AWS; like those, they
-- differ for any two values of different bytes: texts that differ in case or in blanks at the end,
-- 0 and -0. PostgreSQL inlines each as calls in C. FNV_HASH is here for texts and doubles.
create or replace function pg_catalog.farmfingerprint64(text) returns bigint
language sql immutable strict parallel safe as 'select hashtextextended($1 collate "C", 0)';

create or replace function pg_catalog.farmfingerprint64(bytea) returns bigint
language sql immutable strict parallel safe as
$$ select hashtextextended(encode($1, 'hex') collate "C", 0) $$;

create or replace function pg_catalog.fnv_hash(text) returns bigint
language sql immutable strict parallel safe as 'select hashtextextended($1 collate "C", 1)';

create or replace function pg_catalog.fnv_hash(character) returns bigint
language sql immutable strict parallel safe as
'select hashtextextended(textin(bpcharout($1)) collate "C", 1)';

create or replace function pg_catalog.fnv_hash(double precision) returns bigint
language sql immutable strict parallel safe as
$$ select hashtextextended(encode(float8send($1), 'hex') collate "C", 1) $$;

create or replace function pg_catalog.fnv_hash(real) returns bigint
language sql immutable strict parallel safe as
$$ select hashtextextended(encode(float4send($1), 'hex') collate "C", 1) $$;

-- STRTOL(text, base), for hashes with MD5 that must return the same numbers here and on AWS.
create or replace function pg_catalog.strtol(text, integer) returns bigint
language plpgsql immutable strict parallel safe as $$
declare
    digits text := regexp_replace(lower(trim($1)), '^[-+]', '');
    total bigint := 0;
    digit integer;
begin
    if $2 = 16 then
        digits := regexp_replace(digits, '^0x', '');
    end if;
    for place in 1 .. length(digits) loop
        digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(digits, place, 1)) - 1;
        if digit < 0 or digit >= $2 then
            raise exception 'The input % is not valid to be converted to base %', $1, $2;
        end if;
        total := total * $2 + digit;
    end loop;
    return case when trim($1) like '-%' then -total else total end;
end $$;

------------------------------------------------------------------------------------- date and time

create or replace function pg_catalog.getdate() returns timestamp
language sql stable as $$ select date_trunc('second', statement_timestamp())::timestamp $$;

-- The shim rewrites the keyword SYSDATE as a call.
create or replace function pg_catalog.sysdate() returns timestamp
language sql stable as $$ select transaction_timestamp()::timestamp $$;

-- The names of date parts, from "Dateparts for date or timestamp functions".
create or replace function pg_catalog.sandbox_date_part(text) returns text
language sql immutable strict parallel safe as $$
    select case
        when lower($1) in ('y', 'yr', 'yrs', 'year', 'years') then 'year'
        when lower($1) in ('qtr', 'quarter', 'quarters') then 'quarter'
        when lower($1) in ('mon', 'mons', 'month', 'months') then 'month'
        when lower($1) in ('w', 'week', 'weeks') then 'week'
        when lower($1) in ('d', 'day', 'days') then 'day'
        when lower($1) in ('h', 'hr', 'hrs', 'hour', 'hours') then 'hour'
        when lower($1) in ('m', 'min', 'mins', 'minute', 'minutes') then 'minute'
        when lower($1) in ('s', 'sec', 'secs', 'second', 'seconds') then 'second'
        when lower($1) in ('ms', 'msec', 'millisecond', 'milliseconds') then 'millisecond'
        when lower($1) in ('us', 'usec', 'microsecond', 'microseconds') then 'microsecond'
        else lower($1)
    end
$$;

create or replace function pg_catalog.dateadd(text, bigint, timestamp) returns timestamp
language sql immutable strict parallel safe as $$
    select $3 + case pg_catalog.sandbox_date_part($1)
        when 'quarter' then make_interval(months => (3 * $2)::integer)
        else ($2 || ' ' || pg_catalog.sandbox_date_part($1))::interval
    end
$$;

create or replace function pg_catalog.dateadd(text, bigint, date) returns timestamp
language sql immutable strict parallel safe as
$$ select pg_catalog.dateadd($1, $2, $3::timestamp) $$;

-- DATEDIFF counts the boundaries between the two times, not whole units.
create or replace function pg_catalog.datediff(text, timestamp, timestamp) returns bigint
language sql immutable strict parallel safe as $$
    select case pg_catalog.sandbox_date_part($1)
        when 'year' then extract(year from $3) - extract(year from $2)
        when 'quarter' then (extract(year from $3) - extract(year from $2)) * 4
            + extract(quarter from $3) - extract(quarter from $2)
        when 'month' then (extract(year from $3) - extract(year from $2)) * 12
            + extract(month from $3) - extract(month from $2)
        -- A week starts on Sunday; in date_trunc it starts on Monday.
        when 'week' then (date_trunc('week', $3 + interval '1 day')::date
            - date_trunc('week', $2 + interval '1 day')::date) / 7
        when 'day' then $3::date - $2::date
        when 'hour' then extract(epoch from date_trunc('hour', $3) - date_trunc('hour', $2)) / 3600
        when 'minute'
            then extract(epoch from date_trunc('minute', $3) - date_trunc('minute', $2)) / 60
        when 'second' then extract(epoch from date_trunc('second', $3) - date_trunc('second', $2))
        when 'millisecond'
            then floor(extract(epoch from $3) * 1000) - floor(extract(epoch from $2) * 1000)
        when 'microsecond' then extract(epoch from $3 - $2) * 1000000
    end::bigint
$$;

create or replace function pg_catalog.last_day(timestamp) returns date
language sql immutable strict parallel safe as
$$ select (date_trunc('month', $1) + interval '1 month - 1 day')::date $$;

-- The last day of a month stays the last day.
create or replace function pg_catalog.add_months(timestamp, integer) returns timestamp
language sql immutable strict parallel safe as $$
    select case
        when $1::date = pg_catalog.last_day($1)
            then pg_catalog.last_day($1 + make_interval(months => $2)) + $1::time
        else $1 + make_interval(months => $2)
    end
$$;

create or replace function pg_catalog.trunc(timestamp) returns date
language sql immutable strict parallel safe as 'select $1::date';

create or replace function pg_catalog.convert_timezone(text, timestamp) returns timestamp
language sql stable strict parallel safe as $$ select ($2 at time zone 'UTC') at time zone $1 $$;

create or replace function pg_catalog.convert_timezone(text, text, timestamp) returns timestamp
language sql stable strict parallel safe as $$ select ($3 at time zone $1) at time zone $2 $$;

-------------------------------------------------------------------------- strings and conditionals

create or replace function pg_catalog.len(text) returns integer
language sql immutable strict parallel safe as 'select length($1)';

create or replace function pg_catalog.charindex(text, text) returns integer
language sql immutable strict parallel safe as 'select strpos($2, $1)';

create or replace function pg_catalog.nvl2(anyelement, anycompatible, anycompatible)
returns anycompatible
language sql immutable parallel safe as 'select case when $1 is not null then $2 else $3 end';

create or replace function pg_catalog.json_extract_path_text(text, variadic text[]) returns text
language sql immutable strict parallel safe as
'select pg_catalog.json_extract_path_text($1::json, variadic $2)';

create or replace function pg_catalog.is_valid_json(text) returns boolean
language plpgsql immutable strict as $$
begin
    perform $1::json;
    return true;
exception when invalid_text_representation then
    return false;
end $$;
