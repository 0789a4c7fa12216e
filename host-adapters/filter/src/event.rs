//! Collects from an event the values of the fields that a policy names.

use crate::number::Number;
use crate::pattern::Scalar;
use crate::read::{self, Kind};
use crate::tree::Tree;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How deep lists and objects are followed, as in serde_json.
const MAX_DEPTH: usize = 128;

/// Why an event cannot be compared with a policy.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The text is not JSON, or a string in it is not Unicode.
    #[error("the event is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The text is JSON of another kind.
    #[error("the event is not a JSON object")]
    NotAnObject,
    /// Lists and objects are nested too deeply.
    #[error("the event is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// The exponent of a number is beyond 64 bits.
    #[error("the number {0} has an exponent beyond 64 bits")]
    Exponent(String),
}

/// The values of an event, by field.
#[derive(Debug)]
pub struct Values<'a> {
    pub of: Vec<Vec<Value<'a>>>,
    places: Vec<Place>,
    lists: u32,
}

/// One value of a field.
#[derive(Debug)]
pub struct Value<'a> {
    pub scalar: Scalar<'a>,
    /// The place that it lies in, of lists that have objects or lists as elements.
    place: Option<u32>,
}

/// An element of a list.
#[derive(Debug)]
struct Place {
    within: Option<u32>,
    element: Element,
}

/// A list of the event, each of which has a number, and the index of an element. The lists that lie in a list have
/// greater numbers than it.
pub type Element = (u32, u32);

impl<'a> Values<'a> {
    pub fn none(fields: usize) -> Self {
        Self { of: std::iter::repeat_with(Vec::new).take(fields).collect(), places: Vec::new(), lists: 0 }
    }

    /// Adds those of a JSON object, except the members of the event itself that have this name.
    ///
    /// # Errors
    /// See [`EventError`].
    pub fn add_object(&mut self, tree: &Tree, json: &'a str, except: Option<&str>) -> Result<(), EventError> {
        let json: &RawValue = serde_json::from_str(json)?;
        if read::kind(json) != Kind::Object {
            return Err(EventError::NotAnObject);
        }
        for (name, value) in read::members(json)? {
            if except == Some(&*name) {
                continue;
            }
            if let Some(node) = tree.child(Tree::ROOT, &name) {
                self.add(tree, At { node, place: None, depth: 1 }, value)?;
            }
        }
        Ok(())
    }

    /// Adds those of a member of the event, whose value is JSON text.
    ///
    /// # Errors
    /// See [`EventError`].
    pub fn add_member(&mut self, tree: &Tree, name: &str, value: &'a RawValue) -> Result<(), EventError> {
        match tree.child(Tree::ROOT, name) {
            Some(node) => self.add(tree, At { node, place: None, depth: 1 }, value),
            None => Ok(()),
        }
    }

    /// Adds a value of a member of the event that is none of JSON's lists or objects.
    pub fn add_scalar(&mut self, tree: &Tree, name: &str, scalar: Scalar<'a>) {
        if let Some(node) = tree.child(Tree::ROOT, name) {
            self.push(tree, node, None, scalar);
        }
    }

    fn add(&mut self, tree: &Tree, at: At, json: &'a RawValue) -> Result<(), EventError> {
        if at.depth >= MAX_DEPTH {
            return Err(EventError::TooDeep);
        }
        match read::kind(json) {
            Kind::Object => {
                for (name, value) in read::members(json)? {
                    if let Some(node) = tree.child(at.node, &name) {
                        self.add(tree, At { node, depth: at.depth + 1, ..at }, value)?;
                    }
                }
            }
            Kind::List => self.add_elements(tree, at, json)?,
            _ => self.push(tree, at.node, at.place, scalar(json)?),
        }
        Ok(())
    }

    fn add_elements(&mut self, tree: &Tree, at: At, json: &'a RawValue) -> Result<(), EventError> {
        let list = self.lists;
        self.lists += 1;
        for (index, element) in (0..).zip(read::elements(json)?) {
            if !matches!(read::kind(element), Kind::Object | Kind::List) {
                self.push(tree, at.node, at.place, scalar(element)?);
                continue;
            }
            let place = u32::try_from(self.places.len()).ok();
            self.places.push(Place { within: at.place, element: (list, index) });
            self.add(tree, At { place, depth: at.depth + 1, ..at }, element)?;
        }
        Ok(())
    }

    fn push(&mut self, tree: &Tree, node: usize, place: Option<u32>, scalar: Scalar<'a>) {
        if let Some(values) = tree.field(node).and_then(|field| self.of.get_mut(field)) {
            values.push(Value { scalar, place });
        }
    }

    /// Whether there are lists with objects or lists as elements.
    pub fn has_places(&self) -> bool {
        !self.places.is_empty()
    }

    /// The elements of lists that a value lies in, from the inside.
    pub fn elements(&self, value: &Value<'_>) -> impl Iterator<Item = Element> {
        let place = |at: Option<u32>| self.places.get(usize::try_from(at?).ok()?);
        std::iter::successors(place(value.place), move |inner| place(inner.within)).map(|place| place.element)
    }
}

/// Where in the event a value is.
#[derive(Clone, Copy)]
struct At {
    node: usize,
    place: Option<u32>,
    depth: usize,
}

/// A value that is neither an object nor a list.
///
/// # Errors
/// When a string is not Unicode, or a number's exponent too large.
pub fn scalar(json: &RawValue) -> Result<Scalar<'_>, EventError> {
    Ok(match read::kind(json) {
        Kind::True => Scalar::True,
        Kind::False => Scalar::False,
        Kind::Null => Scalar::Null,
        Kind::Number => {
            Scalar::Number(Number::parse(json.get()).ok_or_else(|| EventError::Exponent(json.get().to_owned()))?)
        }
        Kind::Text | Kind::Object | Kind::List => Scalar::Text(read::text(json)?),
    })
}

/// A text as a value.
pub const fn text(text: &str) -> Scalar<'_> {
    Scalar::Text(Cow::Borrowed(text))
}
