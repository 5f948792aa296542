use adjourn::ews::codec::*;
#[path = "../benches/codec/pages.rs"]
mod pages;
fn main() {
    let shape = match std::env::args().nth(1).as_deref() {
        Some("shuffled") => pages::Shape::Shuffled,
        Some("missing") => pages::Shape::Missing,
        Some("escapes") => pages::Shape::Escapes,
        _ => pages::Shape::Ordered,
    };
    let pages: Vec<_> = (0..50).map(|s| pages::page(shape, 200, 7000 + s)).collect();
    let l = Limits::default();
    let mut best = f64::MAX;
    let mut bestu = f64::MAX;
    let mut q = f64::MAX;
    for _ in 0..200 {
        let t = std::time::Instant::now();
        for p in &pages {
            std::hint::black_box(decode_with_scanner(std::hint::black_box(&p.xml), &l).unwrap());
        }
        best = best.min(t.elapsed().as_nanos() as f64 / 10000.0);
        let t = std::time::Instant::now();
        for p in &pages {
            std::hint::black_box(simdutf8::compat::from_utf8(std::hint::black_box(&p.xml)).unwrap());
        }
        bestu = bestu.min(t.elapsed().as_nanos() as f64 / 10000.0);
    }
    for _ in 0..5 {
        let t = std::time::Instant::now();
        for p in &pages {
            let mut r = quick_xml::Reader::from_reader(&p.xml[..]);
            loop {
                if let quick_xml::events::Event::Eof = std::hint::black_box(r.read_event().unwrap()) {
                    break;
                }
            }
        }
        q = q.min(t.elapsed().as_nanos() as f64 / 10000.0);
    }
    println!(
        "scan {best:.0} ns/item utf8 {bestu:.0} events {q:.0} ratio {:.1} size {}",
        q / best,
        std::mem::size_of::<adjourn::ews::types::Item>()
    );
}
