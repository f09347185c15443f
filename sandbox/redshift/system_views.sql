-- Redshift's system views that dbt-redshift and users query, based on PostgreSQL's catalog. Column
-- names and types are from the Amazon Redshift Database Developer Guide; columns without an
-- equivalent in PostgreSQL (distribution, encoding, shares) are constant.
set allow_system_table_mods = on;
set client_min_messages = warning;

-- Late-binding views are ordinary views here, which information_schema shows already.
create or replace function pg_catalog.pg_get_late_binding_view_cols() returns setof record
language sql stable as
'select null::name, null::name, null::name, null::varchar, null::integer where false';

create or replace view pg_catalog.svv_external_columns as
select
    null::varchar as redshift_database_name, null::varchar as schemaname,
    null::varchar as tablename, null::varchar as columnname, null::varchar as external_type,
    null::integer as columnnum, null::integer as part_key, null::varchar as is_nullable
where false;

create or replace view pg_catalog.svv_external_tables as
select
    null::varchar as redshift_database_name, null::varchar as schemaname,
    null::varchar as tablename, null::varchar as location
where false;

create or replace view pg_catalog.svv_table_info as
select
    current_database()::text as "database", n.nspname::text as "schema",
    c.oid::integer as table_id, c.relname::text as "table", 'N'::text as encoded,
    'AUTO(ALL)'::text as diststyle, null::text as sortkey1,
    coalesce((
        -- 1043 is varchar, whose modifier is its length and a header of four bytes.
        select max(a.atttypmod - 4) from pg_attribute a
        where a.attrelid = c.oid and a.atttypid = 1043 and a.attnum > 0
    ), 0)::integer as max_varchar,
    null::text as sortkey1_enc, 0::integer as sortkey_num,
    (pg_table_size(c.oid) / 1048576)::bigint as "size",
    0::numeric(10, 4) as pct_used, 0::bigint as "empty", null::numeric(5, 2) as unsorted,
    0::numeric(5, 2) as stats_off, greatest(c.reltuples, 0)::numeric(38, 0) as tbl_rows,
    null::numeric(19, 2) as skew_sortkey1, null::numeric(19, 2) as skew_rows,
    greatest(c.reltuples, 0)::numeric(38, 0) as estimated_visible_rows,
    null::text as risk_event, null::numeric(12, 2) as vacuum_sort_benefit,
    null::timestamp as create_time
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast');

create or replace view pg_catalog.svv_redshift_columns as
select
    table_catalog::varchar as database_name, table_schema::varchar as schema_name,
    table_name::varchar as table_name, column_name::varchar as column_name,
    ordinal_position::integer as ordinal_position, data_type::varchar as data_type,
    column_default::varchar as column_default, is_nullable::varchar as is_nullable,
    'none'::varchar as encoding, false as distkey, 0 as sortkey, ''::varchar as column_acl,
    null::varchar as remarks
from information_schema.columns;

create or replace view pg_catalog.svv_mv_info as
select
    null::varchar as database_name, null::varchar as schema_name, null::varchar as user_name,
    null::varchar as name, false as is_stale, 0::integer as state, 0::integer as autorewrite,
    0::integer as autorefresh
where false;

create or replace view pg_catalog.stv_mv_info as
select
    null::varchar as db_name, null::varchar as "schema", null::varchar as name,
    0::bigint as updated_upto_xid, false as is_stale, null::varchar as owner_user_name,
    0::integer as state, 0::integer as autorefresh, 0::integer as autorewrite
where false;

create or replace view pg_catalog.svv_relation_privileges as
select
    granted.nspname::text as namespace_name, granted.relname::text as relation_name,
    lower(granted.privilege_type)::text as privilege_type, granted.grantee::integer as identity_id,
    coalesce(r.rolname, 'public')::text as identity_name,
    case when granted.grantee = 0 then 'public' when r.rolcanlogin then 'user' else 'group' end
        as identity_type,
    granted.is_grantable as admin_option
from (
    select n.nspname, c.relname, (aclexplode(coalesce(c.relacl, acldefault('r', c.relowner)))).*
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'v', 'p')
) as granted
left join pg_roles r on r.oid = granted.grantee;

create or replace view pg_catalog.pg_table_def as
select
    n.nspname as schemaname, c.relname as tablename, a.attname as "column",
    format_type(a.atttypid, a.atttypmod) as "type", 'none'::text as encoding, false as distkey,
    0 as sortkey, a.attnotnull as "notnull"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p') and n.nspname = any (current_schemas(false));

-- For a source without loaded_at_field, dbt reads the freshness from the last 'insert' step of the
-- table. The closest value in PostgreSQL is the time of the last write to the table's file.
create or replace function pg_catalog.sandbox_written_at(table_id oid) returns timestamp
language sql stable security definer as
'select (pg_stat_file(pg_relation_filepath(table_id), true)).modification::timestamp';

create or replace view pg_catalog.sys_query_detail as
select
    null::integer as user_id, null::bigint as query_id, c.oid::integer as table_id,
    'insert'::text as step_name, pg_catalog.sandbox_written_at(c.oid) as start_time,
    null::timestamp as end_time
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema';

grant select on
    pg_catalog.svv_external_columns, pg_catalog.svv_external_tables, pg_catalog.svv_table_info,
    pg_catalog.svv_redshift_columns, pg_catalog.svv_mv_info, pg_catalog.stv_mv_info,
    pg_catalog.svv_relation_privileges, pg_catalog.pg_table_def, pg_catalog.sys_query_detail
to public;
