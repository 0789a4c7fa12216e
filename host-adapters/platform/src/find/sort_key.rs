//! The sort key of a document. As in MongoDB, a list in a path gives a key for each of its elements, and the first key
//! determines the position of the document. All paths through one list use the same element. Two parallel lists would
//! give a key for each pair, which MongoDB refuses.

use super::sort::SortKey;
use crate::Result;
use crate::limits::invalid;
use serde_json::Value;

static NULL: Value = Value::Null;

/// How far a path of the sort has been followed.
#[derive(Clone, Copy)]
enum Walk<'a> {
    /// To its end.
    At(&'a Value),
    /// To a value, with these names left.
    Before(&'a Value, &'a [String]),
}

/// All keys of a document, by `paths`.
pub(super) fn all<'a>(document: &'a Value, paths: impl Iterator<Item = &'a [String]>) -> Result<Vec<SortKey>> {
    let mut keys = Vec::new();
    follow(paths.map(|path| Walk::Before(document, path)).collect(), &mut keys)?;
    Ok(keys)
}

fn follow(walks: Vec<Walk<'_>>, keys: &mut Vec<SortKey>) -> Result<()> {
    let walks: Vec<_> = walks.into_iter().map(Walk::to_list).collect();
    let mut lists = walks.iter().filter_map(Walk::list);
    let Some(list) = lists.next() else {
        keys.push(walks.iter().map(Walk::end).collect());
        return Ok(());
    };
    if lists.any(|other| !std::ptr::eq(other, list)) {
        return Err(invalid("cannot sort with keys that are parallel arrays: two paths lead through different lists"));
    }
    if list.is_empty() {
        return follow(walks.iter().map(Walk::over_nothing).collect(), keys);
    }
    list.iter().try_for_each(|element| follow(walks.iter().map(|walk| walk.over(element, list)).collect(), keys))
}

impl<'a> Walk<'a> {
    /// Goes on to the next list, or to the end.
    fn to_list(self) -> Self {
        let Self::Before(mut value, mut path) = self else { return self };
        loop {
            match (value, path) {
                (Value::Array(_), _) => return Self::Before(value, path),
                (_, []) => return Self::At(value),
                (Value::Object(fields), [first, rest @ ..]) => {
                    (value, path) = (fields.get(first).unwrap_or(&NULL), rest)
                }
                _ => return Self::At(&NULL),
            }
        }
    }

    fn list(&self) -> Option<&'a Vec<Value>> {
        match self {
            Self::Before(value, _) => value.as_array(),
            Self::At(_) => None,
        }
    }

    fn end(&self) -> Value {
        let (Self::At(value) | Self::Before(value, _)) = self;
        (*value).clone()
    }

    /// Into one element of the list that it has come to; a number leads into that element, whichever is asked for.
    fn over(&self, element: &'a Value, list: &'a [Value]) -> Self {
        let Self::Before(_, path) = self else { return *self };
        let Some((first, rest)) = path.split_first() else { return Self::At(element) };
        match first.parse().ok().and_then(|index: usize| list.get(index)) {
            Some(element) if rest.is_empty() => Self::At(element),
            Some(element) => Self::Before(element, rest),
            None if element.is_object() => Self::Before(element, path),
            None => Self::At(&NULL),
        }
    }

    /// An empty list stands for itself at the end of a path.
    fn over_nothing(&self) -> Self {
        match self {
            Self::Before(list, []) => Self::At(list),
            Self::Before(..) => Self::At(&NULL),
            Self::At(_) => *self,
        }
    }
}
