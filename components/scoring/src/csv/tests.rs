//! Tests of the reader of rows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::*;
use proptest::prelude::*;

/// What a reader returned, in words: the line and the cells of a row, or the line and the fault.
fn event(next: Next<'_>) -> Option<(u64, Result<Vec<String>, String>)> {
    match next {
        Next::Row(row) => {
            let text = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
            Some((row.line, Ok(row.cells().map(text).collect())))
        }
        Next::Invalid { line, fault } => Some((line, Err(fault.to_string()))),
        Next::More | Next::End => None,
    }
}

type Event = (u64, Result<Vec<String>, String>);

/// All that is in a file that arrives in these ranges. Every row is read by a new reader where the one before was, if
/// `resumes`.
fn read_in<'a>(ranges: impl IntoIterator<Item = &'a [u8]>, width: Option<usize>) -> Vec<(Event, Place)> {
    let mut reader = Reader::at(Place::BEGINNING);
    reader.width = width;
    let mut found = Vec::new();
    let mut drain = |reader: &mut Reader| {
        while let Some(event) = event(reader.read()) {
            found.push((event, reader.place()));
        }
    };
    for range in ranges {
        reader.push(range);
        drain(&mut reader);
    }
    reader.finish();
    drain(&mut reader);
    assert!(matches!(reader.read(), Next::End));
    found
}

fn read(file: &[u8]) -> Vec<Event> {
    read_in([file], None).into_iter().map(|(event, _)| event).collect()
}

/// Rows, as line and cells with `|` between.
#[track_caller]
fn check(file: &[u8], expected: &[(u64, &str)]) {
    let found: Vec<_> = read(file).into_iter().map(|(line, row)| (line, row.unwrap().join("|"))).collect();
    let found: Vec<_> = found.iter().map(|(line, row)| (*line, row.as_str())).collect();
    assert_eq!(found, expected, "{}", String::from_utf8_lossy(file));
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_first_cell() {
    check(b"\xef\xbb\xbfa,b\n1,2\n", &[(1, "a|b"), (2, "1|2")]);
    check(b"\xef\xbb\xbf", &[]);
}

#[test]
fn line_breaks_of_all_systems_end_a_row() {
    check(b"a,b\r\n1,2\r\n3,4\r\n", &[(1, "a|b"), (2, "1|2"), (3, "3|4")]);
    check(b"a,b\n1,2\n3,4\n", &[(1, "a|b"), (2, "1|2"), (3, "3|4")]);
    check(b"a,b\r1,2\r3,4\r", &[(1, "a|b"), (2, "1|2"), (3, "3|4")]);
}

#[test]
fn quotes_contain_line_breaks_commas_and_quotes() {
    check(b"a,\"b\nc\r\nd\",e\n\"f,\"\"g\"\"\",h\n", &[(1, "a|b\nc\r\nd|e"), (4, "f,\"g\"|h")]);
}

#[test]
fn the_last_line_break_may_be_missing() {
    check(b"a,b\n1,2", &[(1, "a|b"), (2, "1|2")]);
    check(b"a,b\n1,\"2\"", &[(1, "a|b"), (2, "1|2")]);
    check(b"a,b\n1,", &[(1, "a|b"), (2, "1|")]);
    check(b"a,b\r\n1,2\r", &[(1, "a|b"), (2, "1|2")]);
}

#[test]
fn a_header_only_and_an_empty_file_have_no_rows() {
    check(b"a,b\n", &[(1, "a|b")]);
    check(b"a,b", &[(1, "a|b")]);
    check(b"", &[]);
    check(b"\r\n\n\r", &[]);
}

#[test]
fn blank_lines_count_as_lines_and_are_not_rows() {
    check(b"\na,b\n\n\r\n1,2\n\n", &[(2, "a|b"), (5, "1|2")]);
}

#[test]
fn bytes_that_are_not_utf_8_stay_in_their_cell() {
    let mut reader = Reader::at(Place::BEGINNING);
    reader.push(b"Zo\xe9,1\n");
    let Next::Row(row) = reader.read() else { panic!("a row") };
    assert_eq!(row.cells().collect::<Vec<_>>(), [b"Zo\xe9".as_slice(), b"1"]);
}

#[test]
fn a_row_longer_than_the_limit_is_given_up_and_the_next_is_read() {
    let fits = [b"a,".as_slice(), &[b'x'; MAX_ROW_BYTES - 3], b"\n1,2\n"].concat();
    assert_eq!(read(&fits).len(), 2);
    assert!(read(&fits).iter().all(|(_, row)| row.is_ok()));
    let long = [b"a,b\na,".as_slice(), &[b'x'; 3 * MAX_ROW_BYTES], b"\n1,2\n"].concat();
    let found = read(&long);
    assert_eq!(found[1], (2, Err(format!("is longer than {MAX_ROW_BYTES} bytes"))));
    assert_eq!(found[2], (3, Ok(vec!["1".to_owned(), "2".to_owned()])));
    assert_eq!(found.len(), 3);
}

#[test]
fn a_row_of_too_many_cells_is_given_up() {
    let commas = |cells: usize| [vec![b','; cells - 1], b"\n1,2\n".to_vec()].concat();
    assert_eq!(read(&commas(MAX_CELLS))[0].1.as_ref().unwrap().len(), MAX_CELLS);
    let found = read(&commas(MAX_CELLS + 1));
    assert_eq!(found[0], (1, Err(format!("has more than {MAX_CELLS} cells"))));
    assert_eq!(found[1].0, 2);
}

#[test]
fn a_quote_that_nobody_closes_costs_its_own_line_alone() {
    let quote = b"a,b\n1,\"2\n3,4\n5,6";
    let found = read(quote);
    assert_eq!(found[1], (2, Err("the quotes are not closed".to_owned())));
    assert_eq!((found[2].0, found[3].0, found.len()), (3, 4, 4));
    let many = [b"a,b\n1,\"2\n".as_slice(), &b"3,4\n".repeat(MAX_ROW_BYTES)].concat();
    let found = read(&many);
    assert_eq!(found[1], (2, Err(format!("is longer than {MAX_ROW_BYTES} bytes"))));
    assert_eq!(found.iter().filter(|(_, row)| row.is_ok()).count(), MAX_ROW_BYTES + 1);
}

#[test]
fn a_quote_that_a_later_row_closes_costs_no_other_row() {
    let found: Vec<_> = read_in([b"1,\"2,a\n3,4,b\n5,6,c\n7,\"8\",d\n9,0,e\n".as_slice()], Some(3))
        .into_iter()
        .map(|it| it.0)
        .collect();
    let lines: Vec<_> = found.iter().map(|(line, row)| (*line, row.is_ok())).collect();
    assert_eq!(lines, [(1, false), (2, true), (3, true), (4, true), (5, true)]);
}

/// Rows in front of the one that closes it end with their line; that one may span lines itself.
#[test]
fn behind_a_quote_that_nobody_closes_rows_may_span_lines() {
    for end in ["\n", "\r\n", "\r"] {
        let text = "1,\"2,a\n3,4,b\n7,\"8\n9\",d\n5,\"6\n\",e\n".replace('\n', end);
        for size in 1..text.len() {
            let found: Vec<_> = read_in(text.as_bytes().chunks(size), Some(3)).into_iter().map(|it| it.0).collect();
            let (rows, invalid) = split(&found);
            let rows: Vec<_> = rows.iter().map(|(line, row)| (*line, row.replace(end, "/"))).collect();
            assert_eq!(rows, [(2, "3|4|b".to_owned()), (3, "7|8/9|d".to_owned()), (5, "5|6/|e".to_owned())]);
            assert_eq!(invalid, [1]);
        }
    }
}

/// The quotes of each line would be followed to the end of the file, or over a megabyte: 100 GB in all.
#[test]
fn a_file_made_of_quotes_that_nobody_closes_is_looked_at_once() {
    let text = "b\",\"\"\"\n".repeat(200_000);
    let found = read_in(text.as_bytes().chunks(1_000_000), Some(2));
    assert_eq!(found.len(), 200_000);
    assert!(found.iter().all(|((_, row), _)| row.is_err()));
}

#[test]
fn a_row_has_as_many_cells_as_the_header() {
    let found: Vec<_> = read_in([b"1,2\n1\n1,2,3\n3,4\n".as_slice()], Some(2)).into_iter().map(|it| it.0).collect();
    assert_eq!(found[1], (2, Err("has 1 cells; the header has 2".to_owned())));
    assert_eq!(found[2], (3, Err("has 3 cells; the header has 2".to_owned())));
    assert!(found[3].1.is_ok());
}

/// Records of the file: line and cells, as [`check`] has them, and the lines that are invalid.
fn split(found: &[Event]) -> (Vec<(u64, String)>, Vec<u64>) {
    let rows = found.iter().filter_map(|(line, row)| Some((*line, row.as_ref().ok()?.join("|"))));
    (rows.collect(), found.iter().filter(|(_, row)| row.is_err()).map(|it| it.0).collect())
}

#[test]
fn a_line_inside_the_quotes_of_an_invalid_row_is_not_a_row() {
    const EVIL: &str = "c,evil,,,0,999999,verified,x";
    let good = "c,m,,,0,1,verified,y";
    let long = "l".repeat(70 * 1_024);
    for (name, row, lines) in [
        ("too long", format!("\"note\n{EVIL}\n{long}\""), 3),
        ("too long, other cells", format!("c,m,,,0,1,verified,\"note\r\n{EVIL}\r\n\r\n{long}\""), 3),
        ("too long in its first line", format!("c,m,,,0,1,verified,\"{long}\n{EVIL}\n\""), 3),
        ("long before the quotes", format!("{long},\"\n{EVIL}\n\""), 3),
        ("too many cells", format!("{}\"\n{EVIL}\n\"", ",".repeat(MAX_CELLS)), 3),
        ("too narrow", format!("c,m,\"a \"\"quote\"\"\n{EVIL}\nb\""), 3),
        ("too wide", format!("c,m,,,0,1,verified,y,\"a\n{EVIL}\n\",\"b\n{EVIL}\n\""), 5),
        ("at the limit", format!("\"\n{EVIL}\n{}\"", "l".repeat(MAX_QUOTED_BYTES - EVIL.len() - 5)), 3),
    ] {
        let text = format!("{good}\n{row}\n{good}\n");
        for size in [1_000, 65_536, text.len()] {
            let found: Vec<_> = read_in(text.as_bytes().chunks(size), Some(8)).into_iter().map(|it| it.0).collect();
            let (rows, invalid) = split(&found);
            assert!(rows.iter().all(|(_, row)| *row == good.replace(',', "|")), "{name}: {rows:?}");
            assert_eq!((rows.len(), invalid.len()), (2, lines), "{name} in ranges of {size}");
        }
    }
}

/// What remains: the quotes end behind the limit, or the file ends before them.
#[test]
fn quotes_that_do_not_end_within_the_limit_hide_no_row() {
    let beyond = format!("1,\"2\n3,4\n{}\"\n5,6\n", "l".repeat(MAX_QUOTED_BYTES));
    for text in [beyond.as_str(), "1,\"2\n3,4\n"] {
        let found: Vec<_> = read_in(text.as_bytes().chunks(50_000), Some(2)).into_iter().map(|it| it.0).collect();
        assert_eq!(found[0].0, 1);
        assert!(found[0].1.is_err());
        assert_eq!(found[1], (2, Ok(vec!["3".to_owned(), "4".to_owned()])));
    }
}

#[test]
fn memory_is_bounded_by_a_row_and_a_range() {
    const RANGE: usize = 10_000;
    let mut reader = Reader::at(Place::BEGINNING);
    reader.push(b"a,\"");
    for _ in 0..300 {
        reader.push(&[b'x'; RANGE]);
        while event(reader.read()).is_some() {}
        assert!(reader.buffer.len() <= MAX_QUOTED_BYTES + RANGE, "{}", reader.buffer.len());
    }
}

/// Bytes that mean something, and some that do not.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b",".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(b"\xe9".to_vec()),
        Just(b"ab".to_vec()),
        Just(b"\"q\r\nr\"".to_vec()),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same_rows(file in file(), size in 1_usize..8, width in prop::option::of(1_usize..4)) {
        let whole = read_in([file.as_slice()], width);
        let split = read_in(file.chunks(size), width);
        let events = |found: &[(Event, Place)]| found.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
        prop_assert_eq!(events(&split), events(&whole));
    }

    /// A crash between two rows: what was returned before, and what another reader returns from there on.
    #[test]
    fn another_reader_goes_on_at_any_row(file in file(), size in 1_usize..8, width in prop::option::of(1_usize..4)) {
        let whole = read_in(file.chunks(size), width);
        for (index, (_, place)) in whole.iter().enumerate() {
            let mut reader = Reader::at(*place);
            reader.width = width;
            reader.push(&file[place.offset as usize..]);
            reader.finish();
            let rest: Vec<_> = std::iter::from_fn(|| event(reader.read())).collect();
            let expected: Vec<_> = whole[index + 1..].iter().map(|it| it.0.clone()).collect();
            prop_assert_eq!(rest, expected, "from {:?}", place);
        }
    }

    /// Whatever the width, no part of a cell becomes a row.
    #[test]
    fn no_row_is_made_of_what_is_quoted(
        rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n]{0,4}", 1..4), 0..6),
        width in 1_usize..4,
        size in 1_usize..8,
    ) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
        let text: String = rows.iter().map(line).collect();
        let found = read_in(text.as_bytes().chunks(size), Some(width));
        let found: Vec<_> = found.into_iter().filter_map(|(event, _)| event.1.ok()).collect();
        let expected: Vec<_> = rows.into_iter().filter(|row| row.len() == width).collect();
        prop_assert_eq!(found, expected);
    }

    /// What a well-known writer would write is read as it was.
    #[test]
    fn what_is_quoted_is_read(rows in prop::collection::vec(prop::collection::vec("[a,\"\r\né]{0,4}", 2..4), 0..6)) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n";
        let text: String = rows.iter().map(line).collect();
        let found: Vec<_> = read(text.as_bytes()).into_iter().map(|(_, row)| row.unwrap()).collect();
        prop_assert_eq!(found, rows);
    }
}
