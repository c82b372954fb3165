//! Files in UTF-16 are read like those in UTF-8, and bad records keep their places.

use std::io::Write;

use super::*;

fn utf_16(units: impl IntoIterator<Item = u16>, is_big: bool) -> Vec<u8> {
    let bytes = |unit: u16| if is_big { unit.to_be_bytes() } else { unit.to_le_bytes() };
    [0xfeff].into_iter().chain(units).flat_map(bytes).collect()
}

#[test]
fn a_file_in_utf_16_has_the_rows_of_the_same_in_utf_8() {
    let text = "a,b\r\n\"é\n,\",😀\r\nx\r\n1,2,3\r\ny,z\r\n";
    let plain = read(&headed(&TWO), text);
    assert_eq!(plain.bad, owned(&["4 too_few_columns x", "5 too_many_columns 1,2,3"]));
    let json_text = "{\"a\":\"é\"}\n[1]\n{\"b\":\"x\"}\n";
    let json = format(&TWO, RawKind::JsonLines);
    for is_big in [false, true] {
        let found = read(&headed(&TWO), utf_16(text.encode_utf16(), is_big));
        assert_eq!((&found.rows, &found.bad), (&plain.rows, &plain.bad));
        let found = read(&json, utf_16(json_text.encode_utf16(), is_big));
        let expected = read(&json, json_text);
        assert_eq!((found.rows, found.bad), (expected.rows, expected.bad));
        let array = read(&json, utf_16("[{\"a\":\"é\"},\n{\"b\":\"x\"}]".encode_utf16(), is_big));
        assert_eq!(array.rows, owned(&["é|-|1|-", "-|x|2|-"]));
    }
}

#[test]
fn half_a_character_of_utf_16_makes_its_own_record_bad() {
    let mut units: Vec<u16> = "a,b\n1,2\nx".encode_utf16().collect();
    units.push(0xd83d);
    units.extend(",y\n3,4\n".encode_utf16());
    let outcome = read(&headed(&TWO), utf_16(units.clone(), false));
    assert_eq!(outcome.rows, owned(&["1|2|2|-", "3|4|4|-"]));
    assert_eq!(outcome.bad.len(), 1);
    assert!(outcome.bad[0].starts_with("3 invalid_utf8 x"), "{:?}", outcome.bad);
    let mut cut = utf_16("a,b\n1,2\n3,4".encode_utf16(), true);
    cut.pop();
    let outcome = read(&headed(&TWO), cut);
    assert_eq!(outcome.rows, owned(&["1|2|2|-"]));
    assert!(outcome.bad[0].starts_with("3 invalid_utf8 3,"), "{:?}", outcome.bad);
}

#[test]
fn a_compressed_file_may_be_utf_16_too() {
    let text = "a,b\nü,2\n".to_owned() + &"x,y\n".repeat(20_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&utf_16(text.encode_utf16(), false)).unwrap();
    let bytes = gzip.finish().unwrap();
    let mut projection = Projection::all(&headed(&TWO));
    projection.columns.retain(|column| *column != ProjectedColumn::SourceFile);
    let found = read_with(&headed(&TWO), vec![file("a.csv.gz", &bytes)], &projection).unwrap();
    assert_eq!(found.rows, read(&headed(&TWO), &text).rows);
    assert_eq!(found.stats.bytes, bytes.len() as u64);
}
