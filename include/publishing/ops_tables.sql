-- Tables of schema ops that no build makes: they tell of all builds that are kept.
create table generation.ops.publications (
    generation varchar,
    source varchar,
    is_simulated boolean,
    published_at timestamp,
    as_of date,
    run_id varchar,
    checks_passed integer,
    checks_warned integer,
    accepted_loss varchar
);
comment on table generation.ops.publications is 'Every generation that is kept, of any source.';
comment on column generation.ops.publications.generation is 'Name of the generation: UTC time and version of the code.';
comment on column generation.ops.publications.source is 'The store that it was built from.';
comment on column generation.ops.publications.is_simulated is 'Whether its numbers are simulated.';
comment on column generation.ops.publications.published_at is 'When it was published (UTC).';
comment on column generation.ops.publications.as_of is 'Last session up to which the data of all exchanges are complete.';
comment on column generation.ops.publications.run_id is 'The build that made it.';
comment on column generation.ops.publications.checks_passed is 'Expectations of both gates that passed.';
comment on column generation.ops.publications.checks_warned is 'Expectations that failed with severity warning.';
comment on column generation.ops.publications.accepted_loss is 'Why lost rows were accepted, where they were.';

create table generation.ops.validation_results (
    run_id varchar,
    run_ended_at timestamp,
    gate varchar,
    name varchar,
    table_name varchar,
    severity varchar,
    status varchar,
    failing_rows integer,
    why varchar,
    examples varchar
);
comment on table generation.ops.validation_results is 'Every expectation of the last builds, as it came out.';
comment on column generation.ops.validation_results.run_id is 'The build that ran it.';
comment on column generation.ops.validation_results.run_ended_at is 'When that build ended (UTC); NULL for the one that made this generation.';
comment on column generation.ops.validation_results.gate is 'check_raw (gate 1) or check_marts (gate 2).';
comment on column generation.ops.validation_results.name is 'Name of the expectation.';
comment on column generation.ops.validation_results.table_name is 'Table that it reads.';
comment on column generation.ops.validation_results.severity is 'critical or warning.';
comment on column generation.ops.validation_results.status is 'passed, warning, failed, or error where it could not run.';
comment on column generation.ops.validation_results.failing_rows is 'How many rows or units failed.';
comment on column generation.ops.validation_results.why is 'Why the expectation is there.';
comment on column generation.ops.validation_results.examples is 'Some of the failing keys, as JSON.';
