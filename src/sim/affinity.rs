//! Routes a request to one of the back ends behind the address: the one that its affinity cookie names, else the next in
//! turn. Only notification requests depend on it.

use http::HeaderMap;
use http::header::COOKIE;

const NAME: &str = "X-BackEndOverrideCookie";
/// Limit of cookies read from one request.
const COOKIES_MAX: usize = 100;

/// The back end for one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BackEndRoute {
    pub(crate) back_end: usize,
    /// `Set-Cookie`, if the client asked for server affinity.
    pub(crate) cookie: Option<String>,
}

/// Chooses the back end. `turn` is the next back end of the round robin and advances when no cookie decides.
pub(crate) fn choose_back_end(headers: &HeaderMap, back_ends: usize, turn: &mut usize) -> BackEndRoute {
    let back_ends = back_ends.max(1);
    if let Some(back_end) = back_end_in_cookie(headers).filter(|back_end| *back_end < back_ends) {
        return BackEndRoute { back_end, cookie: None };
    }
    let back_end = *turn % back_ends;
    *turn = (back_end + 1) % back_ends;
    let prefers = headers
        .get("x-preferserveraffinity")
        .is_some_and(|prefers| prefers.as_bytes().eq_ignore_ascii_case(b"true"));
    let cookie = prefers.then(|| format!("{NAME}={}; path=/; HttpOnly", value(back_end)));
    BackEndRoute { back_end, cookie }
}

/// The affinity value, sent as a cookie or as the header of the same name that some clients send.
fn back_end_in_cookie(headers: &HeaderMap) -> Option<usize> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|all| all.to_str().ok());
    let pairs =
        cookies.flat_map(|all| all.split(';')).take(COOKIES_MAX).filter_map(|one| one.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim() == NAME).map(|(_, value)| value.trim());
    let word = values.next().or_else(|| headers.get(NAME)?.to_str().ok())?;
    let number = word.strip_prefix("mbx")?.split('~').next()?.parse().ok()?;
    (value(number) == word).then_some(number)
}

fn value(back_end: usize) -> String {
    format!("mbx{back_end}~1941996{:03}", back_end % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_leads_back_and_without_one_it_is_the_next_ones_turn() {
        let mut turn = 0;
        let mut headers = HeaderMap::new();
        assert_eq!(choose_back_end(&headers, 2, &mut turn), BackEndRoute { back_end: 0, cookie: None });
        headers.insert("x-preferserveraffinity", "True".parse().unwrap());
        let BackEndRoute { back_end: 1, cookie: Some(cookie) } = choose_back_end(&headers, 2, &mut turn)
        else {
            panic!()
        };
        let cookie = cookie.split(';').next().unwrap();
        headers.insert(COOKIE, format!("a=b; {cookie}").parse().unwrap());
        for _ in 0..3 {
            assert_eq!(choose_back_end(&headers, 2, &mut turn), BackEndRoute { back_end: 1, cookie: None });
        }
        headers.remove(COOKIE);
        headers.insert(NAME, cookie.split_once('=').unwrap().1.parse().unwrap());
        assert_eq!(choose_back_end(&headers, 2, &mut turn), BackEndRoute { back_end: 1, cookie: None });
        assert_eq!(choose_back_end(&headers, 1, &mut turn).back_end, 0, "the back end no longer exists");
    }
}
