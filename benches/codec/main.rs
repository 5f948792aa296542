//! Benchmarks the codec: Adjourn and its peers on the same bytes in one run. Each result is checked before it is timed.
//!
//! Run `cargo bench --bench codec`; `benches/README.md` explains the output.
#![expect(clippy::expect_used, clippy::panic, reason = "a failed check stops the bench")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod board;
mod pages;
mod peers;
mod requests;
mod responses;
mod small;

use std::hint::black_box;
use std::time::{Duration, Instant};

use board::{Board, MEASURE};
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use pages::{Page, Shape};

/// How often the two peers alternate over the fresh pages.
const TURNS: usize = 40;

/// Number of different pages in a fresh run, and the items of each.
const FRESH_PAGES: usize = 50;
const FRESH_ITEMS: usize = 200;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let board = Board::default();
    for (count, shapes) in [
        (1, &Shape::ALL[..1]),
        (20, &Shape::ALL[..1]),
        (200, &Shape::ALL[..1]),
        (1000, &Shape::ALL[..]),
        (10_000, &Shape::ALL[..1]),
    ] {
        shapes.iter().for_each(|shape| one_page(&mut criterion, &board, *shape, count));
    }
    Shape::ALL.into_iter().for_each(|shape| fresh_pages(&mut criterion, &board, shape));
    Shape::ALL.into_iter().for_each(|shape| alternate_peers(&board, shape));
    small::answers(&board);
    requests::requests(&mut criterion, &board);
    criterion.final_summary();
    if !std::env::args().any(|argument| argument == "--test") {
        board.print();
    }
}

/// Whether the filter among the arguments selects the input: parts of names, with `|` between them, which criterion reads as the same.
fn is_wanted(name: &str) -> bool {
    filter(std::env::args().skip(1)).is_none_or(|filter| filter.split('|').any(|part| name.contains(part)))
}

/// The argument that is no option, nor the value of one.
fn filter(mut arguments: impl Iterator<Item = String>) -> Option<String> {
    const SWITCHES: [&str; 10] = [
        "--test",
        "--bench",
        "--list",
        "--quick",
        "--quiet",
        "--verbose",
        "--noplot",
        "--discard-baseline",
        "--exact",
        "--ignored",
    ];
    loop {
        let argument = arguments.next()?;
        if !argument.starts_with('-') {
            return Some(argument);
        }
        let is_switch = argument.contains('=') || SWITCHES.contains(&argument.as_str());
        if argument.starts_with("--") && !is_switch {
            arguments.next();
        }
    }
}

fn one_page(criterion: &mut Criterion, board: &Board, shape: Shape, count: usize) {
    let name = format!("{count} {}", shape.name());
    if !is_wanted(&name) {
        return;
    }
    let page = pages::page(shape, count, count as u64);
    check(&page);
    board.input(&name, page.xml.len(), count);
    let mut group = criterion.benchmark_group(&name);
    group.throughput(Throughput::Bytes(page.xml.len() as u64));
    let xml = &page.xml[..];
    timed(&mut group, board, "adjourn", || drop(black_box(peers::adjourn(black_box(xml)))));
    timed(&mut group, board, MEASURE, || {
        black_box(peers::quick_xml_events(black_box(xml)));
    });
    timed(&mut group, board, "adjourn, reader alone", || {
        drop(black_box(peers::adjourn_reader(black_box(xml))))
    });
    timed(&mut group, board, "roxmltree", || {
        black_box(peers::roxmltree(black_box(xml)));
    });
    timed(&mut group, board, "quick-xml serde", || drop(black_box(peers::quick_xml_serde(black_box(xml)))));
    timed(&mut group, board, "crate ews", || drop(black_box(peers::ews_crate(black_box(xml)))));
    group.finish();
}

/// Checks that each decoder finds all values, and that Adjourn uses the scanner.
fn check(page: &Page) {
    let decoded = peers::adjourn(&page.xml);
    assert_eq!(decoded.path.as_str(), "scanner", "declined: {:?}", decoded.path.declined());
    assert_eq!(peers::digest_of(&decoded), page.digest, "adjourn");
    assert_eq!(peers::digest_of(&peers::adjourn_reader(&page.xml)), page.digest, "reader");
    assert_eq!(peers::quick_xml_serde(&page.xml).digest(), page.digest, "serde");
    assert_eq!(peers::roxmltree(&page.xml), page.digest, "roxmltree");
    let of_crate = peers::ews_crate_digest(&peers::ews_crate(&page.xml));
    assert_eq!(of_crate, (page.digest.items, page.digest.subject_bytes, page.digest.id_bytes), "crate ews");
}

fn pages_of(shape: Shape) -> Vec<Page> {
    (0..FRESH_PAGES).map(|seed| pages::page(shape, FRESH_ITEMS, 7_000 + seed as u64)).collect()
}

/// Times the same pages without criterion; the two peers whose ratio is the goal alternate on each page, so a slow moment of the machine
/// affects both.
fn alternate_peers(board: &Board, shape: Shape) {
    let name = format!("in turn {}", shape.name());
    if !is_wanted(&name) {
        return;
    }
    let pages = pages_of(shape);
    let bytes = pages.iter().map(|page| page.xml.len()).sum::<usize>() / pages.len();
    board.input(&name, bytes, FRESH_ITEMS);
    let mut buffer = Vec::new();
    let turns = if std::env::args().any(|argument| argument == "--test") { 1 } else { TURNS };
    for page in std::iter::repeat_n(&pages, turns).flatten() {
        let mut turn = |peer, work: &dyn Fn(&[u8])| {
            buffer.clear();
            buffer.extend_from_slice(&page.xml);
            let start = Instant::now();
            work(black_box(&buffer));
            board.sample(peer, 1, start.elapsed());
        };
        turn("adjourn", &|xml| drop(black_box(peers::adjourn(xml))));
        turn(MEASURE, &|xml| {
            black_box(peers::quick_xml_events(xml));
        });
    }
}

/// Times different pages, each copied into one reused buffer; the time of the copies is subtracted.
fn fresh_pages(criterion: &mut Criterion, board: &Board, shape: Shape) {
    let name = format!("fresh {}", shape.name());
    if !is_wanted(&name) {
        return;
    }
    let pages = pages_of(shape);
    pages.iter().for_each(check);
    let bytes = pages.iter().map(|page| page.xml.len()).sum::<usize>() / FRESH_PAGES;
    board.input(&name, bytes, FRESH_ITEMS);
    let mut group = criterion.benchmark_group(&name);
    group.throughput(Throughput::Bytes(bytes as u64));
    fresh(&mut group, board, "adjourn", &pages, |xml| drop(black_box(peers::adjourn(xml))));
    fresh(&mut group, board, MEASURE, &pages, |xml| {
        black_box(peers::quick_xml_events(xml));
    });
    fresh(&mut group, board, "quick-xml serde", &pages, |xml| drop(black_box(peers::quick_xml_serde(xml))));
    fresh(&mut group, board, "crate ews", &pages, |xml| drop(black_box(peers::ews_crate(xml))));
    group.finish();
}

fn timed(group: &mut BenchmarkGroup<'_, WallTime>, board: &Board, peer: &str, mut work: impl FnMut()) {
    group.bench_function(peer, |bencher| {
        bencher.iter_custom(|rounds| {
            let start = Instant::now();
            (0..rounds).for_each(|_| work());
            let took = start.elapsed();
            board.sample(peer, rounds, took);
            took
        });
    });
}

fn fresh(
    group: &mut BenchmarkGroup<'_, WallTime>,
    board: &Board,
    peer: &str,
    pages: &[Page],
    mut work: impl FnMut(&[u8]),
) {
    let mut buffer = Vec::with_capacity(pages.iter().map(|page| page.xml.len()).max().unwrap_or(0));
    let mut next = 0;
    group.bench_function(peer, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                buffer.clear();
                buffer.extend_from_slice(&pages[next % pages.len()].xml);
                next += 1;
                let start = Instant::now();
                work(black_box(&buffer));
                took += start.elapsed();
            }
            board.sample(peer, rounds, took);
            took
        });
    });
}
