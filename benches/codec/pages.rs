//! Generates FindItem responses in Exchange's form from a seed, with the values that a correct decoder must find.

use adjourn_test::SeededRandom;

/// The form of the items' fields.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    /// All fields, in schema order.
    Ordered,
    /// As above; four subjects in ten have references or are not ASCII.
    Escapes,
    /// Some optional fields are missing.
    Missing,
    /// Each item has its fields in its own order.
    Shuffled,
}

impl Shape {
    pub(crate) const ALL: [Self; 4] = [Self::Ordered, Self::Escapes, Self::Missing, Self::Shuffled];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Escapes => "escapes",
            Self::Missing => "missing",
            Self::Shuffled => "shuffled",
        }
    }
}

/// A page and its digest.
pub(crate) struct Page {
    pub(crate) xml: Vec<u8>,
    pub(crate) digest: Digest,
}

/// The digest for comparison: it covers enough of every field that skipping one changes it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) items: usize,
    pub(crate) subject_bytes: usize,
    pub(crate) id_bytes: usize,
    pub(crate) start_seconds: i64,
    pub(crate) end_seconds: i64,
    pub(crate) meetings: usize,
    pub(crate) organizer_bytes: usize,
}

/// The next value below `end`, the same on all machines.
fn below(dice: &mut SeededRandom, end: usize) -> usize {
    dice.below(end as u64) as usize
}

pub(crate) fn base64(dice: &mut SeededRandom, len: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..len).map(|_| char::from(ALPHABET[below(dice, 64)])).collect()
}

fn hex(dice: &mut SeededRandom, len: usize) -> String {
    (0..len).map(|_| char::from(b"0123456789ABCDEF"[below(dice, 16)])).collect()
}

const PLAIN: [&str; 6] = [
    "Weekly planning",
    "Interview with a candidate for the second floor",
    "Budget",
    "Design review: door displays",
    "Standup",
    "Quarterly numbers, first look",
];

/// A subject as sent, and as decoded.
const SPECIAL: [(&str, &str); 4] = [
    ("R&amp;D sync", "R&D sync"),
    ("Besprechung: Umbau Raum Zürich &lt;Süd&gt;", "Besprechung: Umbau Raum Zürich <Süd>"),
    ("予算会議 第二回", "予算会議 第二回"),
    ("Q&amp;A &#x2013; caf\u{e9}", "Q&A \u{2013} caf\u{e9}"),
];

const NAMES: [&str; 5] = ["Ada Byron", "Grace Murray", "Radia P.", "Barbara L.", "Edsger D."];

/// Generates a page of `count` items.
pub(crate) fn page(shape: Shape, count: usize, seed: u64) -> Page {
    let mut dice = SeededRandom::new(seed);
    let mut digest = Digest::default();
    let mut xml = String::with_capacity(count * 1100 + 1000);
    xml.push_str(concat!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header>",
        "<h:ServerVersionInfo MajorVersion=\"15\" MinorVersion=\"2\" MajorBuildNumber=\"1544\" MinorBuildNumber=\"4\" ",
        "Version=\"V2017_07_11\" xmlns:h=\"http://schemas.microsoft.com/exchange/services/2006/types\" ",
        "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" ",
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"/></s:Header><s:Body>",
        "<m:FindItemResponse xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\" ",
        "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" ",
        "xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\"><m:ResponseMessages>",
        "<m:FindItemResponseMessage ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode>",
    ));
    xml.push_str(&format!(
        "<m:RootFolder TotalItemsInView=\"{count}\" IncludesLastItemInRange=\"true\"><t:Items>"
    ));
    for _ in 0..count {
        item(&mut xml, shape, &mut dice, &mut digest);
    }
    xml.push_str(concat!(
        "</t:Items></m:RootFolder></m:FindItemResponseMessage></m:ResponseMessages></m:FindItemResponse>",
        "</s:Body></s:Envelope>",
    ));
    Page { xml: xml.into_bytes(), digest }
}

/// The items of such a page.
pub(crate) fn items(shape: Shape, count: usize, seed: u64) -> String {
    let (mut xml, mut digest, mut dice) = (String::new(), Digest::default(), SeededRandom::new(seed));
    (0..count).for_each(|_| item(&mut xml, shape, &mut dice, &mut digest));
    xml
}

fn item(xml: &mut String, shape: Shape, dice: &mut SeededRandom, digest: &mut Digest) {
    let mut fields = fields(shape, dice, digest);
    if shape == Shape::Shuffled {
        for at in (1..fields.len()).rev() {
            fields.swap(at, below(dice, at + 1));
        }
    }
    xml.push_str("<t:CalendarItem>");
    fields.iter().for_each(|field| xml.push_str(field));
    xml.push_str("</t:CalendarItem>");
}

fn fields(shape: Shape, dice: &mut SeededRandom, digest: &mut Digest) -> Vec<String> {
    let (sent, meant) = match shape {
        Shape::Escapes if below(dice, 10) < 4 => SPECIAL[below(dice, 4)],
        _ => [PLAIN[below(dice, 6)]; 2].into(),
    };
    let (day, hour, minutes) = (1 + below(dice, 28), 7 + below(dice, 12), 5 * below(dice, 12));
    let start = format!("2026-11-{day:02}T{hour:02}:{minutes:02}:00Z");
    let end = format!("2026-11-{day:02}T{:02}:{minutes:02}:30Z", hour + 1);
    let name = NAMES[below(dice, 5)];
    let address = format!("person{:04}@people.example", below(dice, 10_000));
    let meeting = below(dice, 5) > 0;
    let kinds = ["Single", "Occurrence", "Exception"];
    let answers = ["Accept", "Organizer", "Tentative", "NoResponseReceived"];
    let statuses = ["Busy", "Tentative", "Free", "OOF"];
    let id = base64(dice, 152);
    let mut fields = vec![
        format!("<t:ItemId Id=\"{id}\" ChangeKey=\"{}\"/>", base64(dice, 40)),
        format!("<t:Subject>{sent}</t:Subject>"),
        "<t:Sensitivity>Normal</t:Sensitivity>".to_owned(),
        format!("<t:LastModifiedTime>2026-10-{day:02}T08:15:{minutes:02}Z</t:LastModifiedTime>"),
        format!("<t:UID>040000008200E00074C5B7101A82E008{}</t:UID>", hex(dice, 80)),
        format!("<t:Start>{start}</t:Start>"),
        format!("<t:End>{end}</t:End>"),
        format!("<t:IsAllDayEvent>{}</t:IsAllDayEvent>", below(dice, 20) == 0),
        format!("<t:LegacyFreeBusyStatus>{}</t:LegacyFreeBusyStatus>", statuses[below(dice, 4)]),
        format!("<t:IsMeeting>{meeting}</t:IsMeeting>"),
        format!("<t:IsCancelled>{}</t:IsCancelled>", below(dice, 10) == 0),
        format!("<t:CalendarItemType>{}</t:CalendarItemType>", kinds[below(dice, 3)]),
        format!("<t:MyResponseType>{}</t:MyResponseType>", answers[below(dice, 4)]),
        format!(
            "<t:Organizer><t:Mailbox><t:Name>{name}</t:Name><t:EmailAddress>{address}</t:EmailAddress>\
             <t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType></t:Mailbox></t:Organizer>"
        ),
    ];
    let mut organizer_bytes = address.len();
    if shape == Shape::Missing {
        if below(dice, 3) == 0 {
            fields.pop();
            organizer_bytes = 0;
        }
        for optional in [10, 8, 4, 3, 2] {
            if below(dice, 3) == 0 {
                fields.remove(optional);
            }
        }
    }
    digest.items += 1;
    digest.subject_bytes += meant.len();
    digest.id_bytes += id.len();
    digest.start_seconds += seconds(&start);
    digest.end_seconds += seconds(&end);
    digest.meetings += usize::from(meeting);
    digest.organizer_bytes += organizer_bytes;
    fields
}

pub(crate) fn seconds(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time).map_or(0, |time| time.timestamp())
}
