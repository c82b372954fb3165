select 1 as id, timestamp '2024-03-10 02:30:05.0678' as ts, date '2024-01-31' as d, 'Abc-12_x' as txt, 3 as n, cast(2.5 as double precision) as f, cast(1.25 as decimal(10, 2)) as x, true as b, array['p', 'q', null] as a
union all select 2, timestamp '2023-12-31 23:59:59', date '2024-12-30', '', -1, cast(-0.5 as double precision), cast(-2.50 as decimal(10, 2)), false, array['z']
union all select 3, timestamp '2024-02-29 00:00:00', date '2000-02-29', 'a\b%', 0, cast(0 as double precision), cast(0.00 as decimal(10, 2)), true, array['', 'q']
union all select 4, timestamp '2024-11-03 01:30:00.5', date '1969-12-29', 'foo bar foo', 40, cast(1e20 as double precision), cast(12345678.99 as decimal(10, 2)), false, array['x', 'y']
union all select 5, null, null, null, null, null, null, null, null
