-- SYS_QUERY_HISTORY, read from the shim's statement log (../statements.jsonl from the server's
-- folder). As on Redshift, a superuser sees all rows and other users only their own; times are in
-- UTC, durations in microseconds.
set allow_system_table_mods = on;
set client_min_messages = warning;

create or replace function pg_catalog.sandbox_statement_events(
    out event text, out id bigint, out "at" timestamptz, out "user" text, out "database" text,
    out session_id integer, out "text" text, out error text
) returns setof record
language sql stable security definer rows 20000 as $$
    select e.event, e.id, e.at, e.user, e.database, e.session_id, e.text, e.error
    from string_to_table(pg_read_file('../statements.jsonl'), E'\n') as line,
        json_to_record(line::json) as e (
            event text, id bigint, "at" timestamptz, "user" text, "database" text,
            session_id integer, "text" text, error text
        )
    where line like '{%}'  -- the last line may be incomplete
        and (e.user is null or e.user = session_user
            or (select usesuper from pg_user where usename = session_user))
$$;

create or replace view pg_catalog.sys_query_history as
-- Grouped, not joined: the planner has no statistics of the file and would use a nested loop.
with statements as (
    select
        id, min("at") as started_at, max("at") filter (where event = 'finished') as finished_at,
        bool_or(event = 'opened') as opens, max("user") as "user", max("database") as "database",
        max(session_id) as session_id, max("text") as "text", max(error) as error
    from pg_catalog.sandbox_statement_events()
    group by id
),

ended as (
    select
        *,
        -- Statements that ran when a shim was killed end when the next shim starts.
        coalesce(finished_at, min(started_at) filter (where opens) over (order by id desc))
            as ended_at
    from statements
)

select
    u.usesysid::integer as user_id, s.id as query_id, 'default'::varchar(320) as query_label,
    null::bigint as transaction_id, s.session_id, s.database::varchar(128) as database_name,
    case
        when q.body ~* '^(select|with|show|explain)\M' then 'SELECT'
        when q.body ~* '^create\s+(temp\w*\s+)?table\M.*\mas\M' then 'CTAS'
        when q.body ~* '^(create|alter|drop|truncate|grant|revoke|comment)\M' then 'DDL'
        when q.body ~* '^(insert|update|delete|merge|copy|unload|call)\M'
            then upper(substring(q.body from '^\w+'))
        else 'UTILITY'
    end::varchar(32) as query_type,
    case
        when s.ended_at is null then 'running' when q.reason is null then 'success'
        else 'failed'
    end::varchar(10) as status,
    false as result_cache_hit,
    (s.started_at at time zone 'UTC') as start_time,
    (s.ended_at at time zone 'UTC') as end_time,
    q.microseconds as elapsed_time, 0::bigint as queue_time, q.microseconds as execution_time,
    q.reason::varchar(512) as error_message, s.text::varchar(4000) as query_text
from ended as s
left join pg_user as u on u.usename = s.user
cross join lateral (
    select
        -- Some clients, such as dbt, put a comment before a statement.
        regexp_replace(s.text, '^(\s|/\*.*?\*/|--[^\n]*(\n|$))+', '') as body,
        (extract(epoch from coalesce(s.ended_at, clock_timestamp()) - s.started_at)
            * 1000000)::bigint as microseconds,
        coalesce(
            s.error, case when s.finished_at is null and s.ended_at is not null
                then 'the server stopped' end
        ) as reason
) as q
where not s.opens;

grant select on pg_catalog.sys_query_history to public;
