//! The Windows time zones with their names, standard offsets and daylight saving rules as of 2026. A rule that differs
//! from year to year is approximated by the nearest one. Data only.

use chrono::Weekday::{Fri, Sat, Sun, Thu};

use super::zone::{DaylightSaving, Transition, Zone};

const fn summer(extra: i16, begin: Transition, end: Transition) -> Option<DaylightSaving> {
    Some(DaylightSaving { extra, begin, end })
}

/// `minutes` after the midnight of the `nth` such weekday of the month; 5 means the last.
const fn on(month: u32, nth: u32, day: chrono::Weekday, minutes: i64) -> Transition {
    Transition { month, nth, day, minutes }
}

const fn zone(id: &'static str, place: &'static str, standard: i16, summer: Option<DaylightSaving>) -> Zone {
    Zone { id, place, standard, daylight: summer }
}

const SYDNEY: Option<DaylightSaving> = summer(60, on(10, 1, Sun, 120), on(4, 1, Sun, 180));
const ANCHORAGE: Option<DaylightSaving> = summer(60, on(3, 2, Sun, 120), on(11, 1, Sun, 120));
const AZORES: Option<DaylightSaving> = summer(60, on(3, 5, Sun, 0), on(10, 5, Sun, 60));
const BUDAPEST: Option<DaylightSaving> = summer(60, on(3, 5, Sun, 120), on(10, 5, Sun, 180));
const CHATHAM: Option<DaylightSaving> = summer(60, on(9, 5, Sun, 165), on(4, 1, Sun, 225));
const HAVANA: Option<DaylightSaving> = summer(60, on(3, 2, Sun, 0), on(11, 1, Sun, 60));
const EASTER: Option<DaylightSaving> = summer(60, on(9, 1, Sat, 1320), on(4, 1, Sat, 1320));
const CAIRO: Option<DaylightSaving> = summer(60, on(4, 5, Fri, 0), on(10, 5, Thu, 1440));
const KIEV: Option<DaylightSaving> = summer(60, on(3, 5, Sun, 180), on(10, 5, Sun, 240));
const LONDON: Option<DaylightSaving> = summer(60, on(3, 5, Sun, 60), on(10, 5, Sun, 120));
const GODTHAB: Option<DaylightSaving> = summer(60, on(3, 5, Sun, -60), on(10, 5, Sun, 0));
const JERUSALEM: Option<DaylightSaving> = summer(60, on(3, 5, Sun, -2760), on(10, 5, Sun, 120));
const LORD_HOWE: Option<DaylightSaving> = summer(30, on(10, 1, Sun, 120), on(4, 1, Sun, 120));
const BEIRUT: Option<DaylightSaving> = summer(60, on(3, 5, Sun, 0), on(10, 5, Sun, 0));
const AUCKLAND: Option<DaylightSaving> = summer(60, on(9, 5, Sun, 120), on(4, 1, Sun, 180));
const SANTIAGO: Option<DaylightSaving> = summer(60, on(9, 1, Sat, 1440), on(4, 1, Sat, 1440));
const HEBRON: Option<DaylightSaving> = summer(60, on(3, 5, Sun, -1320), on(10, 5, Sun, -1320));

/// Sorted by name.
pub(super) const ZONES: &[Zone] = &[
    zone("AUS Central Standard Time", "Darwin", 570, None),
    zone("AUS Eastern Standard Time", "Sydney", 600, SYDNEY),
    zone("Afghanistan Standard Time", "Kabul", 270, None),
    zone("Alaskan Standard Time", "Anchorage", -540, ANCHORAGE),
    zone("Aleutian Standard Time", "Adak", -600, ANCHORAGE),
    zone("Altai Standard Time", "Barnaul", 420, None),
    zone("Arab Standard Time", "Riyadh", 180, None),
    zone("Arabian Standard Time", "Dubai", 240, None),
    zone("Arabic Standard Time", "Baghdad", 180, None),
    zone("Argentina Standard Time", "Buenos Aires", -180, None),
    zone("Astrakhan Standard Time", "Astrakhan", 240, None),
    zone("Atlantic Standard Time", "Halifax", -240, ANCHORAGE),
    zone("Aus Central W. Standard Time", "Eucla", 525, None),
    zone("Azerbaijan Standard Time", "Baku", 240, None),
    zone("Azores Standard Time", "Azores", -60, AZORES),
    zone("Bahia Standard Time", "Bahia", -180, None),
    zone("Bangladesh Standard Time", "Dhaka", 360, None),
    zone("Belarus Standard Time", "Minsk", 180, None),
    zone("Bougainville Standard Time", "Bougainville", 660, None),
    zone("Canada Central Standard Time", "Regina", -360, None),
    zone("Cape Verde Standard Time", "Cape Verde", -60, None),
    zone("Caucasus Standard Time", "Yerevan", 240, None),
    zone("Cen. Australia Standard Time", "Adelaide", 570, SYDNEY),
    zone("Central America Standard Time", "Guatemala", -360, None),
    zone("Central Asia Standard Time", "Bishkek", 360, None),
    zone("Central Brazilian Standard Time", "Cuiaba", -240, None),
    zone("Central Europe Standard Time", "Budapest", 60, BUDAPEST),
    zone("Central European Standard Time", "Warsaw", 60, BUDAPEST),
    zone("Central Pacific Standard Time", "Guadalcanal", 660, None),
    zone("Central Standard Time", "Chicago", -360, ANCHORAGE),
    zone("Central Standard Time (Mexico)", "Mexico City", -360, None),
    zone("Chatham Islands Standard Time", "Chatham", 765, CHATHAM),
    zone("China Standard Time", "Shanghai", 480, None),
    zone("Cuba Standard Time", "Havana", -300, HAVANA),
    zone("Dateline Standard Time", "Dateline Standard Time", -720, None),
    zone("E. Africa Standard Time", "Nairobi", 180, None),
    zone("E. Australia Standard Time", "Brisbane", 600, None),
    zone("E. Europe Standard Time", "Chisinau", 120, BUDAPEST),
    zone("E. South America Standard Time", "Sao Paulo", -180, None),
    zone("Easter Island Standard Time", "Easter", -360, EASTER),
    zone("Eastern Standard Time", "New York", -300, ANCHORAGE),
    zone("Eastern Standard Time (Mexico)", "Cancun", -300, None),
    zone("Egypt Standard Time", "Cairo", 120, CAIRO),
    zone("Ekaterinburg Standard Time", "Yekaterinburg", 300, None),
    zone("FLE Standard Time", "Kiev", 120, KIEV),
    zone("Fiji Standard Time", "Fiji", 720, None),
    zone("GMT Standard Time", "London", 0, LONDON),
    zone("GTB Standard Time", "Bucharest", 120, KIEV),
    zone("Georgian Standard Time", "Tbilisi", 240, None),
    zone("Greenland Standard Time", "Godthab", -120, GODTHAB),
    zone("Greenwich Standard Time", "Reykjavik", 0, None),
    zone("Haiti Standard Time", "Port-au-Prince", -300, ANCHORAGE),
    zone("Hawaiian Standard Time", "Honolulu", -600, None),
    zone("India Standard Time", "Calcutta", 330, None),
    zone("Iran Standard Time", "Tehran", 210, None),
    zone("Israel Standard Time", "Jerusalem", 120, JERUSALEM),
    zone("Jordan Standard Time", "Amman", 180, None),
    zone("Kaliningrad Standard Time", "Kaliningrad", 120, None),
    zone("Korea Standard Time", "Seoul", 540, None),
    zone("Libya Standard Time", "Tripoli", 120, None),
    zone("Line Islands Standard Time", "Kiritimati", 840, None),
    zone("Lord Howe Standard Time", "Lord Howe", 630, LORD_HOWE),
    zone("Magadan Standard Time", "Magadan", 660, None),
    zone("Magallanes Standard Time", "Punta Arenas", -180, None),
    zone("Marquesas Standard Time", "Marquesas", -570, None),
    zone("Mauritius Standard Time", "Mauritius", 240, None),
    zone("Middle East Standard Time", "Beirut", 120, BEIRUT),
    zone("Montevideo Standard Time", "Montevideo", -180, None),
    zone("Morocco Standard Time", "Casablanca", 60, None),
    zone("Mountain Standard Time", "Denver", -420, ANCHORAGE),
    zone("Mountain Standard Time (Mexico)", "Mazatlan", -420, None),
    zone("Myanmar Standard Time", "Rangoon", 390, None),
    zone("N. Central Asia Standard Time", "Novosibirsk", 420, None),
    zone("Namibia Standard Time", "Windhoek", 120, None),
    zone("Nepal Standard Time", "Katmandu", 345, None),
    zone("New Zealand Standard Time", "Auckland", 720, AUCKLAND),
    zone("Newfoundland Standard Time", "St Johns", -210, ANCHORAGE),
    zone("Norfolk Standard Time", "Norfolk", 660, SYDNEY),
    zone("North Asia East Standard Time", "Irkutsk", 480, None),
    zone("North Asia Standard Time", "Krasnoyarsk", 420, None),
    zone("North Korea Standard Time", "Pyongyang", 540, None),
    zone("Omsk Standard Time", "Omsk", 360, None),
    zone("Pacific SA Standard Time", "Santiago", -240, SANTIAGO),
    zone("Pacific Standard Time", "Los Angeles", -480, ANCHORAGE),
    zone("Pacific Standard Time (Mexico)", "Tijuana", -480, ANCHORAGE),
    zone("Pakistan Standard Time", "Karachi", 300, None),
    zone("Paraguay Standard Time", "Asuncion", -180, None),
    zone("Qyzylorda Standard Time", "Qyzylorda", 300, None),
    zone("Romance Standard Time", "Paris", 60, BUDAPEST),
    zone("Russia Time Zone 10", "Srednekolymsk", 660, None),
    zone("Russia Time Zone 11", "Kamchatka", 720, None),
    zone("Russia Time Zone 3", "Samara", 240, None),
    zone("Russian Standard Time", "Moscow", 180, None),
    zone("SA Eastern Standard Time", "Cayenne", -180, None),
    zone("SA Pacific Standard Time", "Bogota", -300, None),
    zone("SA Western Standard Time", "La Paz", -240, None),
    zone("SE Asia Standard Time", "Bangkok", 420, None),
    zone("Saint Pierre Standard Time", "Miquelon", -180, ANCHORAGE),
    zone("Sakhalin Standard Time", "Sakhalin", 660, None),
    zone("Samoa Standard Time", "Apia", 780, None),
    zone("Sao Tome Standard Time", "Sao Tome", 0, None),
    zone("Saratov Standard Time", "Saratov", 240, None),
    zone("Singapore Standard Time", "Singapore", 480, None),
    zone("South Africa Standard Time", "Johannesburg", 120, None),
    zone("South Sudan Standard Time", "Juba", 120, None),
    zone("Sri Lanka Standard Time", "Colombo", 330, None),
    zone("Sudan Standard Time", "Khartoum", 120, None),
    zone("Syria Standard Time", "Damascus", 180, None),
    zone("Taipei Standard Time", "Taipei", 480, None),
    zone("Tasmania Standard Time", "Hobart", 600, SYDNEY),
    zone("Tocantins Standard Time", "Araguaina", -180, None),
    zone("Tokyo Standard Time", "Tokyo", 540, None),
    zone("Tomsk Standard Time", "Tomsk", 420, None),
    zone("Tonga Standard Time", "Tongatapu", 780, None),
    zone("Transbaikal Standard Time", "Chita", 540, None),
    zone("Turkey Standard Time", "Istanbul", 180, None),
    zone("Turks And Caicos Standard Time", "Grand Turk", -300, ANCHORAGE),
    zone("US Eastern Standard Time", "Indianapolis", -300, ANCHORAGE),
    zone("US Mountain Standard Time", "Phoenix", -420, None),
    zone("UTC", "Coordinated Universal Time", 0, None),
    zone("UTC+12", "UTC+12", 720, None),
    zone("UTC+13", "UTC+13", 780, None),
    zone("UTC-02", "UTC-02", -120, None),
    zone("UTC-08", "UTC-08", -480, None),
    zone("UTC-09", "UTC-09", -540, None),
    zone("UTC-11", "UTC-11", -660, None),
    zone("Ulaanbaatar Standard Time", "Ulaanbaatar", 480, None),
    zone("Venezuela Standard Time", "Caracas", -240, None),
    zone("Vladivostok Standard Time", "Vladivostok", 600, None),
    zone("Volgograd Standard Time", "Volgograd", 180, None),
    zone("W. Australia Standard Time", "Perth", 480, None),
    zone("W. Central Africa Standard Time", "Lagos", 60, None),
    zone("W. Europe Standard Time", "Berlin", 60, BUDAPEST),
    zone("W. Mongolia Standard Time", "Hovd", 420, None),
    zone("West Asia Standard Time", "Tashkent", 300, None),
    zone("West Bank Standard Time", "Hebron", 120, HEBRON),
    zone("West Pacific Standard Time", "Port Moresby", 600, None),
    zone("Yakutsk Standard Time", "Yakutsk", 540, None),
    zone("Yukon Standard Time", "Whitehorse", -420, None),
];
