-- The source of the dbt project: one row per line of an invoice, as exported from the shop's system.
-- The data is not cleaned, which is the task of the models: it has exact duplicates, cancellations
-- (invoice starts with 'C'), lines without a customer, and descriptions that are the text 'nan'.
-- Runs unchanged on Amazon Redshift.
create schema if not exists retail;

create table if not exists retail.transactions (
    line_number   integer       not null,  -- position in the file, starting at 1
    invoice       varchar(16)   not null,
    stock_code    varchar(20)   not null,
    description   varchar(128),
    quantity      integer       not null,
    invoice_date  timestamp     not null,
    price         decimal(12,3) not null,  -- pounds sterling for one piece, negative in corrections
    customer_id   integer,
    country       varchar(64)   not null,
    loaded_at     timestamp     not null   -- when the row was copied into the warehouse (UTC)
);
