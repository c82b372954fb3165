select 1 as id, timestamp '2024-03-10 02:30:05.0678' as ts, date '2024-01-31' as d, '2024-07-01 02:30:00' as txt, 3 as n, cast(2.5 as double precision) as f, cast(1.25 as decimal(10, 2)) as x, true as b
union all select 2, timestamp '9999-12-31 23:59:59', date '9999-12-31', '0001-01-01', -1, -0.5, -2.50, false
union all select 3, timestamp '0001-01-01 00:00:00', date '2000-02-29', '20240229T24:00', 0, 0, 0.00, true
union all select 4, timestamp '2024-11-03 01:30:00', date '1969-12-29', '1999-12-31 23:59:59.999999', 40, 1e300, 12345678.99, false
union all select 5, null, null, null, null, null, null, null
