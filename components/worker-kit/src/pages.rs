//! Lists that come in pages.

use crate::platform::table;
use crate::services::code::CodePage;
use crate::services::entry::ScoringPage;

/// A page of a list.
pub trait Page {
    /// Where the next page begins; `None` at the end.
    fn next(&self) -> Option<&str>;
}

impl Page for ScoringPage {
    fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

impl Page for CodePage {
    fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

impl Page for table::Page {
    fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

/// A list that is read page by page.
#[derive(Debug, Default)]
pub struct Pages {
    after: Option<String>,
    is_over: bool,
}

impl Pages {
    /// The pages behind the one that named this as its next; all of them for `None`.
    pub fn behind(after: Option<String>) -> Self {
        Self { after, is_over: false }
    }

    /// Reads the next page with `read`, whose argument is where the page begins; `None` after the last page. If it
    /// fails, the same page is the next one.
    pub async fn read<P: Page, E>(
        &mut self,
        read: impl AsyncFnOnce(Option<String>) -> Result<P, E>,
    ) -> Result<Option<P>, E> {
        if self.is_over {
            return Ok(None);
        }
        let page = read(self.after.clone()).await?;
        self.after = page.next().map(str::to_owned);
        self.is_over = self.after.is_none();
        Ok(Some(page))
    }

    /// Where the next page begins; `None` at the beginning, and behind the last page.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use futures::executor::block_on;

    /// Three pages, of one code each.
    fn page(after: Option<&str>) -> CodePage {
        let number = after.map_or(0, |after| after.parse().unwrap());
        CodePage { codes: vec![format!("CODE-{number}")], next: (number < 2).then(|| (number + 1).to_string()) }
    }

    fn rest(mut pages: Pages) -> Vec<String> {
        let mut codes = vec![];
        let read = async |after: Option<String>| Ok::<_, ()>(page(after.as_deref()));
        while let Some(page) = block_on(pages.read(read)).unwrap() {
            codes.extend(page.codes);
        }
        codes
    }

    #[test]
    fn all_pages_are_read_in_their_order_or_those_behind_a_place() {
        assert_eq!(rest(Pages::default()), ["CODE-0", "CODE-1", "CODE-2"]);
        assert_eq!(rest(Pages::behind(Some("2".to_owned()))), ["CODE-2"]);
    }

    #[test]
    fn a_page_that_is_not_read_is_the_next_one() {
        let mut pages = Pages::default();
        block_on(pages.read(async |after| Ok::<_, ()>(page(after.as_deref())))).unwrap();
        assert!(block_on(pages.read(async |_| Err::<CodePage, _>("down"))).is_err());
        assert_eq!(pages.after(), Some("1"));
        assert_eq!(rest(pages), ["CODE-1", "CODE-2"]);
    }
}
