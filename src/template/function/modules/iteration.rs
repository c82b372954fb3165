//! `modules.itertools`: lists of lists.

use minijinja::value::Tuple;
use minijinja::{Error, State, Value};

use super::{CallFailure, LibraryArguments};

/// The most rows that a call may give.
const MOST: usize = 1_000_000;

pub(super) fn call(method: Option<&str>, state: &State<'_, '_>, call: &LibraryArguments<'_>) -> Result<Value, Error> {
    let method = method.unwrap_or_default();
    if method == "chain.from_iterable" || method == "chain" {
        let lists = call.positional.iter().map(items).collect::<Result<Vec<_>, _>>()?;
        let all: Vec<Value> = lists.into_iter().flatten().collect();
        state.consume_fuel(all.len() as u64)?;
        return Ok(Value::from(all));
    }
    let first =
        |name: &str| call.argument(0, name).ok_or_else(|| CallFailure::new(format!("`{}()` needs a list", call.name)));
    let size =
        |place: usize| Ok::<_, CallFailure>(call.number(place, "r")?.and_then(|size| usize::try_from(size).ok()));
    match method {
        "product" => {
            let mut lists = call.positional.iter().map(items).collect::<Result<Vec<_>, _>>()?;
            let repeat = call.named.get::<Option<usize>>("repeat")?.unwrap_or(1);
            let once = lists.clone();
            for _ in 1..repeat.min(MOST) {
                lists.extend(once.iter().cloned());
                check(lists.len())?;
            }
            rows(state, product(&lists)?)
        }
        "combinations" | "permutations" => {
            let list = items(&first("iterable")?)?;
            let size = size(1)?.unwrap_or(list.len());
            rows(state, choices(&list, size, method == "permutations")?)
        }
        "zip_longest" => {
            let lists = call.positional.iter().map(items).collect::<Result<Vec<_>, _>>()?;
            let fill = call.named.get::<Option<Value>>("fillvalue")?.unwrap_or_else(|| Value::from(()));
            let length = lists.iter().map(Vec::len).max().unwrap_or(0);
            let row = |index: usize| lists.iter().map(|list| list.get(index).unwrap_or(&fill).clone()).collect();
            rows(state, (0..length).map(row).collect())
        }
        "islice" => {
            let list = items(&first("iterable")?)?;
            let [one, two, step] = [call.number(1, "start")?, call.number(2, "stop")?, call.number(3, "step")?];
            let (start, stop) = if call.positional.len() < 3 { (None, one) } else { (one, two) };
            let whole =
                |number: Option<i64>, other: usize| number.and_then(|n| usize::try_from(n).ok()).unwrap_or(other);
            let start = whole(start, 0);
            let length = whole(stop, list.len()).saturating_sub(start);
            Ok(list.into_iter().skip(start).take(length).step_by(whole(step, 1).max(1)).collect())
        }
        "repeat" => {
            let times = call.number(1, "times")?.and_then(|times| usize::try_from(times).ok());
            let times = times.ok_or_else(|| CallFailure::new("`modules.itertools.repeat()` needs `times`"))?;
            check(times)?;
            Ok(std::iter::repeat_n(first("object")?, times).collect())
        }
        _ => Err(call.unknown().into()),
    }
}

fn items(list: &Value) -> Result<Vec<Value>, Error> {
    let items = list.try_iter().map_err(|_| CallFailure::new(format!("{} is not a list", list.kind())))?;
    Ok(items.collect())
}

fn check(count: usize) -> Result<(), CallFailure> {
    match count > MOST {
        true => Err(CallFailure::new(format!("more than {MOST} rows are too many"))),
        false => Ok(()),
    }
}

fn rows(state: &State<'_, '_>, rows: Vec<Vec<Value>>) -> Result<Value, Error> {
    state.consume_fuel(rows.iter().map(|row| 1 + row.len() as u64).sum())?;
    Ok(rows.into_iter().map(|row| Value::from(Tuple::new(row))).collect())
}

fn product(lists: &[Vec<Value>]) -> Result<Vec<Vec<Value>>, CallFailure> {
    let mut rows = vec![Vec::new()];
    for list in lists {
        check(rows.len().saturating_mul(list.len()))?;
        let longer = |row: &Vec<Value>| {
            list.iter().map(|item| row.iter().cloned().chain([item.clone()]).collect()).collect::<Vec<_>>()
        };
        rows = rows.iter().flat_map(longer).collect();
    }
    Ok(rows)
}

/// Rows of `size` items, each at most once: in the list's order, or in every order.
fn choices(list: &[Value], size: usize, is_ordered: bool) -> Result<Vec<Vec<Value>>, CallFailure> {
    if size > list.len() {
        return Ok(Vec::new());
    }
    let mut rows: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..size {
        check(rows.len().saturating_mul(list.len()))?;
        let longer = |row: &Vec<usize>| {
            let may_follow = |index: &usize| match is_ordered {
                true => !row.contains(index),
                false => row.last().is_none_or(|last| index > last),
            };
            let next = (0..list.len()).filter(may_follow);
            next.map(|index| row.iter().copied().chain([index]).collect()).collect::<Vec<_>>()
        };
        rows = rows.iter().flat_map(longer).collect();
    }
    let chosen = |row: Vec<usize>| row.into_iter().filter_map(|index| list.get(index).cloned()).collect();
    Ok(rows.into_iter().map(chosen).collect())
}
